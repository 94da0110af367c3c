"""What processes that may be killed at any moment have done: files to which each appends whole lines."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any, final

_VIOLATIONS, _TALLY, _RECEIVED = "violations.log", "tally.log", "received.log"


def violate(folder: Path, what: str) -> None:
    """Note that an invariant does not hold."""
    _append(folder / _VIOLATIONS, what)


def violations(folder: Path) -> list[str]:
    """Return what was noted, oldest first."""
    return _lines(folder / _VIOLATIONS)


def count(folder: Path, what: str, times: int = 1) -> None:
    """Note that something was done so many times more."""
    for _ in range(times):
        _append(folder / _TALLY, what)


def tally(folder: Path) -> Counter[str]:
    """Return how often each thing was done."""
    return Counter(_lines(folder / _TALLY))


def receive(folder: Path, what: str) -> None:
    """Note that something is safe with the one who received it."""
    _append(folder / _RECEIVED, what)


def received(folder: Path) -> set[str]:
    """Return all that must not be lost any more."""
    return set(_lines(folder / _RECEIVED))


@final
class Ledger:
    """The history of one writer: what it began to write, and what was acknowledged. It outlives its processes.

    A write that was begun and never acknowledged, as its process was killed, may or may not be there: both are right
    until the next acknowledgement.
    """

    def __init__(self, folder: Path, slot: int) -> None:
        self._path = folder / f"writer-{slot}.log"
        self._acknowledged: dict[str, Any] = {}
        self._pending: dict[str, list[Any]] = {}
        self.begun = 0
        for line in _lines(self._path):
            self._enter(*json.loads(line))

    def begin(self, place: str, value: Any) -> None:
        """Note, before it is tried, that a value is written to a place."""
        self._write("begin", place, value)

    def acknowledge(self, place: str, value: Any) -> None:
        """Note that the write has returned."""
        self._write("acknowledge", place, value)

    def places(self) -> list[str]:
        """Return every place that was written to."""
        return sorted(self._pending)

    def allowed(self, place: str) -> list[Any]:
        """Return what may stand there: what was acknowledged last, or what was begun since; None before all."""
        return [self._acknowledged.get(place), *self._pending.get(place, ())]

    def _write(self, *entry: Any) -> None:
        _append(self._path, json.dumps(entry))
        self._enter(*entry)

    def _enter(self, step: str, place: str, value: Any) -> None:
        self._pending.setdefault(place, [])
        if step == "begin":
            self.begun += 1
            self._pending[place].append(value)
        else:
            self._acknowledged[place] = value
            self._pending[place].clear()


def _append(path: Path, line: str) -> None:
    """Write a line by one system call: SIGKILL takes none of what was written."""
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, line.replace("\n", " | ").encode() + b"\n")
    finally:
        os.close(file)


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []
