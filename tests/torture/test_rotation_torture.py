"""T10: rotations beside eight writers and new programs, any of which may be killed or paused; and T28: it bites.

`TIGERCORE_TORTURE_SECONDS` says for how long, `TIGERCORE_TORTURE_SEED` repeats who is killed when.
"""

import pytest

from tests.torture.conftest import Torture

pytestmark = [pytest.mark.sqlite, pytest.mark.floor, pytest.mark.xdist_group("torture")]

TO_BE_CAUGHT = 60.0  # seconds within which a planted bug must be found


def test_every_row_opens_at_every_moment_of_a_storm_and_no_acknowledged_write_is_lost(
    torture: Torture, seconds: float
) -> None:
    run = torture("storm", seconds)
    assert 0 == run.status, run.output


@pytest.mark.parametrize(
    ("bug", "says"),
    [
        ("floor", "rows are below min_decrypt"),
        ("compare-and-swap", "was acknowledged"),
        ("late-writers", "min_decrypt"),  # rows below it, or a rotation that could not raise it
    ],
)
def test_the_storm_finds_a_bug_that_was_planted(torture: Torture, bug: str, says: str) -> None:
    run = torture("storm", TO_BE_CAUGHT, bug)
    assert 1 == run.status, run.output
    assert says in run.output
