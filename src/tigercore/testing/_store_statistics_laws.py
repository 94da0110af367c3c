"""Laws of `attempt_statistics`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import attrs
import pytest

from tigercore.model import RefreshTrigger, TokenRefreshStatus
from tigercore.ports import AccountStore, AttemptStatistics, Record, TokenAttempt
from tigercore.testing._store_laws import StoreLaws
from tigercore.testing._store_samples import NOON, account_row, attempt, thousands_of_ids

_MORE_THAN_A_PAGE = 1001
_SUCCEEDED, _LOST = TokenRefreshStatus.SUCCEEDED, TokenRefreshStatus.LOST
_NOTHING = AttemptStatistics(0, {}, {}, None, None, {})


class StatisticsLaws(StoreLaws):
    """Laws of what attempts come to: which are counted, how often, how long they took, and why they failed."""

    async def test_statistics_of_no_attempts_are_empty(self, store: AccountStore) -> None:
        assert _NOTHING == await store.attempt_statistics()

    async def test_statistics_count_each_status(self, store: AccountStore) -> None:
        expected = {status: often for often, status in enumerate(TokenRefreshStatus, start=1)}
        await _record(store, *(attempt(_id(), status=each) for each, often in expected.items() for _ in range(often)))
        found = await store.attempt_statistics()
        assert (sum(expected.values()), expected) == (found.attempts, found.by_status)

    async def test_statistics_count_each_trigger(self, store: AccountStore) -> None:
        expected = {trigger: often for often, trigger in enumerate(RefreshTrigger, start=1)}
        await _record(store, *(attempt(_id(), trigger=each) for each, often in expected.items() for _ in range(often)))
        assert expected == (await store.attempt_statistics()).by_trigger

    async def test_statistics_count_more_attempts_than_a_page_has(self, store: AccountStore) -> None:
        id = _id()
        await _record(store, *(attempt(id) for _ in range(_MORE_THAN_A_PAGE)))
        assert _MORE_THAN_A_PAGE == (await store.attempt_statistics()).attempts

    async def test_statistics_count_an_attempt_once_as_it_stands(self, store: AccountStore) -> None:
        begun = attempt(_id(), detail="on its way")
        await _record(store, begun)
        await _record(store, attrs.evolve(begun, status=_LOST, detail="2400"))
        found = await store.attempt_statistics()
        assert (1, {_LOST: 1}, {"2400": 1}) == (found.attempts, found.by_status, found.causes)

    async def test_statistics_are_of_one_account(self, store: AccountStore) -> None:
        mine, others = _lost_and_succeeded(_id(), "mine", 1), _lost_and_succeeded(_id(), "others'", 9)
        await _record(store, *mine, *others)
        assert _of_two("mine", 1.0) == await store.attempt_statistics({mine[0].account_id})

    async def test_statistics_are_of_several_accounts(self, store: AccountStore) -> None:
        mine, yours, others = (attempt(_id()) for _ in range(3))
        await _record(store, mine, yours, others)
        assert 2 == (await store.attempt_statistics([mine.account_id, yours.account_id])).attempts

    async def test_statistics_of_no_account_are_of_nothing(self, store: AccountStore) -> None:
        await _record(store, *_lost_and_succeeded(_id(), "others'", 9))
        assert _NOTHING == await store.attempt_statistics([])

    async def test_statistics_are_of_thousands_of_accounts_of_which_most_are_unknown(self, store: AccountStore) -> None:
        mine, others = attempt(_id()), attempt(_id())
        await _record(store, mine, others)
        assert 1 == (await store.attempt_statistics(thousands_of_ids(mine.account_id))).attempts

    async def test_statistics_come_since_a_moment_and_with_it(self, store: AccountStore) -> None:
        early, late = _lost_and_succeeded(_id(), "early", 9), _lost_and_succeeded(_id(), "late", 1)
        earlier = NOON - timedelta(microseconds=1)
        await _record(store, *(attrs.evolve(each, started_at=earlier) for each in early), *late)
        assert _of_two("late", 1.0) == await store.attempt_statistics(since=NOON)

    @pytest.mark.parametrize(
        ("attempts", "p50", "p99"), [(1, 1, 1), (2, 1, 2), (3, 2, 3), (100, 50, 99), (101, 51, 100), (200, 100, 198)]
    )
    async def test_percentiles_are_by_nearest_rank(
        self, store: AccountStore, attempts: int, p50: int, p99: int
    ) -> None:
        id = _id()
        await _record(store, *(_took(id, seconds) for seconds in range(attempts, 0, -1)))
        assert (p50, p99) == await _percentiles(store)

    async def test_percentiles_are_of_attempts_that_succeeded(self, store: AccountStore) -> None:
        await _record(store, _took(_id(), 2), *(_took(_id(), 1, status=each) for each in _other_statuses()))
        assert (2, 2) == await _percentiles(store)

    async def test_percentiles_are_none_if_no_attempt_succeeded(self, store: AccountStore) -> None:
        await _record(store, *(_took(_id(), 1, status=each) for each in _other_statuses()))
        assert (None, None) == await _percentiles(store)

    async def test_percentiles_tell_parts_of_a_second(self, store: AccountStore) -> None:
        await _record(store, _took(_id(), 0.123456))
        assert pytest.approx(0.123456, abs=1e-6) == (await store.attempt_statistics()).p50

    async def test_causes_are_the_details_that_say_anything(self, store: AccountStore) -> None:
        details = ["2400 ü", "", "timed out", "2400 ü", ""]
        await _record(store, *(attempt(_id(), detail=detail) for detail in details))
        assert {"2400 ü": 2, "timed out": 1} == (await store.attempt_statistics()).causes

    async def test_the_most_frequent_cause_comes_first(self, store: AccountStore) -> None:
        await _record(store, *(attempt(_id(), detail=detail) for detail in "bacbcb"))
        assert ["b", "c", "a"] == list((await store.attempt_statistics()).causes)

    async def test_causes_are_the_ten_most_frequent(self, store: AccountStore) -> None:
        frequency = {f"cause {often}": often for often in range(1, 13)}
        await _record(store, *(attempt(_id(), detail=each) for each, often in frequency.items() for _ in range(often)))
        ten = {each: often for each, often in frequency.items() if often > 2}
        assert ten == (await store.attempt_statistics()).causes


def _id() -> UUID:
    return account_row().id


def _took(id: UUID, seconds: float, **fields: Any) -> TokenAttempt:
    """Return an attempt that succeeded after so many seconds."""
    given = {"status": _SUCCEEDED, "ended_at": NOON + timedelta(seconds=seconds), **fields}
    return attempt(id, **given)


def _lost_and_succeeded(id: UUID, cause: str, seconds: float) -> list[TokenAttempt]:
    """Return an attempt that was lost for this cause, and one that succeeded after so many seconds."""
    return [attempt(id, status=_LOST, detail=cause), _took(id, seconds)]


def _of_two(cause: str, seconds: float) -> AttemptStatistics:
    """Return the statistics of `_lost_and_succeeded`."""
    return AttemptStatistics(2, {_LOST: 1, _SUCCEEDED: 1}, {RefreshTrigger.SCHEDULED: 2}, seconds, seconds, {cause: 1})


def _other_statuses() -> list[TokenRefreshStatus]:
    return [status for status in TokenRefreshStatus if status is not _SUCCEEDED]


async def _record(store: AccountStore, *attempts: TokenAttempt) -> None:
    await store.apply([Record(each) for each in attempts])


async def _percentiles(store: AccountStore) -> tuple[float | None, float | None]:
    found = await store.attempt_statistics()
    return found.p50, found.p99
