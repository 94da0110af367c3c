"""`tigercore demo`: everything at work on this machine, against a simulated gateway."""

from __future__ import annotations

import signal
import sys
from json import dumps
from typing import Annotated

import trio
from cyclopts import Parameter
from rich.console import Console

from tigercore.cli._exit import UsageError
from tigercore.cli.demo.calls import Ledger
from tigercore.cli.demo.play import play
from tigercore.cli.demo.summary import Summary, show
from tigercore.cli.demo.table import Screen
from tigercore.errors import TigerCoreError

_SHORTEST, _LONGEST = 3.0, 600.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_END = (
    "Shown: sealed accounts, living tokens, four strategies, failover, single orders.\n"
    "Next:  `tigercore init` for an installation of your own; docs/quickstart.md."
)


async def demo(
    *,
    seconds: Annotated[float, Parameter(help="How long to route calls, 3 to 600.")] = 20.0,
    json: Annotated[bool, Parameter(help="Print one JSON document.", negative=())] = False,
) -> None:
    """Show the framework at work on this machine, against a simulated gateway; nothing is kept.

    Half-way the gateway fails one developer, and later it is healed. It went well if no call for market data was lost
    meanwhile, and no order was carried out twice.

    :raises TigerCoreError: it did not, or could not begin.
    """
    if not _SHORTEST <= seconds <= _LONGEST:
        raise UsageError(f"--seconds {seconds:g}: give {_SHORTEST:g} to {_LONGEST:g}")
    console, ledger = Console(quiet=json), Ledger()
    summary = await _until_signalled(seconds, Screen(console), ledger)
    if json:
        print(dumps(summary.as_json()))
    else:
        show(summary, console)
        console.print(_END, highlight=False, markup=False)
    if faults := list(summary.faults()):
        raise TigerCoreError("; ".join(faults))


async def _until_signalled(seconds: float, screen: Screen, ledger: Ledger) -> Summary:
    """Play; a signal stops it at once, with all that was started and made."""
    ends: list[Summary | TigerCoreError | signal.Signals] = []
    with trio.open_signal_receiver(*_SIGNALS) as signals:
        async with trio.open_nursery() as nursery:

            async def perform() -> None:
                try:
                    ends.append(await play(seconds, screen, ledger))
                except TigerCoreError as error:
                    ends.append(error)
                nursery.cancel_scope.cancel()

            nursery.start_soon(perform)
            async for number in signals:
                ends.append(signal.Signals(number))
                nursery.cancel_scope.cancel()
    match ends[0]:
        case Summary() as summary:
            return summary
        case TigerCoreError() as error:
            raise error
        case number:
            told = f"{number.name} after {len(ledger.calls)} calls; everything was stopped and removed"
            print(f"tigercore: interrupted by {told}", file=sys.stderr)
            raise SystemExit(128 + number)
