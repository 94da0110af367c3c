from __future__ import annotations

from importlib.metadata import entry_points

import pytest

from tigercore.ports import NoOptions
from tigercore.testing.balancer import QUOTE, FairBalancerContract, LoadBalancerContract, make_candidates
from tigercore.testing.clock import driver_context
from tigercore_template_balancer import Stalest


class TestStalest(LoadBalancerContract):
    @pytest.fixture
    def balancer(self) -> Stalest:
        return Stalest(NoOptions(), driver_context())


class TestFairStalest(FairBalancerContract):
    @pytest.fixture
    def balancer(self) -> Stalest:
        return Stalest(NoOptions(), driver_context())


@pytest.mark.parametrize("statistic", ["in_flight", "usage"])
def test_the_busier_of_two_comes_second(statistic: str) -> None:
    rested, busy = make_candidates(2)
    setattr(busy, statistic, 1)
    plans = [list(Stalest(NoOptions(), driver_context(seed=seed)).plan(QUOTE, [rested, busy])) for seed in range(10)]
    assert [[rested, busy]] * 10 == plans


def test_it_is_found_by_its_name() -> None:
    (found,) = entry_points(group="tigercore.balancers", name="stalest")
    assert Stalest is found.load()
