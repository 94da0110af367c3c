"""What happened in the demo: every call, with every attempt that it took. All figures are sums over these."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import StrEnum
from typing import final
from uuid import UUID

import attrs
import trio

from tigercore.errors import ClientError, TigerCoreError
from tigercore.hookspecs import hookimpl
from tigercore.model import Operation, TigerAccount


class Stage(StrEnum):
    """Where the demo stands: before, while and after the gateway fails one developer."""

    BEFORE = "before"
    DURING = "during"
    AFTER = "after"


@final
@attrs.frozen
class Attempt:
    """One request to the gateway for one account."""

    account_id: UUID
    failed: bool
    milliseconds: float
    strategy: str | None
    stage: Stage


@final
@attrs.define
class Call:
    """One `execute`: what the program asked for, what it heard, and how often the gateway was asked for it.

    `strategy` is None where no strategy had a say. `stage` and `milliseconds` are as the call ended; `stages` are those
    that it lived through.
    """

    operation: str
    is_market_data: bool
    strategy: str | None
    attempts: list[Attempt] = attrs.field(factory=list)
    stages: frozenset[Stage] = frozenset()
    milliseconds: float = 0.0
    error: TigerCoreError | None = None

    @property
    def failed_over(self) -> bool:
        """Say whether it succeeded on another account than the one that it was tried on first."""
        return self.error is None and len({attempt.account_id for attempt in self.attempts}) > 1


@final
class Ledger:
    """Keep every call. As a plugin it hears of each attempt, in the task of the call that makes it."""

    def __init__(self) -> None:
        self.stage = Stage.BEFORE
        self.calls: list[Call] = []
        self.attempts: list[Attempt] = []
        self.rests: list[tuple[UUID, float]] = []
        self.token_refreshes = 0
        self.ejected = trio.Event()
        self._current: ContextVar[Call] = ContextVar("call")

    @contextmanager
    def call(self, operation: Operation, strategy: str | None) -> Iterator[Call]:
        """Keep what is executed in the block as one call; an error is kept and raised. A cancelled call is none."""
        call, began = Call(operation.method, operation.type.is_data, strategy), trio.current_time()
        at_first = self.stage
        mark = self._current.set(call)
        try:
            yield call
        except TigerCoreError as error:
            call.error = error
            self._close(call, at_first, began)
            raise
        else:
            self._close(call, at_first, began)
        finally:
            self._current.reset(mark)

    def _close(self, call: Call, at_first: Stage, began: float) -> None:
        call.stages = frozenset((at_first, self.stage))
        call.milliseconds = (trio.current_time() - began) * 1000
        self.calls.append(call)

    @hookimpl
    def tigercore_attempt(self, account: TigerAccount, error: ClientError | None, milliseconds: float) -> None:
        """Note an attempt, and which call made it."""
        call = self._current.get()
        attempt = Attempt(account.id, error is not None, milliseconds, call.strategy, self.stage)
        self.attempts.append(attempt)
        call.attempts.append(attempt)

    @hookimpl
    def tigercore_ejected(self, account: TigerAccount, seconds: float) -> None:
        """Note that an account is left out of routing for so many seconds."""
        self.rests.append((account.id, seconds))
        self.ejected.set()

    @hookimpl
    def tigercore_token_refreshed(self) -> None:
        """Note a new token."""
        self.token_refreshes += 1

    def rests_of(self, accounts: Iterable[TigerAccount]) -> list[float]:
        """Return for how many seconds these accounts were left out, each time."""
        ids = {account.id for account in accounts}
        return [seconds for account_id, seconds in self.rests if account_id in ids]

    def attempts_of(self, accounts: Iterable[TigerAccount]) -> list[Attempt]:
        """Return the attempts that these accounts made."""
        ids = {account.id for account in accounts}
        return [attempt for attempt in self.attempts if attempt.account_id in ids]
