"""The laws of a balancer."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from itertools import zip_longest
from typing import Any, TypeVar, final, overload
from uuid import UUID

import attrs
import pytest

from tigercore.model import AccountType, Environment, Operation, TigerAccount
from tigercore.operations import operation
from tigercore.ports import Candidate, LoadBalancer
from tigercore.testing._contract import Contract

T = TypeVar("T")

QUOTE: Operation = operation("quote_real_time")
_BORN = datetime(2026, 1, 5, 12, tzinfo=UTC)
_PICKS = 10_000


def make_candidates(count: int, first: int = 1, **statistics: Any) -> list[Candidate]:
    """Return candidates with ids from `first` on, all with the same statistics."""
    return [Candidate(_account(number), **statistics) for number in range(first, first + count)]


def _account(number: int) -> TigerAccount:
    return TigerAccount(
        id=UUID(int=number),
        account_name=f"account {number}",
        account_number=f"{10_000_000 + number}",
        account_type=AccountType.STANDARD,
        environment=Environment.PRODUCTION,
        created_at=_BORN,
        updated_at=_BORN,
    )


@final
class CountingSequence(Sequence[T]):
    """A sequence that counts how often an item of it was looked at."""

    def __init__(self, items: Sequence[T]) -> None:
        self.looks = 0
        self._items = items

    def __len__(self) -> int:
        return len(self._items)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[T]: ...
    def __getitem__(self, index: int | slice) -> T | Sequence[T]:
        found = self._items[index]
        self.looks += len(found) if isinstance(index, slice) and isinstance(found, Sequence) else 1
        return found


def _counts(plan: Iterable[Candidate]) -> Counter[UUID]:
    return Counter(candidate.account.id for candidate in plan)


def _statistics(candidates: Sequence[Candidate]) -> list[tuple[Any, ...]]:
    return [attrs.astuple(candidate, recurse=False) for candidate in candidates]


class LoadBalancerContract(Contract):
    """What every strategy keeps. Override `balancer`."""

    @pytest.fixture
    def balancer(self) -> LoadBalancer:
        """Return the strategy, new, with seeded randomness."""
        raise NotImplementedError("override the fixture `balancer`")

    def test_nothing_comes_from_nothing(self, balancer: LoadBalancer) -> None:
        assert not list(balancer.plan(QUOTE, []))

    def test_one_candidate_is_the_plan(self, balancer: LoadBalancer) -> None:
        only = make_candidates(1)
        assert only == list(balancer.plan(QUOTE, only))

    @pytest.mark.parametrize("count", [2, 3, 16, 17, 100])
    def test_no_candidate_is_left_out(self, balancer: LoadBalancer, count: int) -> None:
        candidates = make_candidates(count)
        assert not _counts(candidates) - _counts(balancer.plan(QUOTE, candidates))

    @pytest.mark.parametrize("count", [2, 3, 16, 17, 100])
    def test_no_candidate_comes_twice(self, balancer: LoadBalancer, count: int) -> None:
        assert 1 == max(_counts(balancer.plan(QUOTE, make_candidates(count))).values())

    @pytest.mark.parametrize("count", [2, 3, 16, 17, 100])
    def test_no_candidate_is_invented(self, balancer: LoadBalancer, count: int) -> None:
        candidates = make_candidates(count)
        given = {id(candidate) for candidate in candidates}
        assert all(id(candidate) in given for candidate in balancer.plan(QUOTE, candidates))

    def test_the_statistics_are_left_untouched(self, balancer: LoadBalancer) -> None:
        candidates = make_candidates(20, usage=1.0, in_flight=2, latency=3.0, error_rate=0.5)
        before = _statistics(candidates)
        list(balancer.plan(QUOTE, candidates))
        assert before == _statistics(candidates)

    def test_the_sequence_is_left_untouched(self, balancer: LoadBalancer) -> None:
        candidates = [*make_candidates(10, usage=9.0, latency=9.0), *make_candidates(10, first=11)]
        before = list(candidates)
        list(balancer.plan(QUOTE, candidates))
        assert before == candidates

    @pytest.mark.parametrize("kind", [list, tuple, CountingSequence])
    def test_any_sequence_will_do(
        self, balancer: LoadBalancer, kind: Callable[[list[Candidate]], Sequence[Candidate]]
    ) -> None:
        candidates = make_candidates(5)
        assert _counts(candidates) == _counts(balancer.plan(QUOTE, kind(candidates)))

    @pytest.mark.parametrize(
        "extreme",
        [
            {"usage": 1e300},
            {"in_flight": 10**9},
            {"latency": 1e300, "in_flight": 10**9},
            {"latency": math.inf},
            {"error_rate": 1.0},
        ],
        ids=lambda extreme: " ".join(extreme),
    )
    def test_extreme_statistics_do_no_harm(self, balancer: LoadBalancer, extreme: dict[str, Any]) -> None:
        candidates = [*make_candidates(10, **extreme), *make_candidates(10, first=11)]
        assert _counts(candidates) == _counts(balancer.plan(QUOTE, candidates))

    def test_a_plan_may_be_dropped_after_its_first(self, balancer: LoadBalancer) -> None:
        candidates = make_candidates(5)
        for _ in range(100):
            next(iter(balancer.plan(QUOTE, candidates)))
        assert _counts(candidates) == _counts(balancer.plan(QUOTE, candidates))

    def test_plans_that_are_walked_together_do_not_disturb_each_other(self, balancer: LoadBalancer) -> None:
        candidates = make_candidates(20)
        pairs = list(zip_longest(balancer.plan(QUOTE, candidates), balancer.plan(QUOTE, candidates)))
        assert [_counts(candidates)] * 2 == [_counts(column) for column in zip(*pairs, strict=True)]

    def test_plans_for_two_sets_do_not_mix(self, balancer: LoadBalancer) -> None:
        ours, theirs = make_candidates(20), make_candidates(20, first=21)
        pairs = list(zip_longest(balancer.plan(QUOTE, ours), balancer.plan(QUOTE, theirs)))
        assert [_counts(ours), _counts(theirs)] == [_counts(column) for column in zip(*pairs, strict=True)]

    def test_a_changed_set_is_followed(self, balancer: LoadBalancer) -> None:
        candidates = make_candidates(20)
        list(balancer.plan(QUOTE, candidates))
        changed = [*candidates[3:], *make_candidates(5, first=100)]
        assert _counts(changed) == _counts(balancer.plan(QUOTE, changed))

    def test_a_set_that_is_gone_is_forgotten(self, balancer: LoadBalancer) -> None:
        """A new set often lies where the old one lay in memory, so its `id` alone says nothing."""
        for first in range(1, 1000, 10):
            candidates = make_candidates(10, first=first)
            assert _counts(candidates) == _counts(balancer.plan(QUOTE, candidates))
            del candidates

    @pytest.mark.parametrize("count", [1_000, 10_000])
    def test_the_first_costs_the_same_in_a_big_set(self, balancer: LoadBalancer, count: int) -> None:
        candidates = CountingSequence(make_candidates(count))
        next(iter(balancer.plan(QUOTE, candidates)))  # what is made once for a set is not counted
        candidates.looks = 0
        next(iter(balancer.plan(QUOTE, candidates)))
        assert candidates.looks <= 2 * math.log2(count) + 8


class FairBalancerContract(Contract):
    """What a strategy keeps that shares calls evenly between candidates whose statistics are the same."""

    @pytest.fixture
    def balancer(self) -> LoadBalancer:
        """Return the strategy, new, with seeded randomness."""
        raise NotImplementedError("override the fixture `balancer`")

    @pytest.mark.parametrize("count", [2, 4, 5])
    def test_the_first_is_shared_evenly(self, balancer: LoadBalancer, count: int) -> None:
        candidates = make_candidates(count)
        firsts = _counts(next(iter(balancer.plan(QUOTE, candidates))) for _ in range(_PICKS))
        _assert_even(firsts, candidates)

    def test_sets_that_take_turns_are_each_shared_evenly(self, balancer: LoadBalancer) -> None:
        sets = make_candidates(4), make_candidates(4, first=5)
        firsts = _counts(next(iter(balancer.plan(QUOTE, sets[turn % 2]))) for turn in range(2 * _PICKS))
        for candidates in sets:
            _assert_even(firsts, candidates)

    def test_methods_that_take_turns_are_each_shared_evenly(self, balancer: LoadBalancer) -> None:
        """The gateway counts each method by itself, so the share of each is what spends the budgets evenly."""
        candidates, methods = make_candidates(4), (QUOTE, operation("kline"))
        firsts = [next(iter(balancer.plan(methods[turn % 2], candidates))) for turn in range(2 * _PICKS)]
        for turn in range(2):
            _assert_even(_counts(firsts[turn::2]), candidates)


def _assert_even(firsts: Counter[UUID], candidates: Sequence[Candidate]) -> None:
    share = _PICKS / len(candidates)
    shares = [firsts[candidate.account.id] for candidate in candidates]
    assert all(abs(count - share) <= 0.05 * share for count in shares), shares
