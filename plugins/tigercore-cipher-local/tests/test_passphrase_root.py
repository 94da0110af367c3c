from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from typing import Any

import attrs
import pytest
import trio
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from trio.testing import wait_all_tasks_blocked

from tigercore.errors import KeyUnavailable
from tigercore.model import Secret
from tigercore_cipher_local.passphraseroot import PassphraseRoot
from tigercore_cipher_local.root import LocalRoot
from tigercore_cipher_local.stretch import Stretch
from tigercore_envelope import Kek, lp, seal

_PASSPHRASE = Secret("an entirely good passphrase")
_FRONT = 28


def _cheap() -> Stretch:
    return Stretch(os.urandom(16), 19 * 1024, 2, 1)


def _root(passphrase: Secret = _PASSPHRASE) -> PassphraseRoot:
    return PassphraseRoot(passphrase, _cheap())


def _context(version: int = 1) -> dict[str, str]:
    return {"app": "tigercore", "keyring": "a ring", "kek": str(version)}


def _flip(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


class Counted:
    """Argon2id itself, behind a gate that is open at first; `runs` tells how often it was made to run."""

    def __init__(self) -> None:
        self.runs = 0
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, **cost: Any) -> Gated:
        return Gated(self, Argon2id(**cost))


@attrs.frozen
class Gated:
    counted: Counted
    argon2: Argon2id

    def derive(self, passphrase: bytes) -> bytes:
        self.counted.runs += 1
        assert self.counted.gate.wait(timeout=30)
        return self.argon2.derive(passphrase)


@pytest.fixture
def argon2(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counted]:
    counted = Counted()
    monkeypatch.setattr("tigercore_cipher_local.stretch.Argon2id", counted)
    yield counted
    counted.gate.set()


@pytest.fixture
def key() -> bytes:
    return os.urandom(32)


# -- wrap and unwrap ---------------------------------------------------------------------------------------


async def test_another_process_unwraps_with_the_same_passphrase(key: bytes) -> None:
    assert key == await _root().unwrap(await _root().wrap(key, _context()), _context())


async def test_another_keyboard_gives_the_same_passphrase(key: bytes) -> None:
    wrapped = await _root(Secret("a passphrasé")).wrap(key, _context())
    assert key == await _root(Secret("a passphrase\u0301")).unwrap(wrapped, _context())


async def test_a_wrapped_key_is_a_stretch_and_an_envelope_bound_to_it(key: bytes) -> None:
    stretch = _cheap()
    context = lp(b"tigercore.root.1", b"kek", b"7", b"stretch", stretch.header().hex().encode())
    envelope = seal(Kek(0, stretch.derive(b"an entirely good passphrase")), key, context)
    assert key == await _root().unwrap(stretch.header() + envelope, {"kek": "7"})


async def test_a_wrapped_key_shows_neither_key_nor_passphrase(key: bytes) -> None:
    wrapped = await _root().wrap(key, _context())
    assert (False, False) == (key in wrapped, _PASSPHRASE.reveal().encode() in wrapped)


def test_a_root_is_named_by_its_salt() -> None:
    salt = bytes.fromhex("0102abcd") + bytes(12)
    assert "local:passphrase-0102abcd" == PassphraseRoot(_PASSPHRASE, Stretch(salt)).identity()


def test_every_new_root_has_a_salt_of_its_own() -> None:
    assert 8 == len({PassphraseRoot(_PASSPHRASE).identity() for _ in range(8)})


async def test_who_has_unwrapped_a_key_of_a_ring_goes_by_the_same_name(key: bytes) -> None:
    maker, opener = _root(), _root()
    await opener.unwrap(await maker.wrap(key, _context()), _context())
    assert maker.identity() == opener.identity()


async def test_a_root_shows_no_passphrase(key: bytes) -> None:
    root = _root()
    await root.wrap(key, _context())
    assert _PASSPHRASE.reveal() not in f"{root!r}{vars(root)!r}"


# -- what is refused ---------------------------------------------------------------------------------------


async def test_a_wrong_passphrase_is_told_in_one_line_that_does_not_show_it(key: bytes) -> None:
    wrong = "a wrong passphrase"
    with pytest.raises(KeyUnavailable, match=r"^wrong passphrase: give the one that this ring was made with") as caught:
        await _root(Secret(wrong)).unwrap(await _root().wrap(key, _context()), _context())
    assert [str(caught.value)] == str(caught.value).splitlines()
    assert wrong not in f"{caught.value!r}{caught.value.__cause__!r}{caught.value.__context__!r}"


def test_a_short_passphrase_is_refused_at_once() -> None:
    with pytest.raises(KeyUnavailable, match="fewer than 12 characters"):
        _root(Secret("x" * 11))


@pytest.mark.parametrize("other", [{}, _context(2), {**_context(), "keyring": "another"}, {**_context(), "more": "x"}])
async def test_a_key_that_was_put_in_another_place_is_refused(key: bytes, other: dict[str, str]) -> None:
    root = _root()
    wrapped = await root.wrap(key, _context())
    with pytest.raises(KeyUnavailable):
        await root.unwrap(wrapped, other)


