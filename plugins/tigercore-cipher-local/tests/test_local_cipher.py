from __future__ import annotations

import base64
import os
from importlib.metadata import entry_points
from itertools import combinations
from pathlib import Path
from typing import Any
from uuid import UUID

import attrs
import pytest

from tigercore.errors import KeyUnavailable, SettingsError
from tigercore.model import KeyRing, Secret
from tigercore.ports import Cipher
from tigercore.testing.clock import driver_context
from tigercore_cipher_local import LocalCipher, LocalOptions, keyfile
from tigercore_cipher_local.passphraseroot import PassphraseRoot
from tigercore_cipher_local.stretch import Stretch

_RING = UUID(int=9)


def _master_key() -> Secret:
    return Secret(base64.b64encode(os.urandom(32)).decode())


async def _ring(cipher: Cipher) -> KeyRing:
    """Return a new ring of one key, as a store keeps it."""
    ring = KeyRing(_RING, 1)
    ring = await cipher.authenticate(attrs.evolve(ring, keys=(await cipher.create_key(ring),)))
    return attrs.evolve(ring, version=ring.version + 1)


def test_the_cipher_is_found_under_its_name() -> None:
    (entry,) = entry_points(group="tigercore.ciphers", name="local")
    assert entry.load() is LocalCipher


# -- options -----------------------------------------------------------------------------------------------


_WAYS: dict[str, Any] = {
    "master_key": Secret("key"),
    "key_file": "root.key",
    "credential": "root",
    "passphrase": Secret("x" * 12),
    "ask_passphrase": True,
}


@pytest.mark.parametrize("way", _WAYS)
def test_one_root_is_taken(way: str) -> None:
    assert _WAYS[way] == getattr(LocalOptions(**{way: _WAYS[way]}), way)


@pytest.mark.parametrize("options", [{}, {"ask_passphrase": False}])
def test_no_root_is_refused_with_every_way_to_give_one(options: dict[str, Any]) -> None:
    with pytest.raises(
        SettingsError, match=r"not none: .*MASTER_KEY.*`key_file`.*`tigercore init`.*`credential`.*`ask_passphrase`"
    ):
        LocalOptions(**options)


@pytest.mark.parametrize("ways", list(combinations(_WAYS, 2)))
def test_two_roots_are_refused(ways: tuple[str, str]) -> None:
    with pytest.raises(SettingsError, match="not 2: "):
        LocalOptions(**{way: _WAYS[way] for way in ways})


def test_a_path_with_a_nul_is_refused() -> None:
    with pytest.raises(SettingsError, match="holds a NUL"):
        LocalOptions(key_file="root\0.key")


@pytest.mark.parametrize("way", ["master_key", "passphrase"])
def test_the_options_show_no_secret(way: str) -> None:
    options: dict[str, Any] = {way: Secret("an entirely good secret")}
    assert "an entirely good secret" not in repr(LocalOptions(**options))


# -- a master key ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 16, 31, 33, 64])
def test_a_master_key_of_another_size_is_refused(size: int) -> None:
    key = Secret(base64.b64encode(os.urandom(size)).decode())
    with pytest.raises(KeyUnavailable, match="openssl rand -base64 32"):
        LocalCipher.create_root(LocalOptions(master_key=key))


@pytest.mark.parametrize("text", ["not base64!", "ключ", "AAAA" * 10 + "A==", "0" * 64])
def test_a_master_key_that_is_not_base64_of_32_bytes_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(KeyUnavailable) as caught:
        LocalCipher.create_root(LocalOptions(master_key=Secret(text)))
    assert [str(caught.value)] == str(caught.value).splitlines()
    assert text not in f"{caught.value!r} {caught.value.__context__!r}"


def test_a_newline_behind_a_master_key_does_no_harm() -> None:
    key = _master_key()
    options = [LocalOptions(master_key=Secret(text)) for text in (key.reveal(), key.reveal() + "\n")]
    assert 1 == len({LocalCipher.create_root(option) for option in options})


