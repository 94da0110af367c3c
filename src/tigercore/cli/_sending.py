"""A call that writes. Once it has begun, nothing that befalls this process is told as a failure of the call."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final, NoReturn, final

import attrs
import trio

from tigercore.cli._exit import leaves, one_line
from tigercore.cli._output import as_json
from tigercore.cli._streams import complain, write
from tigercore.errors import OrderOutcomeUnknown, TigerCoreError

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_UNKNOWN: Final = "{} on {} may have been carried out: query the account before you do anything else ({})"
_LOST: Final = "{} on {} was answered, but stdout did not take the answer ({}): it is on stderr, before this line"


@final
@attrs.define
class Sending:
    """One call that writes, and how far it has come. It ends in an answer, a refusal, or an unknown outcome."""

    method: str
    account: str | None = None
    has_begun: bool = False
    is_shown: bool = False
    verdict: TigerCoreError | None = None
    stopped_by: signal.Signals | None = None

    async def carry_out(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do the work, in which `send` is awaited once; a signal ends it. Before `send` its errors are its own.

        :raises OrderOutcomeUnknown: the call had begun, and its answer was not seen or could not be shown.
        """
        fault: BaseException | None = None
        try:
            await self._until_signalled(work)
        except BaseException as error:
            fault = error
        if self.has_begun:
            self._conclude(fault)
        elif fault is not None:
            raise fault
        elif self.stopped_by is not None:
            _interrupted(self.stopped_by)

    async def send(self, execute: Callable[[], Awaitable[Any]]) -> None:
        """Send the call and print its answer. From here on, only what the call itself says counts."""
        self.has_begun = True
        try:
            answer = as_json(await execute())
        except TigerCoreError as error:
            self.verdict = error
            raise
        try:
            write(answer)
        except (OSError, ValueError) as error:
            self.verdict = self._unknown(_LOST, error)
            complain(answer)
        self.is_shown = True

    async def _until_signalled(self, work: Callable[[], Awaitable[None]]) -> None:
        heeded = [each for each in _SIGNALS if signal.getsignal(each) is not signal.SIG_IGN]
        with trio.open_signal_receiver(*heeded) as signals:
            async with trio.open_nursery() as nursery:
                with trio.CancelScope() as scope:
                    nursery.start_soon(self._watch, signals, scope)
                    await work()
                nursery.cancel_scope.cancel()

    async def _watch(self, signals: AsyncIterator[int], scope: trio.CancelScope) -> None:
        async for number in signals:
            self.stopped_by = signal.Signals(number)
            scope.cancel()

    def _conclude(self, fault: BaseException | None) -> None:
        if self.verdict is not None:
            raise self.verdict
        why = fault or self.stopped_by
        if why is None:
            return
        if not self.is_shown:
            raise self._unknown(_UNKNOWN, why) from fault
        complain(f"tigercore: {self.method} was answered; only then: {_reason(why)}")

    def _unknown(self, text: str, why: BaseException | signal.Signals) -> OrderOutcomeUnknown:
        told = text.format(self.method, self.account or "the chosen account", _reason(why))
        return OrderOutcomeUnknown(told, account=self.account or "", method=self.method)


def _reason(why: BaseException | signal.Signals) -> str:
    if isinstance(why, signal.Signals):
        return f"interrupted by {why.name}"
    first = next(leaves(why))
    return one_line(f"{type(first).__name__}: {first}")


def _interrupted(number: signal.Signals) -> NoReturn:
    if number is signal.SIGINT:
        raise KeyboardInterrupt
    complain(f"tigercore: interrupted by {number.name}; nothing was sent")
    raise SystemExit(128 + number)
