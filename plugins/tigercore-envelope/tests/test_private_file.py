"""Files of keys: who may read them, and what is left of one whose writer was killed."""

from __future__ import annotations

import errno
import os
import re
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tigercore.errors import KeyUnavailable
from tigercore_envelope import create_private, read_private

_TEXT = b"a key, and nothing else"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the place of a file, alone in its directory."""
    (tmp_path / "keys").mkdir()
    return tmp_path / "keys" / "root.key"


@pytest.fixture
def made(path: Path) -> Path:
    create_private(str(path), _TEXT)
    return path


def _read(path: Path, *, ours: bool = True) -> bytes:
    return read_private(str(path), 4096, ours=ours)


def _refused(path: Path, words: str, *, ours: bool = True) -> None:
    with pytest.raises(KeyUnavailable, match=words) as caught:
        _read(path, ours=ours)
    assert [str(caught.value)] == str(caught.value).splitlines()


# -- a new file --------------------------------------------------------------------------------------------


def test_what_was_written_is_read(made: Path) -> None:
    assert _TEXT == _read(made)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o277, 0o777])
def test_a_new_file_is_for_its_owner_alone_whatever_the_umask(path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        create_private(str(path), _TEXT)
    finally:
        os.umask(before)
    assert (0o600, _TEXT) == (stat.S_IMODE(path.stat().st_mode), path.read_bytes())


def test_a_new_file_lies_alone_in_its_directory(made: Path) -> None:
    assert ([made], 1) == (list(made.parent.iterdir()), made.stat().st_nlink)


def test_a_file_is_made_in_the_present_directory(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    create_private(path.name, _TEXT)
    assert _TEXT == read_private(path.name, 4096)


def test_a_file_that_is_there_is_left_as_it_is_and_no_draft_of_another_stays(made: Path) -> None:
    with pytest.raises(KeyUnavailable, match="there already"):
        create_private(str(made), b"another")
    assert ([made], _TEXT) == (list(made.parent.iterdir()), made.read_bytes())


@pytest.mark.parametrize("target", ["elsewhere", "."])
def test_a_link_is_not_followed_when_a_file_is_made(path: Path, target: str) -> None:
    path.symlink_to(path.parent / target)
    with pytest.raises(KeyUnavailable, match="there already"):
        create_private(str(path), _TEXT)
    assert [path] == list(path.parent.iterdir())


def test_a_directory_that_is_missing_is_to_be_made(path: Path) -> None:
    with pytest.raises(KeyUnavailable, match=re.escape(f"run `mkdir -p -m 700 {path}`, or name another")):
        create_private(str(path / "deeper"), _TEXT)


def test_a_file_system_without_hard_links_is_told_and_keeps_no_draft(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(KeyUnavailable, match="name a place that has hard links and modes"):
        create_private(str(path), _TEXT)
    assert [] == list(path.parent.iterdir())


# -- a file whose writer, or machine, stops ----------------------------------------------------------------


def _die_at(step: str, path: Path) -> None:
    """Make a file in a process that ends at the first call of `step`, as if it was killed there."""
    program = (
        "import os, sys, tempfile; from tigercore_envelope import create_private, private_file; name = sys.argv[1];"
        "place = {'_fill': private_file, 'mkstemp': tempfile}.get(name, os);"
        "setattr(place, name, lambda *_, **__: os._exit(9));"
        f"create_private(sys.argv[2], {_TEXT!r})"
    )
    assert 9 == subprocess.run([sys.executable, "-c", program, step, str(path)], check=False).returncode


@pytest.mark.parametrize("step", ["mkstemp", "_fill", "fchmod", "fsync", "link"])
def test_a_kill_before_the_name_is_given_leaves_no_file_of_it(path: Path, step: str) -> None:
    _die_at(step, path)
    assert not path.exists()
    create_private(str(path), _TEXT)  # what was left is in nobody's way
    assert _TEXT == _read(path)


def test_a_kill_after_the_name_was_given_leaves_the_whole_file(path: Path) -> None:
    _die_at("unlink", path)
    assert _TEXT == _read(path)


@pytest.mark.parametrize("step", ["_fill", "fchmod", "fsync", "link"])
def test_what_a_kill_leaves_is_for_its_owner_alone(path: Path, step: str) -> None:
    before = os.umask(0)
    try:
        _die_at(step, path)
    finally:
        os.umask(before)
    assert [0] == [left.stat().st_mode & 0o077 for left in path.parent.iterdir()]


def test_a_file_has_its_name_once_it_is_on_the_disk_and_then_the_name_is_too(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []

    def noted(name: str, call: Callable[..., Any], told: Callable[..., str]) -> None:
        def note(*given: Any) -> Any:
            steps.append(told(*given))
            return call(*given)

        monkeypatch.setattr(os, name, note)

    def synced(handle: int) -> str:
        found = os.fstat(handle)
        return "sync of a directory" if stat.S_ISDIR(found.st_mode) else f"sync of {found.st_size} bytes"

    noted("fsync", os.fsync, synced)
    noted("link", os.link, lambda *_: "name")
    create_private(str(path), _TEXT)
    assert [f"sync of {len(_TEXT)} bytes", "name", "sync of a directory"] == steps


# -- what is read, and what is not -------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1, len(_TEXT) - 1, len(_TEXT), len(_TEXT) + 1])
def test_no_more_than_the_limit_is_read(made: Path, limit: int) -> None:
    assert _TEXT[:limit] == read_private(str(made), limit)


def test_a_file_that_is_missing_says_how_to_make_it(path: Path) -> None:
    _refused(path, "no such file or directory: .*`tigercore init`")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o644, 0o777])
def test_a_mode_that_lets_others_in_says_which_command_mends_it(made: Path, mode: int) -> None:
    made.chmod(mode)
    _refused(made, re.escape(f"has mode {mode:04o}, others may read the key: run `chmod 600 {made}`"))


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_a_mode_that_lets_nobody_else_in_is_good(made: Path, mode: int) -> None:
    made.chmod(mode)
    assert _TEXT == _read(made)


@pytest.mark.parametrize("ours", [True, False])
def test_a_link_to_a_good_file_is_refused(made: Path, ours: bool) -> None:
    link = made.with_name("link")
    link.symlink_to(made)
    _refused(link, "a symbolic link: name the key file itself", ours=ours)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_file_of_another_user_is_refused(made: Path, mode: int) -> None:
    made.chmod(mode)
    os.chown(made, 12345, -1)
    _refused(made, re.escape(f"belongs to user 12345: run `chown {os.geteuid()} {made}`"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_that_need_not_be_ours_is_read_whoever_else_may(made: Path) -> None:
    os.chown(made, 12345, -1)
    made.chmod(0o644)
    assert _TEXT == _read(made, ours=False)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_we_may_not_read_is_told(made: Path) -> None:
    made.chmod(0)
    _refused(made, "permission denied")


@pytest.mark.parametrize("ours", [True, False])
def test_a_directory_is_refused(path: Path, ours: bool) -> None:
    _refused(path.parent, "not a regular file", ours=ours)


@pytest.mark.parametrize("ours", [True, False])
def test_a_pipe_is_refused_and_not_waited_for(path: Path, ours: bool) -> None:
    os.mkfifo(path, 0o600)
    _refused(path, "not a regular file", ours=ours)


def test_a_pipe_that_somebody_writes_to_is_refused_too(path: Path) -> None:
    os.mkfifo(path, 0o600)
    handle = os.open(path, os.O_RDWR)
    try:
        os.write(handle, _TEXT)
        _refused(path, "not a regular file")
    finally:
        os.close(handle)


def test_a_device_is_refused() -> None:
    _refused(Path("/dev/zero"), "not a regular file", ours=False)


def test_a_socket_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("root.key")
        with pytest.raises(KeyUnavailable, match=r"^root\.key: not a regular file: name the key file itself$"):
            read_private("root.key", 4096)


def test_no_file_stays_open(path: Path, made: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(10):
        _read(made)
        made.chmod(0o644)
        _refused(made, "has mode")
        made.chmod(0o600)
    assert before == len(os.listdir("/proc/self/fd"))
