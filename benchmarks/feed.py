"""Row group 10: how soon the other processes know what one of them has written."""

from __future__ import annotations

import random
import time
from collections.abc import AsyncIterator
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import trio

from benchmarks.backends import Backend, backends
from benchmarks.installation import install, populate
from benchmarks.measure import FULL, Row, Scale
from benchmarks.processes import follow, process
from tigercore import Tigercore, open_tigercore

_MOST = {"SQLite": 300.0, "PostgreSQL": 100.0}  # ms
_ACCOUNTS = 1_000
_PAUSE = 0.3  # seconds at most: a change meets every moment between two looks


async def rows(scale: Scale) -> AsyncIterator[Row]:
    """Change an account; another process follows with an engine of its own."""
    with backends() as found:
        for backend in found:
            for row in await _rows(backend, 50 if scale is FULL else 15):
                yield row


async def _rows(backend: Backend, changes: int) -> list[Row]:
    url, most = backend.new(), _MOST[backend.name]
    with TemporaryDirectory() as place:
        settings = await install(Path(place), url)
        await populate(settings, _ACCOUNTS)
        with process(follow, Path(place), url) as pipe:
            async with open_tigercore(settings) as tiger:
                times = await _followed(tiger, pipe, changes)
    written, seen = (sorted(seconds * 1e3 for seconds in side) for side in zip(*times, strict=True))
    against, target = "the write itself, p50", f"≤ {most:.0f} ms"
    told = {"p50": median(seen), "p99": seen[int(len(seen) * 0.99)]}
    return [
        Row("feed", f"{backend.name}: known elsewhere, {which}", "ms", ms, median(written), against, ms, most, target)
        for which, ms in told.items()
    ]


async def _followed(tiger: Tigercore, pipe: Connection, changes: int) -> list[tuple[float, float]]:
    """Return of each change the seconds until it was written, and until the other process knew it."""
    first, pauses = (await tiger.accounts.list_accounts())[0].id, random.Random(1)
    times = []
    for number in range(changes):
        await trio.sleep(pauses.uniform(0, _PAUSE))
        began = time.monotonic()
        await tiger.accounts.update_account(first, {"description": f"change {number}"})
        written = time.monotonic()
        _, known = await trio.to_thread.run_sync(pipe.recv)
        times.append((written - began, known - began))
    return times
