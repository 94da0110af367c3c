"""Account stores that write records alone wrongly. Each breaks the laws that it names, and keeps all others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import trio

from tests.laws._store_base import Broken, Right, laws, only_records
from tigercore.errors import StoreUnavailable
from tigercore.ports import AttemptStatistics, AuditLine, Change, DriverContext, Record, TokenAttempt


class Grouping(Right):
    """Do something else with a batch of records alone."""

    async def apply(self, changes: Sequence[Change]) -> int:
        return await (self.record(changes) if only_records(changes) else self.inner.apply(changes))

    async def record(self, changes: Sequence[Change]) -> int:
        raise NotImplementedError


class TestKeepsRecordsForLater(Broken):
    breaks = laws(
        "test_a_record_is_there_for_others_when_apply_returns test_of_many_concurrent_records_each_is_there_once "
        "test_concurrent_records_of_one_task_come_in_its_order"
    )

    class Driver(Grouping):
        def __init__(self, options: Any, context: DriverContext) -> None:
            super().__init__(options, context)
            self.kept: list[Change] = []

        async def record(self, changes: Sequence[Change]) -> int:
            revision = await self.inner.wait_for_change(-1)
            self.kept += changes
            return revision

        async def flush(self) -> None:
            kept, self.kept = self.kept, []
            await self.inner.apply(kept)

        async def audit(self, *, after: int = 0, limit: int = 1000) -> list[AuditLine]:
            await self.flush()
            return await self.inner.audit(after=after, limit=limit)

        async def token_attempts(self, *args: Any, **kwargs: Any) -> list[TokenAttempt]:
            await self.flush()
            return await self.inner.token_attempts(*args, **kwargs)

        async def attempt_statistics(self, *args: Any, **kwargs: Any) -> AttemptStatistics:
            await self.flush()
            return await self.inner.attempt_statistics(*args, **kwargs)


class TestLosesALineWhenTwoAreWritten(Broken):
    breaks = laws(
        "test_of_many_concurrent_records_each_is_there_once test_concurrent_records_of_one_task_come_in_its_order "
        "test_records_that_cannot_be_held_take_no_neighbour_with_them"
    )

    class Driver(Grouping):
        def __init__(self, options: Any, context: DriverContext) -> None:
            super().__init__(options, context)
            self.waiting: list[Sequence[Change]] = []

        async def record(self, changes: Sequence[Change]) -> int:
            self.waiting.append(changes)
            await trio.lowlevel.checkpoint()
            if not self.waiting:
                return await self.inner.wait_for_change(-1)
            last, self.waiting = self.waiting[-1], []
            return await self.inner.apply(last)


class TestDrawsNumbersFromTwoBlocks(Broken):
    """As two connections do, of which each keeps a block of the numbers to itself."""

    breaks = laws(
        "test_concurrent_records_of_one_task_come_in_its_order test_who_follows_the_audit_log_misses_no_line "
        "test_audit_lines_are_numbered_in_their_order test_audit_lines_come_by_pages"
    )

    class Driver(Right):
        async def audit(self, *, after: int = 0, limit: int = 1000) -> list[AuditLine]:
            lines = [AuditLine(self.drawn(line.number), line.entry) for line in await self.inner.audit()]
            return [line for line in sorted(lines, key=lambda line: line.number) if line.number > after][:limit]

        def drawn(self, number: int) -> int:
            return number // 2 + number % 2 * 1000


class TestFailsTheNeighboursOfWhatItCannotHold(Broken):
    breaks = laws("test_records_that_cannot_be_held_take_no_neighbour_with_them")

    class Driver(Grouping):
        writing = 0
        failed = False

        async def record(self, changes: Sequence[Change]) -> int:
            self.failed |= not all(_is_held(change) for change in changes)
            await trio.lowlevel.checkpoint()  # the group gathers
            if self.failed:
                raise StoreUnavailable("the group cannot be held")
            return await self.inner.apply(changes)


class TestDropsTheGroupOfALeaderThatIsCancelled(Broken):
    breaks = laws("test_records_that_are_cancelled_take_no_neighbour_with_them")

    class Driver(Grouping):
        group: list[Change] | None = None

        async def record(self, changes: Sequence[Change]) -> int:
            if self.group is None:
                return await self.lead(list(changes))
            self.group += changes
            return await self.inner.wait_for_change(-1)

        async def lead(self, group: list[Change]) -> int:
            self.group = group
            try:
                for _ in range(20):
                    await trio.lowlevel.checkpoint()
                return await self.inner.apply(group)
            finally:
                self.group = None


def _is_held(change: Change) -> bool:
    text = repr(change.entry) if isinstance(change, Record) else ""
    return "\\ud800" not in text and "\\x00" not in text
