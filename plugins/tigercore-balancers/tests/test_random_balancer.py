from __future__ import annotations

from collections import Counter

import pytest

from tigercore.ports import NoOptions
from tigercore.testing.balancer import QUOTE, FairBalancerContract, LoadBalancerContract, make_candidates
from tigercore.testing.clock import driver_context
from tigercore_balancers import Random


class TestRandom(LoadBalancerContract):
    @pytest.fixture
    def balancer(self) -> Random:
        return Random(NoOptions(), driver_context())


class TestFairRandom(FairBalancerContract):
    @pytest.fixture
    def balancer(self) -> Random:
        return Random(NoOptions(), driver_context())


def orders(seed: int, count: int, plans: int) -> list[tuple[str, ...]]:
    balancer, candidates = Random(NoOptions(), driver_context(seed=seed)), make_candidates(count)
    return [tuple(c.account.account_name for c in balancer.plan(QUOTE, candidates)) for _ in range(plans)]


def test_a_seed_gives_the_same_plans_again() -> None:
    assert orders(7, 10, 20) == orders(7, 10, 20)


def test_another_seed_gives_others() -> None:
    assert orders(7, 10, 20) != orders(8, 10, 20)


def test_all_orders_are_equally_likely() -> None:
    found = Counter(orders(1, 4, 24_000))
    assert (24, True, True) == (len(found), min(found.values()) > 850, max(found.values()) < 1150)
