"""T1-T6: four processes, twenty developers, kills, pauses, lost replies and wrong clocks; and T28: it bites.

`TIGERCORE_TORTURE_SECONDS` says for how long, `TIGERCORE_TORTURE_SEED` repeats who is killed when. Without it the runs
are short, and only the bug is planted that is found within seconds: `test_refresh_model` finds the others.
"""

import os

import pytest

from tests.torture.conftest import Torture

pytestmark = [pytest.mark.floor, pytest.mark.xdist_group("torture")]

TO_BE_CAUGHT = 60.0  # seconds within which a planted bug must be found
DEAD, COUNT, MET = "its token is dead", "accepted", "refreshes at one moment"
SOON = [("alive-unseen", DEAD)]
LATE = [("no-settle", MET), ("lease-is-permission", COUNT), ("no-lease", COUNT), ("retry", DEAD), ("own-clock", DEAD)]
IN_CRASHES = [("no-journal", "a token that was received is lost"), ("no-guard", "an older token has come back")]
IS_LONG = "TIGERCORE_TORTURE_SECONDS" in os.environ
BUGS = [
    *(pytest.param("strict", *each, marks=pytest.mark.sqlite) for each in SOON + LATE * IS_LONG),
    *(pytest.param("crashing", *each, marks=pytest.mark.postgres) for each in IN_CRASHES * IS_LONG),
]


@pytest.mark.parametrize(
    "kind", [pytest.param("sqlite", marks=pytest.mark.sqlite), pytest.param("postgres", marks=pytest.mark.postgres)]
)
@pytest.mark.parametrize("gateway", ["strict", "lenient"])
def test_no_token_is_lost_whoever_is_killed_or_paused(
    torture: Torture, seconds: float, kind: str, gateway: str
) -> None:
    run = torture("fleet", seconds / 2, kind, gateway)
    assert 0 == run.status, run.output


@pytest.mark.postgres
def test_no_token_is_lost_when_the_database_crashes(torture: Torture, seconds: float) -> None:
    run = torture("fleet", seconds / 2, "postgres", "crashing")
    assert 0 == run.status, run.output


@pytest.mark.parametrize(("gateway", "bug", "says"), BUGS)
def test_the_torture_finds_a_bug_that_was_planted(torture: Torture, gateway: str, bug: str, says: str) -> None:
    run = torture("fleet", TO_BE_CAUGHT, "postgres" if gateway == "crashing" else "sqlite", gateway, bug)
    assert 1 == run.status, run.output
    assert says in run.output
