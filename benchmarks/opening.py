"""Row group 5: how long it takes until a program with many accounts can make its first call."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.installation import install, populate
from benchmarks.measure import Row, Scale
from tigercore import Settings, open_tigercore

_MOST = {1_000: 150.0, 10_000: 1_200.0}  # ms


async def rows(scale: Scale) -> AsyncIterator[Row]:
    """Open an SQLite file, in turn with reading the same rows from it without making anything of them."""
    for count, most in _MOST.items():
        with TemporaryDirectory() as place:
            settings = await install(Path(place))
            await populate(settings, count)
            least, took = await _beside(settings, Path(place) / "tigercore.db", min(scale.rounds, 7))
        against = "sqlite3, both tables"
        yield Row("open", f"{count:,} accounts", "ms", took, least, against, took, most, f"≤ {most:,.0f} ms")


async def _beside(settings: Settings, file: Path, rounds: int) -> tuple[float, float]:
    pairs = [(_read(file) * 1e3, await _open(settings) * 1e3) for _ in range(rounds)]
    return median(floor for floor, _ in pairs), median(took for _, took in pairs)


async def _open(settings: Settings) -> float:
    began = time.perf_counter()
    async with open_tigercore(settings):
        return time.perf_counter() - began


def _read(file: Path) -> float:
    began = time.perf_counter()
    with closing(sqlite3.connect(file)) as connection:
        for table in ("tc_account", "tc_token"):
            connection.execute(f"SELECT * FROM {table}").fetchall()
        return time.perf_counter() - began
