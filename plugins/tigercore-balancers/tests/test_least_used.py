from __future__ import annotations

from collections import Counter

import pytest

from tigercore.ports import NoOptions
from tigercore.testing.balancer import QUOTE, FairBalancerContract, LoadBalancerContract, make_candidates
from tigercore.testing.clock import driver_context
from tigercore_balancers import LeastUsed


@pytest.fixture
def balancer() -> LeastUsed:
    return LeastUsed(NoOptions(), driver_context())


class TestLeastUsed(LoadBalancerContract):
    @pytest.fixture
    def balancer(self) -> LeastUsed:
        return LeastUsed(NoOptions(), driver_context())


class TestFairLeastUsed(FairBalancerContract):
    @pytest.fixture
    def balancer(self) -> LeastUsed:
        return LeastUsed(NoOptions(), driver_context())


def test_sixteen_are_ordered_by_usage(balancer: LeastUsed) -> None:
    candidates = make_candidates(16)
    for place, candidate in enumerate(candidates):
        candidate.usage = float(place * 7 % 16)
    assert sorted(range(16)) == [candidate.usage for candidate in balancer.plan(QUOTE, candidates)]


def test_failover_goes_by_the_usage_of_the_moment(balancer: LeastUsed) -> None:
    candidates = make_candidates(3)
    candidates[1].usage, candidates[2].usage = 1.0, 2.0
    plan = balancer.plan(QUOTE, candidates)
    first = next(plan)
    candidates[1].usage = 3.0
    assert [candidates[0], candidates[2], candidates[1]] == [first, *plan]


def test_only_the_unused_share_the_calls(balancer: LeastUsed) -> None:
    candidates = [*make_candidates(8, usage=1.0), *make_candidates(2, first=9)]
    firsts = Counter(next(balancer.plan(QUOTE, candidates)).account.account_name for _ in range(1000))
    assert (1000, True) == (firsts["account 9"] + firsts["account 10"], 450 < firsts["account 9"] < 550)


def test_of_many_the_most_used_is_never_first(balancer: LeastUsed) -> None:
    candidates = make_candidates(100)
    candidates[50].usage = 1.0
    assert candidates[50] not in [next(balancer.plan(QUOTE, candidates)) for _ in range(10_000)]


def test_of_many_a_newcomer_gets_two_shares(balancer: LeastUsed) -> None:
    candidates = make_candidates(100, usage=1.0)
    candidates[50].usage = 0.0
    firsts = Counter(next(balancer.plan(QUOTE, candidates)).account.account_name for _ in range(10_000))
    assert 200 == pytest.approx(firsts["account 51"], abs=50)


@pytest.mark.parametrize("count", [10, 100])
def test_usage_evens_out(balancer: LeastUsed, count: int) -> None:
    candidates = make_candidates(count)
    for _ in range(100 * count):
        next(balancer.plan(QUOTE, candidates)).usage += 1
    assert 5 >= max(c.usage for c in candidates) - min(c.usage for c in candidates)
