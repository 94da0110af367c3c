"""What is known of each account's calls: usage, latency, errors, and whether it is left out for a while.

Pure but for an injected clock. The statistics live on the `Candidate`s that strategies read.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import final
from uuid import UUID

import attrs

from tigercore.clock import Clock
from tigercore.model import AccountStatistics
from tigercore.ports import Candidate

_FADE = 60.0  # seconds after which a call weighs 1/e of a fresh one: the gateway's own window
_SETTLE = 10.0  # seconds in which a latency peak fades to 1/e
_EJECT_AFTER = 5  # failures in a row
_EJECT_MOST = 10  # the n-th ejection in a row lasts n times as long as the first, but no longer than this many


@final
@attrs.define
class _Record:
    touched: float = 0.0
    calls: int = 0
    failures: int = 0
    in_a_row: int = 0
    row_began: float = 0.0
    ejections: int = 0
    ejected_until: float = -math.inf


@final
class Health:
    """Keep the live statistics of candidates."""

    def __init__(self, clock: Clock, eject_seconds: float) -> None:
        self._clock = clock
        self._eject_seconds = eject_seconds
        self._resting: frozenset[UUID] = frozenset()
        self._next_back = math.inf
        self._records: dict[UUID, _Record] = {}
        self._used: dict[UUID, Candidate] = {}
        self._landmark = clock.monotonic()
        self._last_success: tuple[float, UUID | None] = (-math.inf, None)

    def record(self, account_id: UUID) -> _Record:
        """Return the record of an account, empty if there is none."""
        return self._records.setdefault(account_id, _Record())

    def resting(self) -> frozenset[UUID]:
        """Return the accounts that are left out for now: the very same set until one comes or goes."""
        if self._resting and self._next_back <= (now := self._clock.monotonic()):
            if back := {i for i in self._resting if self._records[i].ejected_until <= now}:
                self._resting -= back
            self._next_back = min((self._records[i].ejected_until for i in self._resting), default=math.inf)
        return self._resting

    def started(self, candidate: Candidate) -> float:
        """Count a call that leaves now, and return the moment."""
        now = self._clock.monotonic()
        candidate.in_flight += 1
        candidate.usage += self._weight(now)
        self._used[candidate.account.id] = candidate
        return now

    def released(self, candidate: Candidate) -> None:
        """Count a call that is over, however it ended."""
        candidate.in_flight -= 1

    def succeeded(self, candidate: Candidate, milliseconds: float) -> None:
        """Learn from an answer: a slow one counts at once, a fast one slowly."""
        record, now = self.record(candidate.account.id), self._clock.monotonic()
        record.calls += 1
        record.in_a_row = record.ejections = 0
        if candidate.account.id in self._resting:
            self._resting -= {candidate.account.id}
        self._last_success = (now, candidate.account.id)
        self._learn(candidate, milliseconds, 0.0, now)

    def failed(self, candidate: Candidate, milliseconds: float) -> float:
        """Learn from a failure; return for how many seconds the account is left out, 0.0 if it is not."""
        record, now = self.record(candidate.account.id), self._clock.monotonic()
        record.calls += 1
        record.failures += 1
        record.row_began = now if record.in_a_row == 0 else record.row_began
        record.in_a_row += 1
        self._learn(candidate, milliseconds, 1.0, now)
        if record.in_a_row % _EJECT_AFTER:
            return 0.0
        record.ejections += 1
        seconds = self._eject_seconds * min(record.ejections, _EJECT_MOST)
        record.ejected_until = now + seconds
        self._resting |= {candidate.account.id}
        self._next_back = min(self._next_back, record.ejected_until)
        return seconds

    def stands_alone(self, account_id: UUID) -> bool:
        """Say whether another account has succeeded since this one began to fail: then the fault is the account's."""
        when, who = self._last_success
        return who != account_id and when >= self.record(account_id).row_began

    def observe(self, candidate: Candidate, milliseconds: float) -> None:
        """Learn a response time that the caller has measured."""
        self._learn(candidate, milliseconds, candidate.error_rate, self._clock.monotonic())

    def statistics(self, candidates: Sequence[Candidate]) -> list[AccountStatistics]:
        """Sum up what was seen of each candidate; `share` is its part of all calls."""
        records = [self.record(candidate.account.id) for candidate in candidates]
        total = sum(record.calls for record in records) or 1
        return [
            AccountStatistics(
                c.account.id,
                c.account.account_name,
                record.calls,
                record.failures,
                record.calls / total,
                c.in_flight,
                c.latency,
                c.error_rate,
                c.account.id in self.resting(),
            )
            for c, record in zip(candidates, records, strict=True)
        ]

    def _learn(self, candidate: Candidate, milliseconds: float, error: float, now: float) -> None:
        record = self.record(candidate.account.id)
        elapsed, record.touched = max(now - record.touched, 0.0), now
        keep = min(math.exp(-elapsed / _SETTLE), 0.9)
        calmed = candidate.latency * keep + milliseconds * (1 - keep)
        candidate.latency = milliseconds if candidate.latency == 0.0 else max(milliseconds, calmed)
        candidate.error_rate += (error - candidate.error_rate) * 0.1

    def _weight(self, now: float) -> float:
        """Return what a call counts now. Newer calls count more instead of older ones less, so that idle accounts
        need no touch; once in a while all are brought down together, before the numbers grow large.
        """
        if now - self._landmark > 10 * _FADE:
            scale, self._landmark = math.exp(-(now - self._landmark) / _FADE), now
            for candidate in self._used.values():
                candidate.usage *= scale
        return math.exp((now - self._landmark) / _FADE)
