"""The identity of a recovery cipher: its options, its file, and what the operator is told."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

import pytest
from pyrage import x25519

from tigercore.errors import KeyUnavailable, SettingsError
from tigercore.testing.clock import driver_context
from tigercore_envelope import RecoveryCipher, RecoveryOptions


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "safe.key"


# -- options, and what the operator is told ----------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"identity_file": "safe.key", "recipient": "age1"}])
def test_exactly_one_of_identity_and_recipient_is_taken(options: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="either `identity_file`, or the `recipient`"):
        RecoveryOptions(**options)


def test_a_path_with_a_nul_is_refused_with_the_settings() -> None:
    with pytest.raises(SettingsError, match="`identity_file` holds a NUL"):
        RecoveryOptions(identity_file="a\0b")


def _create(path: Path) -> str:
    return RecoveryCipher.create_root(RecoveryOptions(identity_file=str(path)))


def test_a_new_identity_is_made_as_age_keygen_makes_it(path: Path) -> None:
    _create(path)
    public, identity = path.read_text().splitlines()
    assert f"# public key: {x25519.Identity.from_str(identity).to_public()}" == public
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)


def test_a_new_identity_comes_with_the_advice_to_move_it(path: Path) -> None:
    said = _create(path)
    public = path.read_text().split()[3]
    assert f"Made the recovery identity {path} of {public}; move it to a safe, off this machine." == said


def test_an_identity_that_is_there_is_found_and_left(path: Path) -> None:
    _create(path)
    before = path.read_bytes()
    assert _create(path).startswith(f"Found the recovery identity {path} of age1")
    assert before == path.read_bytes()


@pytest.mark.parametrize("text", ["", "not an identity", "# only a comment\n"])
def test_a_file_that_is_no_identity_is_refused_and_left(path: Path, text: str) -> None:
    _write(path, text)
    with pytest.raises(KeyUnavailable):
        _create(path)
    assert text == path.read_text()


def test_a_recipient_is_checked_and_nothing_is_made(tmp_path: Path) -> None:
    public = str(x25519.Identity.generate().to_public())
    said = RecoveryCipher.create_root(RecoveryOptions(recipient=public))
    assert (f"The recovery recipient is {public}; nothing was made.", []) == (said, list(tmp_path.iterdir()))


def test_a_recipient_that_is_none_is_refused() -> None:
    with pytest.raises(KeyUnavailable, match="begins with age1"):
        RecoveryCipher.create_root(RecoveryOptions(recipient="age1nonsense"))


# -- the identity file -------------------------------------------------------------------------------------


def _write(path: Path, text: str) -> None:
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    path.chmod(0o600)


async def _identity_of(path: Path) -> str:
    async with RecoveryCipher.open(RecoveryOptions(identity_file=str(path)), driver_context()) as cipher:
        return cipher._root.identity()


@pytest.mark.parametrize(
    "form",
    [
        "{}",
        "{}\n",
        "{}\r\n",
        "# created: 2026-01-05T12:00:00Z\n# public key: age1\n{}\n",
        "# created\r\n# public key: age1\r\n{}\r\n",
        "\n\n  \n{}\n\n",
        "{} \t\n",
        "# каждый\n{}\n",
        "{}\n# and behind it\n",
    ],
)
async def test_an_identity_is_read_in_every_form_of_its_file(path: Path, form: str) -> None:
    identity = x25519.Identity.generate()
    _write(path, form.format(identity))
    assert str(identity.to_public()) == await _identity_of(path)


@pytest.mark.parametrize(
    "form",
    [
        "",
        "# {0}\n",
        "{0}\n{1}\n",
        "{0}\n{0}\n",
        "{0}{1}\n",
        "{0} {1}\n",
        "identity: {0}\n",
        "{0}x",
        "\udcff{0}",
        "-{0}-",
    ],
)
async def test_any_other_file_is_refused_in_one_line_that_shows_nothing_of_it(path: Path, form: str) -> None:
    one, two = x25519.Identity.generate(), x25519.Identity.generate()
    _write(path, form.format(one, two))
    with pytest.raises(KeyUnavailable, match=r"is not an identity file|not an age identity") as caught:
        await _identity_of(path)
    shown = f"{caught.value!r}{caught.value.__cause__!r}{caught.value.__context__!r}"
    assert (1, []) == (len(str(caught.value).splitlines()), [each for each in (one, two) if str(each)[16:] in shown])


async def test_an_identity_that_others_may_read_is_refused(path: Path) -> None:
    _create(path)
    os.chmod(path, 0o640)
    with pytest.raises(KeyUnavailable, match=re.escape(f"chmod 600 {path}")):
        await _identity_of(path)


async def test_a_link_to_an_identity_is_refused(path: Path) -> None:
    _create(path)
    link = path.with_name("link")
    link.symlink_to(path)
    with pytest.raises(KeyUnavailable, match="symbolic link"):
        await _identity_of(link)


async def test_a_missing_identity_is_refused_when_the_cipher_opens(path: Path) -> None:
    with pytest.raises(KeyUnavailable, match="no such file"):
        await _identity_of(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
async def test_an_identity_of_another_user_is_refused(path: Path) -> None:
    _create(path)
    os.chown(path, 12345, -1)
    with pytest.raises(KeyUnavailable, match="belongs to user 12345"):
        await _identity_of(path)
