from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tigercore.ports import Candidate
from tigercore.testing.balancer import QUOTE, FairBalancerContract, LoadBalancerContract, make_candidates
from tigercore.testing.clock import driver_context
from tigercore_balancers import FastestResponse, FastestResponseOptions


def fastest(explore: float = 0.0) -> FastestResponse:
    return FastestResponse(FastestResponseOptions(explore), driver_context())


class TestFastestResponse(LoadBalancerContract):
    @pytest.fixture
    def balancer(self) -> FastestResponse:
        return fastest(explore=0.05)


class TestFairFastestResponse(FairBalancerContract):
    @pytest.fixture
    def balancer(self) -> FastestResponse:
        return fastest(explore=0.05)


def shares(balancer: FastestResponse, candidates: list[Candidate]) -> list[float]:
    firsts = Counter(id(next(balancer.plan(QUOTE, candidates))) for _ in range(10_000))
    return [firsts[id(candidate)] / 10_000 for candidate in candidates]


def pair(first: dict[str, Any], second: dict[str, Any]) -> list[Candidate]:
    return [*make_candidates(1, **first), *make_candidates(1, first=2, **second)]


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ({"latency": 20.0}, {"latency": 40.0}),
        ({"latency": 30.0}, {"latency": 20.0, "in_flight": 1}),
        ({"latency": 60.0}, {"latency": 3.0, "error_rate": 1.0}),
        ({"latency": 60.0}, {"latency": 3.0, "error_rate": 0.1}),
        ({}, {"latency": 1.0}),
        ({"latency": 5_000.0}, {"in_flight": 1}),
        ({"in_flight": 1}, {"in_flight": 2}),
        ({"latency": 60.0}, {"error_rate": 0.1}),
    ],
    ids=["slower", "busier", "a fast refusal", "fails now and then", "known", "asked already", "asked twice", "failed"],
)
def test_the_one_that_is_expected_to_answer_first_goes_first(better: dict[str, Any], worse: dict[str, Any]) -> None:
    candidates = pair(better, worse)
    assert [1.0, 0.0] == shares(fastest(), candidates)


def test_the_fastest_does_not_take_all() -> None:
    candidates = make_candidates(20, latency=50.0)
    candidates[0].latency = 10.0
    assert pytest.approx(2 / 20, abs=0.01) == shares(fastest(), candidates)[0]


def test_one_of_which_nothing_is_known_does_not_take_all() -> None:
    candidates = make_candidates(20, latency=50.0)
    candidates[0].latency = 0.0
    assert pytest.approx(2 / 20, abs=0.01) == shares(fastest(), candidates)[0]


def test_the_slowest_gets_its_share_of_what_explores() -> None:
    candidates = make_candidates(10, latency=50.0)
    candidates[0].latency = 1_000.0
    assert pytest.approx(0.5 / 10, abs=0.01) == shares(fastest(explore=0.5), candidates)[0]


def test_the_slowest_gets_nothing_if_nothing_explores() -> None:
    candidates = make_candidates(10, latency=50.0)
    candidates[0].latency = 1_000.0
    assert 0.0 == shares(fastest(), candidates)[0]


def test_the_slowest_is_the_last_to_fail_over_to() -> None:
    candidates = make_candidates(10, latency=50.0)
    candidates[3].latency = 1_000.0
    assert {candidates[3]} == {list(fastest().plan(QUOTE, candidates))[-1] for _ in range(100)}


def test_one_that_nobody_knows_is_asked_one_call_at_a_time() -> None:
    candidates = make_candidates(10)
    balancer = fastest()
    next(balancer.plan(QUOTE, candidates)).in_flight += 1
    assert all(not next(balancer.plan(QUOTE, candidates)).in_flight for _ in range(1000))


@pytest.mark.parametrize("explore", [-0.1, 1.1])
def test_a_share_is_from_0_to_1(explore: float) -> None:
    with pytest.raises(ValueError, match="'explore' must be"):
        FastestResponseOptions(explore)
