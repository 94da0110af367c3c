from __future__ import annotations

from importlib.metadata import entry_points

import pytest

import tigercore_balancers
from tigercore.model import LoadBalanceStrategy


@pytest.mark.parametrize(
    ("name", "balancer"),
    [
        ("round_robin", tigercore_balancers.RoundRobin),
        ("random", tigercore_balancers.Random),
        ("least_used", tigercore_balancers.LeastUsed),
        ("fastest_response", tigercore_balancers.FastestResponse),
    ],
)
def test_a_strategy_is_found_by_its_name(name: str, balancer: type) -> None:
    (found,) = entry_points(group="tigercore.balancers", name=name)
    assert balancer is found.load()


def test_every_strategy_of_the_requirement_is_here() -> None:
    assert {*LoadBalanceStrategy} <= {entry.name for entry in entry_points(group="tigercore.balancers")}
