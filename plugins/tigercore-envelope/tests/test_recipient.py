"""A recovery key as a root: what it wraps, and whom it refuses."""

from __future__ import annotations

import os
from typing import Any
from uuid import UUID

import pyrage
import pytest
from pyrage import passphrase, x25519

from tigercore.errors import KeyUnavailable
from tigercore.model import Secret
from tigercore_envelope import lp
from tigercore_envelope.recipient import Recipient

_RING = UUID(int=5)
_KEY = os.urandom(32)
_PLACE = {"app": "tigercore", "keyring": str(_RING), "kek": "7"}


@pytest.fixture(scope="module")
def identity() -> Any:
    return x25519.Identity.generate()


@pytest.fixture
def recipient(identity: Any) -> Recipient:
    return Recipient.from_identity(Secret(str(identity)))


@pytest.fixture
def public(identity: Any) -> Recipient:
    return Recipient(str(identity.to_public()))


async def _refused(root: Recipient, wrapped: bytes, place: dict[str, str] | None = None) -> str:
    with pytest.raises(KeyUnavailable) as caught:
        await root.unwrap(wrapped, _PLACE if place is None else place)
    return str(caught.value)


# -- what it wraps -----------------------------------------------------------------------------------------


async def test_the_identity_opens_what_its_recipient_sealed(recipient: Recipient, public: Recipient) -> None:
    assert _KEY == await recipient.unwrap(await public.wrap(_KEY, _PLACE), _PLACE)


async def test_what_is_sealed_is_an_age_file_with_the_place_before_the_key(identity: Any, public: Recipient) -> None:
    bound = [part.encode() for pair in (("app", "tigercore"), ("kek", "7"), ("keyring", str(_RING))) for part in pair]
    opened = pyrage.decrypt(await public.wrap(_KEY, _PLACE), [identity])
    assert lp(b"tigercore.recovery.1", *bound) + _KEY == opened


async def test_what_is_sealed_shows_no_key(public: Recipient) -> None:
    assert _KEY not in await public.wrap(_KEY, _PLACE)


async def test_a_key_is_never_sealed_alike(public: Recipient) -> None:
    assert 20 == len({await public.wrap(_KEY, _PLACE) for _ in range(20)})


async def test_the_order_in_which_a_place_is_told_does_not_matter(recipient: Recipient) -> None:
    assert _KEY == await recipient.unwrap(await recipient.wrap(_KEY, _PLACE), dict(reversed(_PLACE.items())))


def test_its_name_is_the_recipient_and_nothing_secret(identity: Any, recipient: Recipient, public: Recipient) -> None:
    assert str(identity.to_public()) == recipient.identity() == public.identity()


def test_it_says_whether_it_opens(recipient: Recipient, public: Recipient) -> None:
    assert (True, False) == (recipient.can_open, public.can_open)


# -- what it refuses ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "place",
    [
        {**_PLACE, "keyring": str(UUID(int=6))},
        {**_PLACE, "kek": "8"},
        {**_PLACE, "app": "another"},
        {**_PLACE, "more": ""},
        {"keyring": str(_RING), "kek": "7"},
        {**_PLACE, "kek": str(_RING), "keyring": "7"},
        {"app": "tigercore", "keyring": f"{_RING}", "kek7": ""},
        {},
    ],
    ids=["ring", "version", "application", "more", "less", "swapped", "moved", "none"],
)
async def test_a_key_is_not_taken_for_another_place(recipient: Recipient, place: dict[str, str]) -> None:
    assert "sealed for another ring or version" == await _refused(recipient, await recipient.wrap(_KEY, _PLACE), place)


@pytest.mark.parametrize("content", [b"", _KEY, _KEY * 2, lp(b"tigercore.recovery.1")], ids=range(4))
async def test_an_age_file_of_something_else_is_refused(identity: Any, recipient: Recipient, content: bytes) -> None:
    wrapped = pyrage.encrypt(content, [identity.to_public()])
    assert "sealed for another ring or version" == await _refused(recipient, wrapped)


@pytest.mark.parametrize("size", [0, 31, 33])
async def test_a_key_of_another_size_is_refused(recipient: Recipient, size: int) -> None:
    assert "sealed for another ring or version" == await _refused(recipient, await recipient.wrap(bytes(size), _PLACE))


async def test_what_was_sealed_for_another_recipient_is_refused(recipient: Recipient) -> None:
    other = Recipient(str(x25519.Identity.generate().to_public()))
    assert "not sealed for this recovery key, or changed" == await _refused(recipient, await other.wrap(_KEY, _PLACE))


async def test_no_bit_may_be_flipped(recipient: Recipient) -> None:
    good = await recipient.wrap(_KEY, _PLACE)
    for at in range(len(good)):
        flipped = good[:at] + bytes([good[at] ^ 1 << at % 8]) + good[at + 1 :]
        assert "not sealed for this recovery key, or changed" == await _refused(recipient, flipped)


async def test_nothing_may_be_cut_off_or_added(recipient: Recipient) -> None:
    good = await recipient.wrap(_KEY, _PLACE)
    for changed in [*(good[:size] for size in range(len(good))), good + b"\0", good * 2]:
        assert "not sealed for this recovery key, or changed" == await _refused(recipient, changed)


async def test_an_age_file_of_a_passphrase_is_refused(recipient: Recipient) -> None:
    assert "not sealed for" in await _refused(recipient, passphrase.encrypt(_KEY, "an entirely good passphrase"))


async def test_without_the_identity_nothing_opens_and_the_remedy_is_told(public: Recipient) -> None:
    said = await _refused(public, await public.wrap(_KEY, _PLACE))
    assert f"{public.identity()} only seals here: give its identity file" == said


# -- texts -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "age1", "age1nonsense", "ssh-ed25519 AAAA", "\ud800", "age1\0", "x" * 10_000])
def test_a_text_that_is_no_recipient_is_refused(text: str) -> None:
    with pytest.raises(KeyUnavailable, match="is no age recipient: give one that begins with age1"):
        Recipient(text)


def test_a_mistyped_recipient_is_refused(public: Recipient) -> None:
    text = public.identity()
    with pytest.raises(KeyUnavailable):
        Recipient(text[:-1] + ("q" if text[-1] != "q" else "p"))


def test_an_identity_in_the_place_of_a_recipient_is_refused_without_being_shown(identity: Any) -> None:
    with pytest.raises(KeyUnavailable) as caught:
        Recipient(str(identity))
    assert str(identity)[16:20] not in f"{caught.value!r}{caught.value.__cause__!r}{caught.value.__context__!r}"


@pytest.mark.parametrize("text", ["", "AGE-SECRET-KEY-1", "AGE-SECRET-KEY-1NONSENSE", "AGE-PLUGIN-X-1", "\ud800"])
def test_a_text_that_is_no_identity_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(KeyUnavailable, match="not an age identity: one line that begins with") as caught:
        Recipient.from_identity(Secret(text))
    assert "NONSENSE" not in f"{caught.value!r}{caught.value.__cause__!r}"


def test_it_shows_no_identity(identity: Any, recipient: Recipient) -> None:
    assert str(identity)[16:] not in f"{recipient!r}{recipient}{vars(recipient)!r}"
