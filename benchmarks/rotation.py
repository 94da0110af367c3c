"""Row group 7: how fast everything is sealed again with a new key."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.installation import install, populate
from benchmarks.measure import FULL, Row, Scale, beside
from benchmarks.seal import raw
from tigercore import Settings, open_tigercore

_LEAST = 5_000.0  # sealed fields a second
_FIELDS = 2  # an account has its credentials and its token


async def rows(scale: Scale) -> AsyncIterator[Row]:
    """Rotate the key of an SQLite installation: stage, activate, seal again, verify, retire."""
    fields = 100_000 if scale is FULL else 10_000
    with TemporaryDirectory() as place:
        settings = await install(Path(place))
        await populate(settings, fields // _FIELDS)
        rewrapped, whole = await _rotate(settings)
    least, _ = beside(raw(), lambda: os.urandom(1), scale)
    floor, against = 1 / least, "raw seal + open of 1.7 KB"
    for name, seconds in (("sealed again", rewrapped), ("the whole rotation", whole)):
        rate = fields / seconds
        target = f"≥ {_LEAST:,.0f} /s"
        yield Row(
            "rotate", f"{fields:,} fields, {name}", "1/s", rate, floor, against, rate, _LEAST, target, at_least=True
        )


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
