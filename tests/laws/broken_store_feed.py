"""Account stores whose feed of changes is wrong. Each breaks the laws that it names, and keeps all others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import trio

from tests.laws._store_base import Broken, Right, count_one_more, laws, only_records
from tigercore.ports import Change, DriverContext, Remove


class TestCountsARevisionForALogLine(Broken):
    breaks = laws(
        "test_records_alone_leave_the_revision_as_it_is test_records_alone_wake_nobody test_a_delta_tells_no_records"
    )

    class Driver(Right):
        async def apply(self, changes: Sequence[Change]) -> int:
            revision = await self.inner.apply(changes)
            return count_one_more(self) if only_records(changes) else revision


class TestCountsARemovalTwice(Broken):
    breaks = laws("test_the_revision_grows_by_one_with_every_batch_of_rows")

    class Driver(Right):
        async def apply(self, changes: Sequence[Change]) -> int:
            revision = await self.inner.apply(changes)
            return count_one_more(self) if any(isinstance(change, Remove) for change in changes) else revision


class TestSpeaksWithoutAChange(Broken):
    breaks = laws(
        "test_a_feed_is_silent_while_nobody_writes test_a_write_wakes_who_waits "
        "test_a_write_through_another_handle_wakes_who_waits test_records_alone_wake_nobody "
        "test_a_claim_wakes_who_waits"
    )

    class Driver(Right):
        async def wait_for_change(self, after: int) -> int:
            return await self.inner.wait_for_change(-1)


class TestHearsItsOwnWritesOnly(Broken):
    breaks = laws("test_a_write_through_another_handle_wakes_who_waits")

    class Driver(Right):
        def __init__(self, options: Any, context: DriverContext) -> None:
            super().__init__(options, context)
            self.wrote = trio.Event()

        async def apply(self, changes: Sequence[Change]) -> int:
            revision = await self.inner.apply(changes)
            self.wrote.set()
            return revision

        async def wait_for_change(self, after: int) -> int:
            if after == await self.inner.wait_for_change(-1):
                await self.wrote.wait()
            return await self.inner.wait_for_change(after)


class TestWaitsForTheNextWriteAlways(Broken):
    breaks = laws("test_a_change_that_was_there_is_not_waited_for")

    class Driver(Right):
        async def wait_for_change(self, after: int) -> int:
            return await self.inner.wait_for_change(
                max(after, await self.inner.wait_for_change(-1)) if after >= 0 else -1
            )


class TestKnowsNoMinusOne(Broken):
    breaks = laws(
        "test_waiting_for_a_change_after_minus_one_returns_at_once test_a_new_store_is_empty "
        "test_a_claim_of_nothing_leaves_the_revision_as_it_is "
        "test_a_stale_change_leaves_nothing_of_its_neighbours "
        "test_the_revision_grows_by_one_with_every_batch_of_rows test_what_was_written_survives_reopening "
        "test_a_batch_that_was_cancelled_before_it_began_writes_nothing "
        "test_a_floor_above_an_account_that_stands_is_stale test_a_purge_keeps_everything_that_is_stored "
        "test_a_row_below_the_floor_leaves_nothing_of_its_neighbours "
        "test_one_stale_row_among_many_of_its_kind_leaves_nothing_of_them "
        "test_a_batch_that_is_cancelled_is_there_as_a_whole_or_not_at_all "
        "test_a_delta_names_the_revision_that_stands test_a_delta_that_is_cancelled_does_no_harm "
        "test_records_alone_leave_the_revision_as_it_is test_a_claim_of_many_is_one_revision"
    )

    class Driver(Right):
        async def wait_for_change(self, after: int) -> int:
            if after < 0:
                raise ValueError("a revision is not negative")
            return await self.inner.wait_for_change(after)
