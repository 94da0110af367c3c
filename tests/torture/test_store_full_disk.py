"""The disk of a SQLite store fills up, and has space again."""

import shutil
from pathlib import Path

import pytest

from tests.torture.conftest import Torture

pytestmark = [pytest.mark.sqlite, pytest.mark.floor, pytest.mark.xdist_group("syscalls")]


def test_a_full_disk_is_told_in_words_and_loses_nothing_and_is_written_on_once_there_is_space(
    torture: Torture, seconds: float
) -> None:
    run = torture("full_disk", max(10, seconds / 10))
    assert 0 == run.status, run.output


def test_where_nothing_may_be_mounted_strace_lets_writes_fail_instead(
    torture: Torture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed")
    (tmp_path / "strace").symlink_to(strace)
    monkeypatch.setenv("PATH", str(tmp_path))
    run = torture("full_disk", 2)
    assert 0 == run.status, run.output
    assert "WITHOUT a disk of its own" in run.output


def test_a_batch_that_a_full_disk_tears_is_found(torture: Torture) -> None:
    run = torture("full_disk", 60, "torn-batch")
    assert 1 == run.status, run.output
    assert "is not as acknowledged" in run.output