async def test_the_fronts_of_two_keys_cannot_be_exchanged(key: bytes) -> None:
    one, two = [await _root().wrap(key, _context()) for _ in range(2)]
    with pytest.raises(KeyUnavailable):
        await _root().unwrap(one[:_FRONT] + two[_FRONT:], _context())


@pytest.mark.parametrize("at", [0, 7, 9, 11, 12, 27, 28, 60, 120, -1])
async def test_no_part_of_a_wrapped_key_may_be_changed(key: bytes, at: int) -> None:
    wrapped = await _root().wrap(key, _context())
    with pytest.raises(KeyUnavailable):
        await _root().unwrap(_flip(wrapped, at % len(wrapped)), _context())


async def test_an_envelope_that_is_not_bound_to_its_front_is_refused(key: bytes) -> None:
    stretch = _cheap()
    unbound = await LocalRoot(stretch.derive(b"an entirely good passphrase")).wrap(key, _context())
    with pytest.raises(KeyUnavailable):
        await _root().unwrap(stretch.header() + unbound, _context())


async def test_every_cut_key_is_refused(key: bytes) -> None:
    root = _root()
    wrapped = await root.wrap(key, _context())
    for size in range(len(wrapped)):
        with pytest.raises(KeyUnavailable):
            await root.unwrap(wrapped[:size], _context())


async def test_what_a_root_key_has_wrapped_is_refused_without_a_stretch(key: bytes, argon2: Counted) -> None:
    wrapped = await LocalRoot(os.urandom(32)).wrap(key, _context())
    with pytest.raises(KeyUnavailable, match="no passphrase wrapped it"):
        await _root().unwrap(wrapped, _context())
    assert 0 == argon2.runs


@pytest.mark.parametrize(
    "front", ["ffffffff00030004", "00400001 0003 0004", "00400000 ffff 0004", "00000001 0001 0001"]
)
async def test_a_cost_out_of_bounds_is_refused_without_a_stretch(key: bytes, argon2: Counted, front: str) -> None:
    wrapped = await _root().wrap(key, _context())
    with pytest.raises(KeyUnavailable, match="out of bounds"):
        await _root().unwrap(b"TGP1" + bytes.fromhex(front) + wrapped[12:], _context())
    assert 1 == argon2.runs  # the one that wrapped it


# -- one stretch -------------------------------------------------------------------------------------------


async def test_the_keys_of_a_ring_are_wrapped_with_one_stretch(key: bytes, argon2: Counted) -> None:
    root = _root()
    fronts = {(await root.wrap(key, _context(version)))[:_FRONT] for version in (1, 2, 3)}
    assert (1, 1) == (len(fronts), argon2.runs)


async def test_the_keys_of_a_ring_are_unwrapped_with_one_stretch(key: bytes, argon2: Counted) -> None:
    maker, opener = _root(), _root()
    ring = [await maker.wrap(key, _context(version)) for version in (1, 2, 3)]
    argon2.runs = 0
    assert [key] * 3 == [await opener.unwrap(wrapped, _context(at + 1)) for at, wrapped in enumerate(ring)]
    assert 1 == argon2.runs


async def test_a_key_that_is_added_to_a_ring_costs_no_stretch(key: bytes, argon2: Counted) -> None:
    wrapped, root = await _root().wrap(key, _context()), _root()
    await root.unwrap(wrapped, _context())
    argon2.runs = 0
    assert wrapped[:_FRONT] == (await root.wrap(key, _context(2)))[:_FRONT]
    assert 0 == argon2.runs


async def test_two_that_need_the_root_at_once_cost_one_stretch(key: bytes, argon2: Counted) -> None:
    root = _root()
    async with trio.open_nursery() as nursery:
        for version in (1, 2):
            nursery.start_soon(root.wrap, key, _context(version))
    assert 1 == argon2.runs


async def test_another_salt_costs_another_stretch(key: bytes, argon2: Counted) -> None:
    one, two = [await _root().wrap(key, _context()) for _ in range(2)]
    argon2.runs, root = 0, _root()
    assert [key, key] == [await root.unwrap(wrapped, _context()) for wrapped in (one, two)]
    assert 2 == argon2.runs


async def test_the_stretch_of_a_key_that_did_not_open_is_not_taken_over(key: bytes) -> None:
    strangers, root = await _root(Secret("another passphrase")).wrap(key, _context()), _root()
    with pytest.raises(KeyUnavailable):
        await root.unwrap(strangers, _context())
    assert strangers[:_FRONT] != (await root.wrap(key, _context()))[:_FRONT]


# -- in a thread -------------------------------------------------------------------------------------------


async def test_other_tasks_go_on_while_a_passphrase_is_stretched(key: bytes, argon2: Counted) -> None:
    argon2.gate.clear()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_root().wrap, key, _context())
        await wait_all_tasks_blocked()
        argon2.gate.set()
    assert 1 == argon2.runs


async def test_a_stretch_can_be_cancelled_and_begun_again(key: bytes, argon2: Counted) -> None:
    root = _root()
    argon2.gate.clear()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(root.wrap, key, _context())
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    argon2.gate.set()
    assert key == await root.unwrap(await root.wrap(key, _context()), _context())
