from __future__ import annotations

import pytest

from tigercore.ports import NoOptions
from tigercore.testing._first_balancer import FirstBalancer
from tigercore.testing.balancer import QUOTE, LoadBalancerContract, make_candidates
from tigercore.testing.clock import driver_context


class TestFirstBalancer(LoadBalancerContract):
    @pytest.fixture
    def balancer(self) -> FirstBalancer:
        return FirstBalancer(NoOptions(), driver_context())


def test_the_order_is_kept() -> None:
    candidates = make_candidates(5)
    assert candidates == list(FirstBalancer(NoOptions(), driver_context()).plan(QUOTE, candidates))


async def test_it_opens_as_a_driver() -> None:
    async with FirstBalancer.open(NoOptions(), driver_context()) as balancer:
        assert not list(balancer.plan(QUOTE, []))
