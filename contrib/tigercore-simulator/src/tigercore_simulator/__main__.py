"""Run the simulator from the command line."""

import errno
import json
import os
import signal
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable
from math import isfinite
from pathlib import Path
from typing import Any, NoReturn

import trio

from tigercore_simulator import portal
from tigercore_simulator.consent import Answer, Consent
from tigercore_simulator.grants import Terms
from tigercore_simulator.limits import DOCUMENTED, UNLIMITED
from tigercore_simulator.simulator import Simulator, open_simulator

_MOST_DEVELOPERS = 1000
_PORT_TROUBLE = (errno.EADDRINUSE, errno.EACCES, errno.EADDRNOTAVAIL)


def main(arguments: list[str] | None = None) -> int:
    """Serve until interrupted, and return the exit code."""
    wanted = parser().parse_args(arguments)
    failures: list[OSError] = []
    try:
        trio.run(_serve, wanted)
    except* OSError as group:
        failures += _leaves(group)
    except* KeyboardInterrupt:
        pass
    return _explain(wanted, failures[0]) if failures else 0


async def _serve(wanted: Namespace) -> None:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with open_simulator(**options(wanted)) as simulator:
            directories = simulator.write(wanted.out, wanted.account_kind)
            print(json.dumps(_ready(simulator, directories)), flush=True)
            async with trio.open_nursery() as nursery:
                if wanted.until_stdin_closes:
                    nursery.start_soon(_until_stdin_closes, nursery.cancel_scope)
                async for _ in signals:
                    nursery.cancel_scope.cancel()


async def _until_stdin_closes(scope: trio.CancelScope) -> None:
    """End with the program that started this one, however that ends."""
    async with trio.lowlevel.FdStream(os.dup(sys.stdin.fileno())) as stdin:
        while await stdin.receive_some():
            pass
    scope.cancel()


def _ready(simulator: Simulator, directories: dict[str, tuple[Path, ...]]) -> dict[str, object]:
    rows = []
    for each in simulator.developers:
        places = [str(place.resolve()) for place in directories[each.tiger_id]]
        row = {"tiger_id": each.tiger_id, "license": each.license, "accounts": each.accounts, "directory": places[0]}
        rows.append(row if len(places) == 1 else {**row, "directories": places})
    addresses = {"url": simulator.url, "admin": simulator.admin, "issuer": simulator.issuer.url}
    return addresses | {"developers": rows}


def options(wanted: Namespace) -> dict[str, Any]:
    """Return what a command line asks of ``open_simulator``."""
    consent = Consent(answer=wanted.consent)
    return {
        "developers": wanted.developers,
        "seed": wanted.seed,
        "port": wanted.port,
        "limits": UNLIMITED if wanted.unlimited else DOCUMENTED,
        "token_lifetime": wanted.token_life,
        "token_grace": wanted.token_grace,
        "token_lenient": wanted.token_lenient,
        "terms": Terms(wanted.access_life, refresh_grace=wanted.refresh_grace, consent=consent),
        "clock_offset": wanted.clock_offset,
    }


class _Parser(ArgumentParser):
    def error(self, message: str) -> NoReturn:
        # One line says what to do; the usage is a --help away.
        self.exit(2, f"{self.prog}: {message}; see --help\n")


def parser() -> ArgumentParser:
    """Return what reads the command line."""
    parser = _Parser(prog="tigercore_simulator", description="Tiger Brokers' gateway on a local port.")
    parser.add_argument("--port", type=_bounded(0, 65_535), default=0, help="0, the default, takes any free port")
    parser.add_argument("--developers", type=_bounded(1, _MOST_DEVELOPERS), default=3)
    parser.add_argument("--out", type=Path, required=True, help="where the developers' files go")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--account-kind", choices=portal.KINDS, default="paper", help="which account the files name")
    parser.add_argument("--token-life", type=_seconds, default=30 * 86_400.0, help="seconds a token lives")
    parser.add_argument("--token-grace", type=_seconds, default=0.0, help="seconds a rotated token stays good")
    parser.add_argument("--token-lenient", action="store_true", help="let a rotated token be refreshed")
    parser.add_argument("--access-life", type=_seconds, default=3600.0, help="seconds an OAuth 2.0 access token lives")
    parser.add_argument(
        "--refresh-grace", type=_seconds, default=0.0, help="seconds a rotated refresh token stays good"
    )
    parser.add_argument("--consent", choices=list(Answer), default=Answer.ALLOW, help="what OAuth 2.0 clients are told")
    parser.add_argument("--clock-offset", type=_offset, default=0.0, help="seconds the gateway's clock is ahead")
    parser.add_argument("--until-stdin-closes", action="store_true", help="end when the standard input does")
    parser.add_argument("--unlimited", action="store_true", help="switch the request limits off")
    return parser


def _bounded(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isdecimal() or not low <= int(text) <= high:
            raise ArgumentTypeError(f"{text} is not a whole number from {low} to {high}")
        return int(text)

    return read


def _seconds(text: str) -> float:
    seconds = _offset(text)
    if seconds < 0:
        raise ArgumentTypeError(f"{text} is not a number of seconds from 0 on")
    return seconds


def _offset(text: str) -> float:
    seconds = float(text)
    if not isfinite(seconds):
        raise ArgumentTypeError(f"{text} is not a number of seconds")
    return seconds


def _leaves(group: BaseExceptionGroup[OSError]) -> list[OSError]:
    found: list[OSError] = []
    for each in group.exceptions:
        found += _leaves(each) if isinstance(each, BaseExceptionGroup) else [each]
    return found


def _explain(wanted: Namespace, failure: OSError) -> int:
    if failure.filename:
        advice = f"cannot write {failure.filename}: {failure.strerror}; give --out a directory you may write to"
    elif failure.errno not in _PORT_TROUBLE:
        advice = f"stopped: {failure}; start it again"
    else:
        advice = f"cannot listen on port {wanted.port}: {failure.strerror}; give --port another port, or 0 for any"
    print(f"tigercore_simulator: {advice}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