async def test_a_master_key_and_a_key_file_of_the_same_bytes_are_one_root(tmp_path: Path) -> None:
    file = LocalOptions(key_file=str(tmp_path / "root.key"))
    LocalCipher.create_root(file)
    key = base64.b64encode(keyfile.read(str(tmp_path / "root.key"))).decode()
    async with (
        LocalCipher.open(file, driver_context()) as one,
        LocalCipher.open(LocalOptions(master_key=Secret(key)), driver_context()) as two,
    ):
        await two.unlock(await _ring(one))


# -- a passphrase ------------------------------------------------------------------------------------------


def test_a_passphrase_is_checked_and_nothing_is_made() -> None:
    said = LocalCipher.create_root(LocalOptions(passphrase=Secret("x" * 12)))
    assert "The passphrase is the root; nothing was made." == said


def test_a_short_passphrase_is_no_root() -> None:
    with pytest.raises(KeyUnavailable, match="fewer than 12 characters"):
        LocalCipher.create_root(LocalOptions(passphrase=Secret("x" * 11)))


async def test_a_ring_that_was_made_with_a_passphrase_opens_with_it_in_another_process() -> None:
    options = LocalOptions(passphrase=Secret("an entirely good passphrase"))
    async with (
        LocalCipher.open(options, driver_context()) as one,
        LocalCipher.open(options, driver_context()) as two,
    ):
        ring = await _ring(one)
        await one.unlock(ring)
        await two.unlock(ring)
        assert b"secret" == two.decrypt(one.encrypt(b"secret", context=b"place"), context=b"place")


async def test_a_ring_of_another_passphrase_says_that_it_is_the_wrong_one() -> None:
    one, two = (PassphraseRoot(Secret(text), Stretch(bytes(16), 19 * 1024, 2, 1)) for text in ("a" * 12, "b" * 12))
    maker, stranger = (LocalCipher(None, driver_context(), root) for root in (one, two))
    with pytest.raises(KeyUnavailable, match="wrong passphrase: give the one that this ring was made with") as caught:
        await stranger.unlock(await _ring(maker))
    assert [str(caught.value)] == str(caught.value).splitlines()


# -- what the operator is told -----------------------------------------------------------------------------


def test_a_new_key_file_comes_with_the_advice_to_copy_it(tmp_path: Path) -> None:
    path = tmp_path / "root.key"
    said = LocalCipher.create_root(LocalOptions(key_file=str(path)))
    assert said.startswith(f"Made the key file {path}, local:")
    assert said.endswith("keep a copy elsewhere: it opens every secret.")


def test_a_key_file_that_is_there_is_found_and_left(tmp_path: Path) -> None:
    path = tmp_path / "root.key"
    keyfile.create(str(path))
    before = path.read_bytes()
    assert LocalCipher.create_root(LocalOptions(key_file=str(path))).startswith(f"Found the key file {path}, local:")
    assert before == path.read_bytes()


def test_a_damaged_key_file_is_refused_and_left(tmp_path: Path) -> None:
    path = tmp_path / "root.key"
    path.touch(0o600)
    with pytest.raises(KeyUnavailable, match="is not a key file"):
        LocalCipher.create_root(LocalOptions(key_file=str(path)))
    assert b"" == path.read_bytes()


async def test_a_ring_of_another_root_says_what_to_do() -> None:
    one, two = (LocalOptions(master_key=_master_key()) for _ in range(2))
    async with LocalCipher.open(one, driver_context()) as cipher, LocalCipher.open(two, driver_context()) as stranger:
        ring = await _ring(cipher)
        with pytest.raises(
            KeyUnavailable,
            match=r"wrapped by local:\w{8}, .* local:\w{8}: this root key did not.*; give the root that made",
        ):
            await stranger.unlock(ring)


async def test_no_key_of_the_root_is_shown_by_what_is_kept() -> None:
    key = _master_key()
    async with LocalCipher.open(LocalOptions(master_key=key), driver_context()) as cipher:
        ring = await _ring(cipher)
        await cipher.unlock(ring)
        raw = base64.b64decode(key.reveal())
        shown = f"{cipher!r} {vars(cipher)!r} {vars(cipher._root)!r} {ring!r}"
        assert [] == [text for text in (key.reveal(), raw.hex(), repr(raw)[2:-1]) if text in shown]
