"""PostgreSQL is stopped at once under load, and started again: nothing acknowledged is lost, and all go on."""

import os

import pytest

from tests.torture.conftest import Torture

pytestmark = [pytest.mark.postgres, pytest.mark.floor, pytest.mark.xdist_group("torture")]


def test_a_server_that_crashes_under_load_loses_nothing_acknowledged_and_all_go_on_by_themselves(
    torture: Torture, seconds: float
) -> None:
    everything = "TIGERCORE_TORTURE_SECONDS" in os.environ
    run = torture("outages", 0 if everything else seconds / 2)
    assert 0 == run.status, run.output


@pytest.mark.parametrize(
    ("bug", "says"),
    [
        ("torn-batch", ", refused: ["),
        ("early-acknowledgement", ", acknowledged: [] stand"),
    ],
)
def test_the_crashes_find_a_bug_that_was_planted(torture: Torture, bug: str, says: str) -> None:
    run = torture("outages", 8, bug)
    assert 1 == run.status, run.output
    assert says in run.output
