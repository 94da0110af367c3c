"""Eight processes read, add one and write: no update is lost, and none is there that was not acknowledged."""

import pytest

from tests.torture.conftest import Torture

pytestmark = [pytest.mark.floor, pytest.mark.xdist_group("torture")]

BACKENDS = [pytest.param(name, marks=getattr(pytest.mark, name)) for name in ("sqlite", "postgres")]


@pytest.mark.parametrize("backend", BACKENDS)
def test_eight_processes_lose_no_update(torture: Torture, seconds: float, backend: str) -> None:
    run = torture("counting", seconds / 10, backend)
    assert 0 == run.status, run.output


@pytest.mark.sqlite
@pytest.mark.parametrize(
    ("bug", "says"),
    [
        ("late-begin", "SQLITE_BUSY"),
        ("blind-swap", "800 were acknowledged; "),
    ],
)
def test_counting_finds_a_bug_that_was_planted(torture: Torture, bug: str, says: str) -> None:
    run = torture("counting", 60, "sqlite", bug)  # it ends with the first round that finds it
    assert 1 == run.status, run.output
    assert says in run.output
