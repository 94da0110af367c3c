from __future__ import annotations

import os
from pathlib import Path

import pytest

from tigercore.errors import KeyUnavailable, SettingsError
from tigercore_cipher_local import LocalCipher, LocalOptions, credential, keyfile


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give this process a directory of credentials, as systemd does."""
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    return tmp_path


@pytest.fixture
def handed(directory: Path) -> Path:
    keyfile.create(str(directory / "root"))
    return directory / "root"


def test_a_credential_holds_what_a_key_file_holds(handed: Path) -> None:
    assert keyfile.read(str(handed)) == credential.read("root")


@pytest.mark.parametrize("mode", [0o400, 0o440, 0o444])
def test_a_credential_is_read_whatever_mode_systemd_gave_it(handed: Path, mode: int) -> None:
    handed.chmod(mode)
    assert 32 == len(credential.read("root"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_credential_is_read_whoever_owns_it(handed: Path) -> None:
    os.chown(handed, 12345, -1)
    assert 32 == len(credential.read("root"))


def test_the_operator_is_told_which_credential_is_the_root(handed: Path) -> None:
    said = LocalCipher.create_root(LocalOptions(credential="root"))
    assert said.startswith("The credential root is the root, local:")
    assert said.endswith("; nothing was made.")


# -- what is refused ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [None, ""])
def test_without_systemd_the_line_of_the_unit_is_named(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    if value is not None:
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", value)
    with pytest.raises(KeyUnavailable, match=r"CREDENTIALS_DIRECTORY is not set.*`LoadCredential=root:/"):
        credential.read("root")


@pytest.mark.usefixtures("directory")
def test_a_credential_that_was_not_handed_over_says_which_line_to_add() -> None:
    with pytest.raises(KeyUnavailable, match=r"no credential root: add `LoadCredential=root:/"):
        credential.read("root")


def test_a_directory_that_is_gone_says_which_line_to_add(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(directory / "gone"))
    with pytest.raises(KeyUnavailable, match=r"add `LoadCredential=root:/"):
        credential.read("root")


@pytest.mark.usefixtures("directory")
def test_a_missing_credential_is_told_in_one_line() -> None:
    with pytest.raises(KeyUnavailable) as caught:
        LocalCipher.create_root(LocalOptions(credential="root"))
    assert [str(caught.value)] == str(caught.value).splitlines()


def test_a_link_is_not_followed(handed: Path) -> None:
    (handed.parent / "link").symlink_to(handed)
    with pytest.raises(KeyUnavailable, match="symbolic link"):
        credential.read("link")


def test_a_credential_that_is_a_directory_is_refused(directory: Path) -> None:
    (directory / "root").mkdir()
    with pytest.raises(KeyUnavailable, match="regular file"):
        credential.read("root")


def test_a_credential_that_is_a_pipe_is_refused_and_not_waited_for(directory: Path) -> None:
    os.mkfifo(directory / "root", 0o600)
    with pytest.raises(KeyUnavailable, match="regular file"):
        credential.read("root")


@pytest.mark.parametrize("content", [b"", b"tcroot1:", bytes(32), b"\0" * 2**20])
def test_a_credential_that_is_no_key_is_refused(directory: Path, content: bytes) -> None:
    (directory / "root").write_bytes(content)
    with pytest.raises(KeyUnavailable, match="is not a key file"):
        credential.read("root")


def test_a_key_with_anything_behind_it_is_refused(handed: Path) -> None:
    handed.write_bytes(handed.read_bytes() + b"\0" * 2**20)
    with pytest.raises(KeyUnavailable, match="is not a key file"):
        credential.read("root")


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "../root", "/etc/passwd", "a\0b", "a\nb", "a\x7fb", "a:b", "root\n", "x" * 256]
)
def test_what_systemd_takes_for_no_name_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match=r"LoadCredential=NAME:PATH"):
        LocalOptions(credential=name)


@pytest.mark.parametrize("name", ["root", "root.key", ".root", "..root", "ключ", "x" * 255])
def test_what_systemd_takes_for_a_name_is_taken(name: str) -> None:
    assert name == LocalOptions(credential=name).credential
