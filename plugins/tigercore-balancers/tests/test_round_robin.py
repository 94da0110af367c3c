from __future__ import annotations

from collections import Counter

import pytest

from tigercore.operations import operation
from tigercore.ports import NoOptions
from tigercore.testing.balancer import QUOTE, FairBalancerContract, LoadBalancerContract, make_candidates
from tigercore.testing.clock import driver_context
from tigercore_balancers import RoundRobin


@pytest.fixture
def balancer() -> RoundRobin:
    return RoundRobin(NoOptions(), driver_context())


class TestRoundRobin(LoadBalancerContract):
    @pytest.fixture
    def balancer(self) -> RoundRobin:
        return RoundRobin(NoOptions(), driver_context())


class TestFairRoundRobin(FairBalancerContract):
    @pytest.fixture
    def balancer(self) -> RoundRobin:
        return RoundRobin(NoOptions(), driver_context())


def test_each_plan_begins_one_further(balancer: RoundRobin) -> None:
    candidates = make_candidates(4)
    begun = [candidates.index(next(balancer.plan(QUOTE, candidates))) for _ in range(8)]
    assert [(begun[0] + step) % 4 for step in range(8)] == begun


def test_a_plan_goes_round(balancer: RoundRobin) -> None:
    candidates = make_candidates(4)
    order = [candidates.index(candidate) for candidate in balancer.plan(QUOTE, candidates)]
    assert [(order[0] + step) % 4 for step in range(4)] == order


def test_a_plan_that_was_not_walked_counts_too(balancer: RoundRobin) -> None:
    candidates = make_candidates(4)
    first, _, third = (balancer.plan(QUOTE, candidates) for _ in range(3))
    assert 2 == (candidates.index(next(third)) - candidates.index(next(first))) % 4


def test_sets_that_are_new_each_time_do_not_all_begin_with_the_same(balancer: RoundRobin) -> None:
    begun = Counter(next(balancer.plan(QUOTE, make_candidates(2))).account.account_name for _ in range(1000))
    assert 400 < min(begun["account 1"], begun["account 2"])


def test_methods_that_alternate_do_not_fall_into_step(balancer: RoundRobin) -> None:
    candidates, bars = make_candidates(2), operation("kline")
    begun = [(next(balancer.plan(QUOTE, candidates)), next(balancer.plan(bars, candidates))) for _ in range(4)]
    assert [2, 2] == [len(set(column)) for column in zip(*begun, strict=True)]


def test_a_set_of_long_ago_begins_anywhere_and_still_goes_round(balancer: RoundRobin) -> None:
    candidates, others = make_candidates(4), [make_candidates(1) for _ in range(2000)]
    for other in [candidates, *others, candidates]:
        plan = list(balancer.plan(QUOTE, other))
    assert {candidate.account.id for candidate in candidates} == {candidate.account.id for candidate in plan}


def test_the_turns_of_256_sets_are_kept_and_no_more(balancer: RoundRobin) -> None:
    sets = [make_candidates(1) for _ in range(2000)]
    for candidates in sets:
        balancer.plan(QUOTE, candidates)
    assert 256 == len(balancer._turns)
