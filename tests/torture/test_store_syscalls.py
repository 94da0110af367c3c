"""Writes of accounts on SQLite are killed, or meet a failing or full disk, at every system call that changes a file."""

import os

import pytest

from tests.torture.conftest import Torture

pytestmark = [pytest.mark.sqlite, pytest.mark.floor, pytest.mark.xdist_group("syscalls")]


@pytest.mark.parametrize("write", ["create", "update", "delete"])
def test_a_write_that_is_hurt_at_any_system_call_is_there_as_a_whole_or_not_at_all(
    torture: Torture, seconds: float, write: str
) -> None:
    everything = "TIGERCORE_TORTURE_SECONDS" in os.environ
    run = torture("syscalls", 0 if everything else seconds / 2, write)
    assert 0 == run.status, run.output


def test_a_copy_that_is_hurt_at_a_system_call_leaves_the_source_whole_and_no_half_a_store(
    torture: Torture, seconds: float
) -> None:
    run = torture("syscalls", seconds / 2, "copy")
    assert 0 == run.status, run.output


@pytest.mark.parametrize(
    ("write", "bug", "says"),
    [
        ("create", "torn-batch", "stands; right is one of"),
        ("create", "early-acknowledgement", "stands; right is one of"),
        ("copy", "torn-batch", "the target holds (3, "),
    ],
)
def test_the_kills_find_a_bug_that_was_planted(torture: Torture, write: str, bug: str, says: str) -> None:
    run = torture("syscalls", 60, write, bug)
    assert 1 == run.status, run.output
    assert says in run.output
