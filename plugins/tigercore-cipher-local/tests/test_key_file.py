from __future__ import annotations

import base64
import os
import re
import resource
import signal
import stat
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tigercore.errors import KeyUnavailable
from tigercore_cipher_local import keyfile


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "root.key"


@pytest.fixture
def made(path: Path) -> Path:
    keyfile.create(str(path))
    return path


def _write(path: Path, text: bytes) -> None:
    path.write_bytes(text)
    path.chmod(0o600)


def test_a_new_key_file_is_one_line_of_key_and_checksum(made: Path) -> None:
    start, checksum = made.read_bytes().rstrip(b"\n").rsplit(b":", 1)
    assert (b"tcroot1:", 44, b"%08x" % zlib.crc32(start)) == (start[:8], len(start[8:]), checksum)


def test_a_key_is_read_as_it_was_written(made: Path) -> None:
    assert base64.urlsafe_b64decode(made.read_bytes().split(b":")[1]) == keyfile.read(str(made))


def test_two_key_files_hold_two_keys(made: Path, tmp_path: Path) -> None:
    keyfile.create(str(tmp_path / "other.key"))
    assert keyfile.read(str(made)) != keyfile.read(str(tmp_path / "other.key"))


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_a_new_key_file_is_for_its_owner_alone_whatever_the_umask(path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        keyfile.create(str(path))
    finally:
        os.umask(before)
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)


def test_a_file_without_its_newline_is_read(made: Path) -> None:
    key = keyfile.read(str(made))
    _write(made, made.read_bytes().rstrip())
    assert key == keyfile.read(str(made))


# -- what is refused ---------------------------------------------------------------------------------------


def test_a_file_that_is_there_is_never_overwritten(made: Path) -> None:
    before = made.read_bytes()
    with pytest.raises(KeyUnavailable, match="there already"):
        keyfile.create(str(made))
    assert before == made.read_bytes()


def test_a_dangling_link_is_not_followed_when_a_key_is_made(path: Path, tmp_path: Path) -> None:
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(KeyUnavailable, match="there already"):
        keyfile.create(str(path))
    assert not (tmp_path / "elsewhere").exists()


def test_a_key_file_in_a_missing_directory_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(KeyUnavailable, match="run `mkdir -p -m 700 "):
        keyfile.create(str(tmp_path / "missing" / "root.key"))


@pytest.fixture
def full_disk() -> Iterator[None]:
    """Let this process write no more than ten bytes to a file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.usefixtures("full_disk")
def test_a_key_that_does_not_fit_on_the_disk_leaves_no_file(path: Path) -> None:
    with pytest.raises(KeyUnavailable, match="File too large"):
        keyfile.create(str(path))
    assert [] == list(path.parent.iterdir())


@pytest.mark.parametrize("step", ["write", "fsync", "link"])
def test_a_kill_while_a_key_is_made_leaves_no_file_of_its_name(path: Path, step: str) -> None:
    program = (
        "import os, sys; from tigercore_cipher_local import keyfile; from tigercore_envelope import private_file;"
        "die = lambda *_: os._exit(9);"
        "setattr(*{'write': (private_file, '_fill'), 'fsync': (os, 'fsync'), 'link': (os, 'link')}[sys.argv[1]], die);"
        "keyfile.create(sys.argv[2])"
    )
    assert 9 == subprocess.run([sys.executable, "-c", program, step, str(path)], check=False).returncode
    assert not path.exists()


def test_a_kill_right_after_the_name_was_given_leaves_a_whole_key(path: Path) -> None:
    program = (
        "import os, sys; from tigercore_cipher_local import keyfile;"
        "os.unlink = lambda *_: os._exit(9); keyfile.create(sys.argv[1])"
    )
    assert 9 == subprocess.run([sys.executable, "-c", program, str(path)], check=False).returncode
    assert 32 == len(keyfile.read(str(path)))


def test_a_new_key_file_lies_alone_in_its_directory(made: Path) -> None:
    assert [made] == list(made.parent.iterdir())


def test_a_key_file_is_made_in_the_present_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    keyfile.create("root.key")
    assert 32 == len(keyfile.read("root.key"))


def test_a_missing_file_says_how_to_make_it(path: Path) -> None:
    with pytest.raises(KeyUnavailable, match="tigercore init"):
        keyfile.read(str(path))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o601, 0o620, 0o2640])
def test_a_mode_that_lets_others_in_says_which_command_mends_it(made: Path, mode: int) -> None:
    made.chmod(mode)
    with pytest.raises(KeyUnavailable, match=re.escape(f"chmod 600 {made}")):
        keyfile.read(str(made))


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700, 0o500])
def test_a_file_that_is_its_owners_alone_is_read(made: Path, mode: int) -> None:
    made.chmod(mode)
    assert 32 == len(keyfile.read(str(made)))


def test_a_link_to_a_good_key_file_is_refused(made: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(made)
    with pytest.raises(KeyUnavailable, match="symbolic link"):
        keyfile.read(str(link))


def test_a_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyUnavailable, match="regular file"):
        keyfile.read(str(tmp_path))


def test_a_pipe_is_refused_and_not_waited_for(path: Path) -> None:
    os.mkfifo(path, 0o600)
    with pytest.raises(KeyUnavailable, match="regular file"):
        keyfile.read(str(path))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_refused(made: Path) -> None:
    os.chown(made, 12345, -1)
    with pytest.raises(KeyUnavailable, match="belongs to user 12345"):
        keyfile.read(str(made))


def test_every_changed_character_is_refused(made: Path) -> None:
    line = made.read_bytes()
    for at in range(len(line) - 1):
        for other in b"A0_:\xff":
            changed = line[:at] + bytes([other]) + line[at + 1 :]
            if changed != line:
                _write(made, changed)
                with pytest.raises(KeyUnavailable, match="restore it from your copy"):
                    keyfile.read(str(made))


@pytest.mark.parametrize("change", [b"", b"%s%s", b" %s", b"%s\n", b"%sx", b"\xef\xbb\xbf%s", b"%s" + b"\0" * 4096])
def test_any_other_shape_is_refused(made: Path, change: bytes) -> None:
    line = made.read_bytes()
    _write(made, change.replace(b"%s", line))
    with pytest.raises(KeyUnavailable, match="is not a key file"):
        keyfile.read(str(made))


def test_every_cut_file_is_refused(made: Path) -> None:
    line = made.read_bytes().rstrip()
    for size in range(len(line)):
        _write(made, line[:size])
        with pytest.raises(KeyUnavailable):
            keyfile.read(str(made))


def test_no_error_shows_the_key(made: Path) -> None:
    text = made.read_bytes().split(b":")[1].decode()
    _write(made, made.read_bytes()[:-2])
    with pytest.raises(KeyUnavailable) as caught:
        keyfile.read(str(made))
    assert text not in f"{caught.getrepr(showlocals=False)}{caught.value!r}{caught.value.__context__!r}"
