"""Errors of accounts, counted in the store apart from the calls: what becomes of a count never changes an answer."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import final
from uuid import UUID

import trio

from tigercore.accounts import TigerAccountManager
from tigercore.errors import TigerCoreError

_log = logging.getLogger("tigercore.router")


@final
class Tally:
    """Count failures and successes of accounts. Nothing here waits or raises; a store that is gone loses a count."""

    def __init__(self, accounts: TigerAccountManager, nursery: trio.Nursery) -> None:
        self._accounts = accounts
        self._nursery = nursery
        self._failures: dict[UUID, list[bool]] = {}
        self._recovered: set[UUID] = set()

    def failed(self, account_id: UUID, *, trading: bool) -> None:
        """Count a failure of an account, in trading or in reading."""
        waiting = self._failures.get(account_id)
        if waiting is not None:
            waiting.append(trading)
            return
        self._failures[account_id] = [trading]
        self._start(self._count, account_id)

    def succeeded(self, account_id: UUID) -> None:
        """Forget the failures of an account."""
        if account_id not in self._recovered:
            self._recovered.add(account_id)
            self._start(self._forget, account_id)

    def _start(self, work: Callable[[UUID], Awaitable[None]], account_id: UUID) -> None:
        try:
            self._nursery.start_soon(work, account_id)
        except RuntimeError:  # tigercore is closing: the answer counts, the count does not
            _log.warning("tigercore is closing: account %s is not counted", account_id)

    async def _count(self, account_id: UUID) -> None:
        try:
            while waiting := self._failures[account_id]:
                self._failures[account_id] = []
                await self._accounts.increment_error_count(account_id, trading=any(waiting), by=len(waiting))
        except TigerCoreError as error:
            _log.warning("failures of account %s are not counted: %s", account_id, error)
        finally:
            del self._failures[account_id]

    async def _forget(self, account_id: UUID) -> None:
        try:
            await self._accounts.reset_error_count(account_id)
        except TigerCoreError as error:
            _log.warning("failures of account %s are not forgotten: %s", account_id, error)
        finally:
            self._recovered.discard(account_id)
