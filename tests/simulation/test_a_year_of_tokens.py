"""A year of fifty accounts under random faults. A seed is replayed by `python -m tests.simulation.year SEED`.

`TIGERCORE_SEEDS` says how many seeds are lived through.
"""

from __future__ import annotations

import os

import pytest

from tests.simulation.year import live

pytestmark = pytest.mark.floor

SEEDS = int(os.environ.get("TIGERCORE_SEEDS", "4"))


@pytest.mark.parametrize("seed", range(1, SEEDS + 1))
def test_a_year_costs_no_token_and_every_refresh_is_accounted_for(seed: int) -> None:
    year = live(seed)
    assert [] == year.broken, f"replay it: python -m tests.simulation.year {seed}"
    assert year.told["accepted"] > 900
    assert year.told["gateway"] * year.told["store"] * year.told["clock"] > 0


def test_a_seed_that_fails_is_replayed_to_the_same_fault() -> None:
    one, again = live(1, settle=15.0), live(1, settle=15.0)  # the gateway may take 40 s: that is too soon to ask
    assert one.broken
    assert (one.broken, one.trace.hexdigest()) == (again.broken, again.trace.hexdigest())
