"""Time things next to their floor, and say how they compare."""

from __future__ import annotations

import gc
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from statistics import median
from typing import TypeAlias, final

import attrs

Work: TypeAlias = Callable[[], object]
AsyncWork: TypeAlias = Callable[[], Awaitable[object]]


@final
@attrs.frozen
class Scale:
    """How long to measure: so many rounds, each of about so many seconds."""

    rounds: int
    seconds: float


QUICK, FULL = Scale(rounds=5, seconds=0.05), Scale(rounds=9, seconds=0.25)


@final
@attrs.frozen
class Row:
    """One line of the table. `floor` is in the unit of `measured`; `judged` is the number that the target bounds."""

    group: str
    name: str
    unit: str
    measured: float
    floor: float
    against: str
    judged: float
    target: float
    target_text: str
    at_least: bool = False

    @property
    def ratio(self) -> float:
        return self.measured / self.floor

    @property
    def met(self) -> bool:
        return self.judged >= self.target if self.at_least else self.judged <= self.target


def beside(floor: Work, subject: Work, scale: Scale) -> tuple[float, float]:
    """Return the median seconds of one call of each. Their rounds take turns, so that noise meets both."""
    counts = [_count(work, scale.seconds) for work in (floor, subject)]
    rounds = [[_seconds(w, n) for w, n in zip((floor, subject), counts, strict=True)] for _ in range(scale.rounds)]
    first, second = zip(*rounds, strict=True)
    return median(first), median(second)


async def beside_async(floor: AsyncWork, subject: AsyncWork, scale: Scale) -> tuple[float, float]:
    """Do as `beside` with what must be awaited."""
    counts = [await _count_async(work, scale.seconds) for work in (floor, subject)]
    return await _in_turns(floor, subject, counts, scale.rounds)


async def beside_once(floor: AsyncWork, subject: AsyncWork, rounds: int) -> tuple[float, float]:
    """Do as `beside_async` with what uses something up, or takes long: each is called once in a round."""
    return await _in_turns(floor, subject, [1, 1], rounds)


async def _in_turns(floor: AsyncWork, subject: AsyncWork, counts: list[int], rounds: int) -> tuple[float, float]:
    times = [[await _seconds_async(w, n) for w, n in zip((floor, subject), counts, strict=True)] for _ in range(rounds)]
    first, second = zip(*times, strict=True)
    return median(first), median(second)


def probe() -> float:
    """Return the median milliseconds of a fixed piece of pure Python: how fast this machine is just now."""
    return median(_seconds(_spin, 1) for _ in range(15)) * 1e3


def _spin() -> int:
    total = 0
    for number in range(100_000):
        total += number % 7
    return total


def _count(work: Work, seconds: float) -> int:
    count = 1
    while (took := _seconds(work, count) * count) < seconds / 4:
        count *= 2
    return max(int(count * seconds / took), 1)


def _seconds(work: Work, count: int) -> float:
    with _no_collection():
        began = time.perf_counter_ns()
        for _ in range(count):
            work()
        return (time.perf_counter_ns() - began) / count / 1e9


async def _count_async(work: AsyncWork, seconds: float) -> int:
    count = 1
    while (took := await _seconds_async(work, count) * count) < seconds / 4:
        count *= 2
    return max(int(count * seconds / took), 1)


async def _seconds_async(work: AsyncWork, count: int) -> float:
    with _no_collection():
        began = time.perf_counter_ns()
        for _ in range(count):
            await work()
        return (time.perf_counter_ns() - began) / count / 1e9


@contextmanager
def _no_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
