"""The gateway of the demo: the simulator, in a process of its own."""

from __future__ import annotations

import importlib.util
import json
import sys
import urllib.request
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from subprocess import PIPE
from typing import Any, final

import attrs
import trio

from tigercore.errors import TigerCoreError

_READY, _STOP, _ADMIN = 30.0, 2.0, 5.0  # seconds that the simulator may take to start, to stop and to answer
_LINE_MOST = 1024 * 1024
_MISSING = (
    "the demo speaks to a gateway on this machine, which is not installed: install it with "
    "`pip install tigercore-simulator`"
)


@final
class SimulatorFailed(TigerCoreError):
    """The simulator is not installed, did not start, or ended while it was needed."""


@final
@attrs.frozen
class SimulatedDeveloper:
    """A developer whom the simulator knows, and the folders with the portal's files, one for each account."""

    tiger_id: str
    folders: tuple[Path, ...]


@final
@attrs.frozen
class Simulator:
    """A simulator that is ready."""

    admin: str
    developers: tuple[SimulatedDeveloper, ...]
    _process: trio.Process

    async def fail(self, tiger_id: str) -> None:
        """Answer every call of this developer with HTTP 503 from now on."""
        await self._ask("POST", "faults", {"kind": "http_5xx", "tiger_id": tiger_id, "count": None})

    async def heal(self) -> None:
        """Answer every call as usual again."""
        await self._ask("DELETE", "faults")

    async def orders(self) -> list[Mapping[str, Any]]:
        """Return every order that was carried out, whatever its client was told."""
        executed: list[Mapping[str, Any]] = (await self._ask("GET", "oracle"))["orders"]
        return executed

    async def ended(self) -> SimulatorFailed:
        """Wait until the process ends, and return what to say about it."""
        code = await self._process.wait()
        return SimulatorFailed(f"the simulator ended by itself with exit code {code}, so the demo cannot go on")

    async def _ask(self, verb: str, what: str, content: Any = None) -> Any:
        body = None if content is None else json.dumps(content).encode()
        request = urllib.request.Request(f"{self.admin}/{what}", body, method=verb)  # noqa: S310  (our own URL)
        try:
            return await trio.to_thread.run_sync(_open, request, abandon_on_cancel=True)
        except (OSError, ValueError) as error:
            raise SimulatorFailed(f"the simulator does not answer to {verb} {what}: {error}") from error


@asynccontextmanager
async def open_simulator(place: Path, *, developers: int, seed: int) -> AsyncIterator[Simulator]:
    """Run a simulator for the time of the block; it writes the portal's files into `place`.

    :raises SimulatorFailed: it is not installed, or not ready in time.
    """
    if importlib.util.find_spec("tigercore_simulator") is None:
        raise SimulatorFailed(_MISSING)
    command = [sys.executable, "-m", "tigercore_simulator", *_arguments(place, developers, seed)]
    with _log(place) as log:
        # In a group of its own, it does not hear the terminal's Ctrl-C: the demo itself stops it.
        process = await trio.lowlevel.open_process(
            command, stdin=PIPE, stdout=PIPE, stderr=log, cwd=place, process_group=0
        )
    try:
        yield _simulator(process, await _ready_line(process, place))
    finally:
        await _stop(process)


def _arguments(place: Path, developers: int, seed: int) -> Iterator[str]:
    chosen = {"port": 0, "developers": developers, "seed": seed, "out": place / "portal", "account-kind": "both"}
    for name, value in chosen.items():
        yield from (f"--{name}", str(value))
    yield "--until-stdin-closes"  # so that not even a kill of the demo leaves it behind


def _log(place: Path) -> Any:
    return _log_file(place).open("wb")


def _log_file(place: Path) -> Path:
    return place / "simulator.log"


async def _ready_line(process: trio.Process, place: Path) -> bytes:
    line = b""
    with trio.move_on_after(_READY):
        while process.stdout is not None and not line.endswith(b"\n") and len(line) < _LINE_MOST:
            chunk = await process.stdout.receive_some()
            if not chunk:
                raise SimulatorFailed(f"the simulator did not start: {_last_words(place)}")
            line += chunk
        return line
    raise SimulatorFailed(f"the simulator was not ready within {_READY:.0f} s: is this machine very busy?")


def _last_words(place: Path) -> str:
    lines = _log_file(place).read_text("utf-8", "replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")


def _simulator(process: trio.Process, line: bytes) -> Simulator:
    try:
        told = json.loads(line)
        developers = tuple(
            SimulatedDeveloper(each["tiger_id"], tuple(map(Path, each["directories"]))) for each in told["developers"]
        )
        return Simulator(told["admin"], developers, process)
    except (ValueError, LookupError, TypeError) as error:
        raise SimulatorFailed("the simulator speaks another dialect: install the version of this tigercore") from error


async def _stop(process: trio.Process) -> None:
    process.terminate()
    with trio.move_on_after(_STOP, shield=True) as patience:
        await process.wait()
    if patience.cancelled_caught:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()
    if process.stdout is not None:
        await trio.aclose_forcefully(process.stdout)


def _open(request: urllib.request.Request) -> Any:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # no proxy knows this machine's ports
    with direct.open(request, timeout=_ADMIN) as reply:
        return json.load(reply)
