"""T7 and T8 of a rotation: it is killed, or the disk fails or fills up, at any system call that changes a file."""

import os
from pathlib import Path

import pytest

from tests.torture.conftest import Torture

pytestmark = [pytest.mark.sqlite, pytest.mark.floor, pytest.mark.xdist_group("syscalls")]


def test_a_rotation_that_is_hurt_at_any_system_call_loses_nothing_and_comes_to_its_end(
    torture: Torture, seconds: float
) -> None:
    everything = "TIGERCORE_TORTURE_SECONDS" in os.environ
    run = torture("syscalls", 0 if everything else seconds, "rotation")
    assert 0 == run.status, run.output


def test_without_strace_a_rotation_is_killed_at_random_moments_instead(
    torture: Torture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    run = torture("syscalls", 5, "rotation")
    assert 0 == run.status, run.output
    assert "WITHOUT strace" in run.output


def test_a_ring_that_is_written_in_two_transactions_is_found(torture: Torture) -> None:
    run = torture("syscalls", 60, "rotation", "torn-ring")
    assert 1 == run.status, run.output
    assert "who came after did not end well" in run.output
