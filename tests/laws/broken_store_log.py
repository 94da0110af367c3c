"""Account stores whose log is wrong. Each breaks the laws that it names, and keeps all others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import attrs
import trio

from tests.laws._store_base import Broken, Right, laws
from tigercore.model import TokenRefreshStatus
from tigercore.ports import AuditLine, Change, DriverContext, Record, Remove, TokenAttempt

_OF_ONE_STATUS = laws(
    "test_attempts_come_of_one_status test_an_attempt_that_is_recorded_again_is_of_its_new_status "
    "test_attempts_of_one_status_come_of_one_account_and_since_a_moment test_pages_of_attempts_are_of_one_status "
    "test_the_limit_counts_attempts_of_the_status_that_was_asked "
    "test_a_page_of_one_status_may_stand_behind_an_attempt_of_another"
)


class TestLosesDetails(Broken):
    breaks = laws("test_an_attempt_comes_back_as_it_was test_an_attempt_that_is_recorded_again_is_replaced")

    class Driver(Right):
        async def token_attempts(self, *args: Any, **kwargs: Any) -> list[TokenAttempt]:
            return [attrs.evolve(row, detail="") for row in await self.inner.token_attempts(*args, **kwargs)]


class TestTellsEveryAttemptOldestFirst(Broken):
    breaks = (
        laws(
            "test_attempts_come_newest_first test_attempts_come_of_one_account test_attempts_of_no_account_are_none "
            "test_attempts_come_of_several_accounts_in_one_order "
            "test_attempts_come_of_thousands_of_accounts_of_which_most_are_unknown "
            "test_attempts_come_since_a_moment_and_with_it test_attempts_come_up_to_the_limit "
            "test_attempts_come_by_pages test_before_an_attempt_that_nobody_knows_there_are_none "
            "test_of_attempts_of_one_moment_the_first_recorded_is_the_older "
            "test_pages_of_attempts_are_of_one_account test_pages_of_attempts_end_at_a_moment_and_with_it"
        )
        | _OF_ONE_STATUS
    )

    class Driver(Right):
        async def token_attempts(self, *args: Any, **kwargs: Any) -> list[TokenAttempt]:
            return (await self.inner.token_attempts())[::-1]


class TestTellsTheLastAuditLinesFirst(Broken):
    breaks = laws(
        "test_audit_lines_are_numbered_in_their_order test_audit_lines_come_by_pages "
        "test_concurrent_records_of_one_task_come_in_its_order test_who_follows_the_audit_log_misses_no_line"
    )

    class Driver(Right):
        async def audit(self, *, after: int = 0, limit: int = 1000) -> list[AuditLine]:
            return (await self.inner.audit(after=after, limit=limit))[::-1]


class TestGivesAuditNumbersTwice(Broken):
    breaks = laws(
        "test_audit_lines_are_numbered_in_their_order test_audit_lines_come_by_pages "
        "test_of_many_concurrent_records_each_is_there_once test_who_follows_the_audit_log_misses_no_line"
    )

    class Driver(Right):
        async def audit(self, *, after: int = 0, limit: int = 1000) -> list[AuditLine]:
            lines = await self.inner.audit(after=after, limit=limit)
            return [AuditLine((line.number + 1) // 2, line.entry) for line in lines]


class TestTellsAttemptsOfOneMomentOldestFirst(Broken):
    breaks = laws(
        "test_of_attempts_of_one_moment_the_first_recorded_is_the_older test_attempts_come_by_pages "
        "test_pages_of_attempts_are_of_one_account test_pages_of_attempts_are_of_one_status"
    )

    class Driver(Right):
        async def token_attempts(self, *args: Any, **kwargs: Any) -> list[TokenAttempt]:
            found = await self.inner.token_attempts(*args, **kwargs)
            return sorted(found, key=lambda each: each.started_at)[::-1]


class TestTakesThePageBehindTheMomentOfTheLast(Broken):
    breaks = laws("test_attempts_come_by_pages test_pages_of_attempts_are_of_one_account")

    class Driver(Right):
        async def token_attempts(self, *args: Any, **kwargs: Any) -> list[TokenAttempt]:
            last = [each for each in await self.inner.token_attempts() if each.id == kwargs.get("before")]
            found = await self.inner.token_attempts(*args, **kwargs)
            return [each for each in found if all(each.started_at < mark.started_at for mark in last)]


class TestKnowsNoPages(Broken):
    breaks = laws(
        "test_attempts_come_by_pages test_pages_of_attempts_are_of_one_account "
        "test_pages_of_attempts_end_at_a_moment_and_with_it test_before_an_attempt_that_nobody_knows_there_are_none "
        "test_pages_of_attempts_are_of_one_status test_attempts_come_of_several_accounts_in_one_order "
        "test_a_page_of_one_status_may_stand_behind_an_attempt_of_another"
    )

    class Driver(Right):
        async def token_attempts(self, *args: Any, **kwargs: Any) -> list[TokenAttempt]:
            return await self.inner.token_attempts(*args, **{**kwargs, "before": None})


class TestBeginsAgainBehindAnUnknownAttempt(Broken):
    breaks = laws("test_before_an_attempt_that_nobody_knows_there_are_none")

    class Driver(Right):
        async def token_attempts(self, *args: Any, **kwargs: Any) -> list[TokenAttempt]:
            known = {each.id for each in await self.inner.token_attempts()}
            before = kwargs.get("before")
            return await self.inner.token_attempts(*args, **{**kwargs, "before": before if before in known else None})


class TestKnowsNoStatus(Broken):
    breaks = _OF_ONE_STATUS

    class Driver(Right):
        async def token_attempts(self, *args: Any, **kwargs: Any) -> list[TokenAttempt]:
            return await self.inner.token_attempts(*args, **{**kwargs, "status": None})


class TestPicksTheStatusFromWhatTheLimitHasLeft(Broken):
    breaks = laws(
        "test_the_limit_counts_attempts_of_the_status_that_was_asked test_pages_of_attempts_are_of_one_status"
    )

    class Driver(Right):
        async def token_attempts(self, *args: Any, **kwargs: Any) -> list[TokenAttempt]:
            found = await self.inner.token_attempts(*args, **{**kwargs, "status": None})
            return [each for each in found if kwargs.get("status") in (None, each.status)]


class TestKnowsTheFirstStatusOnly(Broken):
    breaks = laws("test_an_attempt_that_is_recorded_again_is_of_its_new_status")

    class Driver(Right):
        def __init__(self, options: Any, context: DriverContext) -> None:
            super().__init__(options, context)
            self.first: dict[UUID, TokenRefreshStatus] = {}

        async def apply(self, changes: Sequence[Change]) -> int:
            revision = await self.inner.apply(changes)
            for each in changes:
                if isinstance(each, Record) and isinstance(each.entry, TokenAttempt):
                    self.first.setdefault(each.entry.id, each.entry.status)
            return revision

        async def token_attempts(self, *args: Any, **kwargs: Any) -> list[TokenAttempt]:
            if not kwargs.get("status"):
                return await self.inner.token_attempts(*args, **kwargs)
            found = await self.inner.token_attempts(*args, **{**kwargs, "status": None, "limit": 1000})
            return [each for each in found if self.first[each.id] is kwargs["status"]][: kwargs.get("limit", 1000)]


class TestSeeksTheLastPageInOneStatus(Broken):
    breaks = laws("test_a_page_of_one_status_may_stand_behind_an_attempt_of_another")

    class Driver(Right):
        async def token_attempts(self, *args: Any, **kwargs: Any) -> list[TokenAttempt]:
            status, before = kwargs.get("status"), kwargs.get("before")
            known = {each.id for each in await self.inner.token_attempts(status=status)}
            return await self.inner.token_attempts(*args, **kwargs) if before is None or before in known else []


class TestForgetsWhatElseWasAskedWithAStatus(Broken):
    breaks = laws("test_attempts_of_one_status_come_of_one_account_and_since_a_moment")

    class Driver(Right):
        async def token_attempts(self, *args: Any, **kwargs: Any) -> list[TokenAttempt]:
            if kwargs.get("status"):
                args, kwargs = (), {**kwargs, "since": None}
            return await self.inner.token_attempts(*args, **kwargs)


class TestForgetsWhatWasAskedOnTheSecondPage(Broken):
    breaks = laws(
        "test_pages_of_attempts_are_of_one_account test_pages_of_attempts_end_at_a_moment_and_with_it "
        "test_attempts_come_of_several_accounts_in_one_order"
    )

    class Driver(Right):
        async def token_attempts(self, *args: Any, **kwargs: Any) -> list[TokenAttempt]:
            if kwargs.get("before"):
                args, kwargs = (), {**kwargs, "since": None}
            return await self.inner.token_attempts(*args, **kwargs)


class TestShowsALineAfterTheNextOne(Broken):
    """As with numbers that are drawn before the lines are there."""

    breaks = laws("test_who_follows_the_audit_log_misses_no_line")

    class Driver(Right):
        writing = 0

        async def apply(self, changes: Sequence[Change]) -> int:
            self.writing += 1
            try:
                revision = await self.inner.apply(changes)
                await trio.lowlevel.cancel_shielded_checkpoint()
                return revision
            finally:
                self.writing -= 1

        async def audit(self, *, after: int = 0, limit: int = 1000) -> list[AuditLine]:
            lines = await self.inner.audit(after=after, limit=limit)
            return lines[:-2] + lines[-1:] if self.writing else lines


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
