"""Account stores that sum attempts up wrongly. Each breaks the laws that it names, and keeps all others."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import attrs

from tests.laws._store_base import Broken, Right, laws
from tigercore.model import TokenRefreshStatus
from tigercore.ports import AttemptStatistics, Change, DriverContext, Record, TokenAttempt
from tigercore.testing._memory_statistics import summed_up

_EMPTY = "test_statistics_of_no_attempts_are_empty "
_RANKS = "test_percentiles_are_by_nearest_rank "
_NONE = "test_percentiles_are_none_if_no_attempt_succeeded "
_SUCCEEDED = "test_percentiles_are_of_attempts_that_succeeded "
_SINCE = "test_statistics_come_since_a_moment_and_with_it "
_ONE = "test_statistics_are_of_one_account "
_SEVERAL = "test_statistics_are_of_several_accounts "
_NO = "test_statistics_of_no_account_are_of_nothing "
_THOUSANDS = "test_statistics_are_of_thousands_of_accounts_of_which_most_are_unknown "
_CAUSES = "test_causes_are_the_details_that_say_anything "
_TEN = "test_causes_are_the_ten_most_frequent "


class Summing(Right):
    """Sum up attempts and what the memory store makes of them, one of the two altered."""

    async def attempt_statistics(
        self, ids: Collection[UUID] | None = None, *, since: datetime | None = None
    ) -> AttemptStatistics:
        chosen = await self.inner.token_attempts(ids, since=since, limit=10_000)
        return self.altered(summed_up(self.picked(chosen)), chosen)

    def picked(self, attempts: list[TokenAttempt]) -> Sequence[TokenAttempt]:
        return attempts

    def altered(self, found: AttemptStatistics, attempts: list[TokenAttempt]) -> AttemptStatistics:
        return found


# -- which attempts ----------------------------------------------------------------------------------------


class TestSumsUpOnePage(Broken):
    breaks = laws("test_statistics_count_more_attempts_than_a_page_has")

    class Driver(Summing):
        def picked(self, attempts: list[TokenAttempt]) -> Sequence[TokenAttempt]:
            return attempts[:1000]


class TestSumsUpAllAccounts(Broken):
    breaks = laws(_ONE + _SEVERAL + _NO + _THOUSANDS)

    class Driver(Right):
        async def attempt_statistics(
            self, ids: Collection[UUID] | None = None, *, since: datetime | None = None
        ) -> AttemptStatistics:
            return await self.inner.attempt_statistics(since=since)


class TestSumsUpFromTheStart(Broken):
    breaks = laws(_SINCE)

    class Driver(Right):
        async def attempt_statistics(
            self, ids: Collection[UUID] | None = None, *, since: datetime | None = None
        ) -> AttemptStatistics:
            return await self.inner.attempt_statistics(ids)


class TestSumsUpAfterAMomentAndNotWithIt(Broken):
    breaks = laws(_SINCE)

    class Driver(Right):
        async def attempt_statistics(
            self, ids: Collection[UUID] | None = None, *, since: datetime | None = None
        ) -> AttemptStatistics:
            after = since and since + timedelta(microseconds=1)
            return await self.inner.attempt_statistics(ids, since=after)


# -- how often ---------------------------------------------------------------------------------------------


class TestCountsWhatWasRecordedAgainTwice(Broken):
    breaks = laws("test_statistics_count_an_attempt_once_as_it_stands")

    class Driver(Summing):
        def __init__(self, options: Any, context: DriverContext) -> None:
            super().__init__(options, context)
            self.recorded: list[TokenAttempt] = []

        async def apply(self, changes: Sequence[Change]) -> int:
            revision = await self.inner.apply(changes)
            records = [each.entry for each in changes if isinstance(each, Record)]
            self.recorded += [each for each in records if isinstance(each, TokenAttempt)]
            return revision

        def picked(self, attempts: list[TokenAttempt]) -> Sequence[TokenAttempt]:
            again = Counter(each.id for each in self.recorded)
            return [each for each in attempts for _ in range(max(1, again[each.id]))]


class TestCountsEachStatusOnce(Broken):
    breaks = laws("test_statistics_count_each_status")

    class Driver(Summing):
        def altered(self, found: AttemptStatistics, attempts: list[TokenAttempt]) -> AttemptStatistics:
            return attrs.evolve(found, by_status=dict.fromkeys(found.by_status, 1))


class TestCountsTheTriggersOfWhatSucceeded(Broken):
    breaks = laws("test_statistics_count_each_trigger " + _ONE + _SINCE)

    class Driver(Summing):
        def altered(self, found: AttemptStatistics, attempts: list[TokenAttempt]) -> AttemptStatistics:
            succeeded = [each for each in attempts if each.status is TokenRefreshStatus.SUCCEEDED]
            return attrs.evolve(found, by_trigger=dict(Counter(each.trigger for each in succeeded)))


class TestCountsWhatIsNotThere(Broken):
    breaks = laws(_EMPTY + _ONE + _NO + _SINCE + "test_statistics_count_an_attempt_once_as_it_stands")

    class Driver(Summing):
        def altered(self, found: AttemptStatistics, attempts: list[TokenAttempt]) -> AttemptStatistics:
            return attrs.evolve(found, by_status={**dict.fromkeys(TokenRefreshStatus, 0), **found.by_status})


# -- how long ----------------------------------------------------------------------------------------------


def _seconds(attempts: list[TokenAttempt]) -> list[float]:
    ended = [each for each in attempts if each.status is TokenRefreshStatus.SUCCEEDED and each.ended_at]
    return sorted((each.ended_at - each.started_at).total_seconds() for each in ended if each.ended_at)


class TestTakesTheMeanOfTheTwoInTheMiddle(Broken):
    breaks = laws(_RANKS)

    class Driver(Summing):
        def altered(self, found: AttemptStatistics, attempts: list[TokenAttempt]) -> AttemptStatistics:
            took = _seconds(attempts)
            return attrs.evolve(found, p50=statistics.median(took)) if took else found


class TestTakesTheLongestForTheNinetyNinth(Broken):
    breaks = laws(_RANKS)

    class Driver(Summing):
        def altered(self, found: AttemptStatistics, attempts: list[TokenAttempt]) -> AttemptStatistics:
            return attrs.evolve(found, p99=max(_seconds(attempts), default=None))


class TestTakesTheRankAboveTheNearest(Broken):
    breaks = laws(_RANKS)

    class Driver(Summing):
        def altered(self, found: AttemptStatistics, attempts: list[TokenAttempt]) -> AttemptStatistics:
            took = _seconds(attempts)
            return attrs.evolve(found, p50=took[len(took) // 2]) if took else found


class TestRanksWhatDidNotSucceedToo(Broken):
    breaks = laws(_NONE + _SUCCEEDED)

    class Driver(Summing):
        def altered(self, found: AttemptStatistics, attempts: list[TokenAttempt]) -> AttemptStatistics:
            succeeded = [attrs.evolve(each, status=TokenRefreshStatus.SUCCEEDED) for each in attempts]
            all_of_them = summed_up(succeeded)
            return attrs.evolve(found, p50=all_of_them.p50, p99=all_of_them.p99)


class TestTakesNoTimeForNone(Broken):
    breaks = laws(_EMPTY + _NO + _NONE)

    class Driver(Summing):
        def altered(self, found: AttemptStatistics, attempts: list[TokenAttempt]) -> AttemptStatistics:
            return attrs.evolve(found, p50=found.p50 or 0.0, p99=found.p99 or 0.0)


class TestTakesWholeSeconds(Broken):
    breaks = laws("test_percentiles_tell_parts_of_a_second")

    class Driver(Summing):
        def altered(self, found: AttemptStatistics, attempts: list[TokenAttempt]) -> AttemptStatistics:
            return attrs.evolve(found, p50=found.p50 and float(round(found.p50)))


# -- why ---------------------------------------------------------------------------------------------------


class TestCountsDetailsThatSayNothing(Broken):
    breaks = laws(_CAUSES + _ONE + _SINCE)

    class Driver(Summing):
        def altered(self, found: AttemptStatistics, attempts: list[TokenAttempt]) -> AttemptStatistics:
            silent = sum(not each.detail for each in attempts)
            some = 0 < silent < len(attempts)
            return attrs.evolve(found, causes={**found.causes, "": silent}) if some else found


class TestNamesCausesInTheOrderOfTheAlphabet(Broken):
    breaks = laws("test_the_most_frequent_cause_comes_first")

    class Driver(Summing):
        def altered(self, found: AttemptStatistics, attempts: list[TokenAttempt]) -> AttemptStatistics:
            return attrs.evolve(found, causes=dict(sorted(found.causes.items())))


class TestNamesEveryCause(Broken):
    breaks = laws(_TEN)

    class Driver(Summing):
        def altered(self, found: AttemptStatistics, attempts: list[TokenAttempt]) -> AttemptStatistics:
            most = Counter(each.detail for each in attempts if each.detail).most_common()
            return attrs.evolve(found, causes={**found.causes, **dict(most)})


class TestNamesTheFirstTenCauses(Broken):
    breaks = laws(_TEN)

    class Driver(Summing):
        def altered(self, found: AttemptStatistics, attempts: list[TokenAttempt]) -> AttemptStatistics:
            counted = Counter(each.detail for each in attempts[::-1] if each.detail)
            first = Counter(dict(list(counted.items())[:10]))
            return attrs.evolve(found, causes=dict(first.most_common()))
