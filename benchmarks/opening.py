"""Row group 5: how long it takes until a program with many accounts can make its first call, and what it holds then."""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import trio
from sqlalchemy import Engine, select

from benchmarks.backends import Backend, backends, plain_engine
from benchmarks.installation import install, populate
from benchmarks.measure import Row, Scale
from tigercore import Settings, open_tigercore
from tigercore_sql.tables import ACCOUNT, TOKEN

_MOST = {1_000: 150.0, 10_000: 1_200.0}  # ms
_HELD = 6.0  # KiB; 2 of them are sealed bytes
_AGAINST = "Core, SELECT both tables"


async def rows(scale: Scale) -> AsyncIterator[Row]:
    """Open a store, in turn with reading the same rows from it without making anything of them."""
    with backends() as found:
        for backend in found:
            for count, most in _MOST.items():
                for row in await _rows(backend, count, most, min(scale.rounds, 7)):
                    yield row


async def _rows(backend: Backend, count: int, most: float, rounds: int) -> list[Row]:
    url = backend.new()
    with TemporaryDirectory() as place, plain_engine(url) as engine:
        settings = await install(Path(place), url)
        await populate(settings, count)
        pairs = [(await _read(engine) * 1e3, await _open(settings) * 1e3) for _ in range(rounds)]
        least, took = (median(side) for side in zip(*pairs, strict=True))
        row = Row(
            "open", f"{backend.name}: {count:,} accounts", "ms", took, least, _AGAINST, took, most, f"≤ {most:,.0f} ms"
        )
        return [row] if count < max(_MOST) else [row, await _memory(backend, settings, engine, count)]


async def _open(settings: Settings) -> float:
    began = time.perf_counter()
    async with open_tigercore(settings):
        return time.perf_counter() - began


async def _read(engine: Engine) -> float:
    began = time.perf_counter()
    await trio.to_thread.run_sync(_select, engine)
    return time.perf_counter() - began


def _select(engine: Engine) -> list[Any]:
    with engine.connect() as connection:
        return [connection.execute(select(table)).all() for table in (ACCOUNT, TOKEN)]


async def _memory(backend: Backend, settings: Settings, engine: Engine, count: int) -> Row:
    """Count the bytes that Python holds for an account; what is loaded once is loaded by now."""
    tracemalloc.start()
    try:
        kept = _select(engine)
        least = traced() / count
        del kept
        before = traced()
        async with open_tigercore(settings):
            held = (traced() - before) / count
    finally:
        tracemalloc.stop()
    return Row(
        "open", f"{backend.name}: memory of an account", "KiB", held, least, _AGAINST, held, _HELD, f"≤ {_HELD:.0f} KiB"
    )


def traced() -> float:
    gc.collect()
    return tracemalloc.get_traced_memory()[0] / 1024
