"""Account stores whose log or feed of changes is wrong. Each breaks the laws that it names, and keeps all others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
import trio

from tests.laws._store_base import Broken, Right, laws
from tigercore.ports import AuditLine, Change, DriverContext, Put, Remove, TokenAttempt

# -- attempts and audit lines ------------------------------------------------------------------------------


class TestLosesDetails(Broken):
    breaks = laws("test_an_attempt_comes_back_as_it_was test_an_attempt_that_is_recorded_again_is_replaced")

    class Driver(Right):
        async def token_attempts(self, *args: Any, **kwargs: Any) -> list[TokenAttempt]:
            return [attrs.evolve(row, detail="") for row in await self.inner.token_attempts(*args, **kwargs)]


class TestTellsEveryAttemptOldestFirst(Broken):
    breaks = laws(
        "test_attempts_come_newest_first test_attempts_come_of_one_account "
        "test_attempts_come_since_a_moment_and_with_it test_attempts_come_up_to_the_limit"
    )

    class Driver(Right):
        async def token_attempts(self, *args: Any, **kwargs: Any) -> list[TokenAttempt]:
            return (await self.inner.token_attempts())[::-1]


class TestTellsTheLastAuditLinesFirst(Broken):
    breaks = laws("test_audit_lines_are_numbered_in_their_order test_audit_lines_come_by_pages")

    class Driver(Right):
        async def audit(self, *, after: int = 0, limit: int = 1000) -> list[AuditLine]:
            return (await self.inner.audit(after=after, limit=limit))[::-1]


class TestGivesAuditNumbersTwice(Broken):
    breaks = laws("test_audit_lines_are_numbered_in_their_order test_audit_lines_come_by_pages")

    class Driver(Right):
        async def audit(self, *, after: int = 0, limit: int = 1000) -> list[AuditLine]:
            lines = await self.inner.audit(after=after, limit=limit)
            return [AuditLine((line.number + 1) // 2, line.entry) for line in lines]


class TestRemovesTheLogsToo(Broken):
    breaks = laws("test_remove_leaves_attempts_and_audit_lines")

    class Driver(Right):
        removed = False

        async def apply(self, changes: Sequence[Change]) -> int:
            revision = await self.inner.apply(changes)
            self.removed = any(isinstance(change, Remove) for change in changes)
            return revision

        async def token_attempts(self, *args: Any, **kwargs: Any) -> list[TokenAttempt]:
            found = await self.inner.token_attempts(*args, **kwargs)
            return [] if self.removed else found


# -- the feed ----------------------------------------------------------------------------------------------


class TestCountsNoRevisionForALogLine(Broken):
    breaks = laws("test_the_revision_grows_with_every_batch")

    class Driver(Right):
        async def apply(self, changes: Sequence[Change]) -> int:
            revision = await self.inner.apply(changes)
            return revision if any(isinstance(change, Put) for change in changes) else revision - 1


class TestSpeaksWithoutAChange(Broken):
    breaks = laws(
        "test_a_feed_is_silent_while_nobody_writes test_a_write_wakes_who_waits "
        "test_a_write_through_another_handle_wakes_who_waits"
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
        "test_a_claim_leaves_the_revision_as_it_is "
        "test_a_stale_change_leaves_nothing_of_its_neighbours test_the_revision_grows_with_every_batch "
        "test_what_was_written_survives_reopening test_a_batch_that_was_cancelled_before_it_began_writes_nothing "
        "test_a_floor_above_an_account_that_stands_is_stale test_a_purge_keeps_everything_that_is_stored "
        "test_a_row_below_the_floor_leaves_nothing_of_its_neighbours "
        "test_one_stale_row_among_many_of_its_kind_leaves_nothing_of_them "
        "test_a_batch_that_is_cancelled_is_there_as_a_whole_or_not_at_all"
    )

    class Driver(Right):
        async def wait_for_change(self, after: int) -> int:
            if after < 0:
                raise ValueError("a revision is not negative")
            return await self.inner.wait_for_change(after)
