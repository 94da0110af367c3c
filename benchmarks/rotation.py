"""Row group 7: how fast everything is sealed again with a new key, and how long others wait for it."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Callable
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.backends import Backend, backends
from benchmarks.installation import install, populate
from benchmarks.measure import FULL, Row, Scale, beside
from benchmarks.processes import process, rotate
from benchmarks.seal import raw
from tigercore import Settings, Tigercore, open_tigercore

_LEAST = {"SQLite": 5_000.0, "PostgreSQL": 2_000.0}  # sealed fields a second
_FIELDS = 2  # an account has its credentials and its token
_MANY = {"SQLite": 100_000, "PostgreSQL": 20_000}
_LATE = 100.0  # ms that an update may take while another process rotates


async def rows(scale: Scale) -> AsyncIterator[Row]:
    """Rotate the key of an installation: stage, activate, seal again, verify, retire."""
    with backends() as found:
        for backend in found:
            for row in [*await _rotations(backend, scale), await _updates(backend, 5_000 if scale is FULL else 2_000)]:
                yield row


async def _rotations(backend: Backend, scale: Scale) -> list[Row]:
    fields = _MANY[backend.name] if scale is FULL else 10_000
    with TemporaryDirectory() as place:
        settings = await install(Path(place), backend.new())
        await populate(settings, fields // _FIELDS)
        rewrapped, whole = await _rotate(settings)
    least, _ = beside(raw(), lambda: os.urandom(1), scale)
    wanted = _LEAST[backend.name]
    against, target = "raw seal + open of 1.7 KB", f"≥ {wanted:,.0f} /s"
    name = f"{backend.name}: {fields:,} fields"
    return [
        Row("rotate", f"{name}, {which}", "1/s", rate, 1 / least, against, rate, wanted, target, at_least=True)
        for which, rate in (("sealed again", fields / rewrapped), ("all of it", fields / whole))
    ]


async def _rotate(settings: Settings) -> tuple[float, float]:
    """Return the seconds of sealing alone, and of all."""
    ended = 0.0

    def progress(done: int, total: int) -> None:
        nonlocal ended
        if done == total:
            ended = time.perf_counter()

    async with open_tigercore(settings) as tiger:
        began = time.perf_counter()
        await tiger.keys.rotate(progress=progress)
        return ended - began, time.perf_counter() - began


async def _updates(backend: Backend, accounts: int) -> Row:
    """Change one account after another here, alone and while another process rotates."""
    url = backend.new()
    with TemporaryDirectory() as place:
        settings = await install(Path(place), url)
        await populate(settings, accounts)
        async with open_tigercore(settings) as tiger:
            with process(rotate, Path(place), url) as pipe:
                ends = time.monotonic() + 2
                alone = await _p99(tiger, lambda: time.monotonic() > ends)
                pipe.send("go")
                late = await _p99(tiger, pipe.poll)
                pipe.recv()  # else it was not done, but has failed
    name, target = f"{backend.name}: update beside it, {accounts:,} accounts", f"≤ {_LATE:.0f} ms"
    return Row("rotate", name, "ms", late, alone, "the same alone, p99 both", late, _LATE, target)


async def _p99(tiger: Tigercore, ended: Callable[[], bool]) -> float:
    """Return the milliseconds of an update."""
    accounts, took = cycle(await tiger.accounts.list_accounts()), list[float]()
    while not ended():
        began = time.perf_counter()
        await tiger.accounts.update_account(next(accounts).id, {"description": f"change {len(took)}"})
        took.append(time.perf_counter() - began)
    return sorted(took)[int(len(took) * 0.99)] * 1e3
