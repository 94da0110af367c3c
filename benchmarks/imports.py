"""Row group 6: what a program, or a word on the command line, waits for before anything happens."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from statistics import median

from benchmarks.measure import Row, Scale

_IMPORT_MOST, _HELP_MOST = 200.0, 400.0  # ms
_TIMED = "import time; began = time.perf_counter(); {}; print(time.perf_counter() - began)"


async def rows(scale: Scale) -> AsyncIterator[Row]:
    """Import in new processes; run the command, start to end."""
    least, took = _beside(lambda: _timed("import attrs"), lambda: _timed("import tigercore"), scale.rounds)
    yield _row("import tigercore", took, least, "import attrs", _IMPORT_MOST)
    use = "from tigercore import open_tigercore"
    least, took = _beside(lambda: _timed("import trio"), lambda: _timed(use), scale.rounds)
    yield _row(use, took, least, "import trio", _IMPORT_MOST)
    least, took = _beside(lambda: _process("-c", "pass"), lambda: _process("-m", "tigercore", "--help"), scale.rounds)
    yield _row("tigercore --help", took, least, "python -c pass", _HELP_MOST)


def _row(name: str, took: float, least: float, against: str, most: float) -> Row:
    return Row("import", name, "ms", took, least, against, took, most, f"≤ {most:.0f} ms")


def _beside(floor: Callable[[], float], subject: Callable[[], float], rounds: int) -> tuple[float, float]:
    subject()  # the first one may still write byte code
    pairs = [(floor(), subject()) for _ in range(rounds)]
    return median(first for first, _ in pairs) * 1e3, median(second for _, second in pairs) * 1e3


def _timed(statement: str) -> float:
    return float(_run("-c", _TIMED.format(statement)))


def _process(*arguments: str) -> float:
    began = time.perf_counter()
    _run(*arguments)
    return time.perf_counter() - began


def _run(*arguments: str) -> str:
    return subprocess.run([sys.executable, *arguments], check=True, capture_output=True, text=True).stdout
