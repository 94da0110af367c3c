"""A root that does not answer is asked again, a few times and in one place; nothing else is tried twice."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from itertools import pairwise
from typing import Any, final
from uuid import UUID

import attrs
import pytest
import trio
from trio.testing import MockClock

from tigercore.errors import KeyUnavailable
from tigercore.model import KeyRing, KeySlot
from tigercore.ports import Cipher
from tigercore.testing.clock import driver_context
from tigercore_envelope import Kek, RecoveryCipher, Root, RootUnreachable, seal, unseal

_RING = UUID(int=5)
_AWAY = RootUnreachable("the root is away")
_REFUSES = KeyUnavailable("the root refuses")


@final
class MoodyRoot(Root):
    """A root that fails as often as it is told to, and notes when it was asked."""

    def __init__(self) -> None:
        self.failures: list[Exception] = []
        self.asked: list[float] = []
        self._kek = Kek(0, os.urandom(32))

    async def wrap(self, key: bytes, context: Mapping[str, str]) -> bytes:
        self._ask()
        return seal(self._kek, key, b"")

    async def unwrap(self, wrapped: bytes, context: Mapping[str, str]) -> bytes:
        self._ask()
        return unseal(wrapped, {0: self._kek}, b"")

    def identity(self) -> str:
        return "moody"

    def _ask(self) -> None:
        self.asked.append(trio.current_time())
        if self.failures:
            raise self.failures.pop(0)

    def calm(self) -> None:
        self.failures.clear()
        self.asked.clear()

    def waits(self) -> list[float]:
        return [later - earlier for earlier, later in pairwise(self.asked)]


@pytest.fixture
def clock() -> MockClock:
    return MockClock(autojump_threshold=0)


@pytest.fixture
def root() -> MoodyRoot:
    return MoodyRoot()


def _on(root: Root, seed: int = 0) -> RecoveryCipher:
    return RecoveryCipher(None, driver_context(seed=seed), root)


@pytest.fixture
def cipher(root: MoodyRoot) -> RecoveryCipher:
    return _on(root)


@pytest.fixture
async def ring(cipher: RecoveryCipher, root: MoodyRoot) -> KeyRing:
    """Return a ring of one key, as a store keeps it; the root has forgotten that it was asked."""
    made = await _put(cipher, KeyRing(_RING, 1))
    root.calm()
    return made


async def _put(cipher: Cipher, ring: KeyRing) -> KeyRing:
    """Return the ring with one key more, as a store keeps it."""
    ready = await cipher.authenticate(attrs.evolve(ring, keys=(*ring.keys, await cipher.create_key(ring))))
    return attrs.evolve(ready, version=ring.version + 1)


# -- how often, and how long ------------------------------------------------------------------------------


@pytest.mark.parametrize("times", range(5))
async def test_a_root_that_comes_back_in_time_is_waited_for(
    clock: MockClock, cipher: RecoveryCipher, root: MoodyRoot, ring: KeyRing, times: int
) -> None:
    root.failures += [_AWAY] * times
    await cipher.unlock(ring)
    assert times + 1 == len(root.asked)


_Deed = Callable[[RecoveryCipher, KeyRing], Awaitable[Any]]
_DEEDS: dict[str, _Deed] = {
    "unlock": lambda cipher, ring: cipher.unlock(ring),
    "authenticate": lambda cipher, ring: cipher.authenticate(ring),
    "create_key": lambda cipher, ring: cipher.create_key(ring),
    "share": lambda cipher, ring: cipher.share(ring, _on(MoodyRoot())),
    "share with it": lambda cipher, ring: _share_with(cipher, ring),
}


async def _share_with(cipher: RecoveryCipher, ring: KeyRing) -> None:
    opener = _on(MoodyRoot())
    await opener.share(await _put(opener, KeyRing(_RING, 1)), cipher)


@pytest.mark.parametrize("deed", _DEEDS.values(), ids=_DEEDS)
async def test_a_root_that_stays_away_is_asked_five_times_in_all(
    clock: MockClock, cipher: RecoveryCipher, root: MoodyRoot, ring: KeyRing, deed: _Deed
) -> None:
    root.failures += [_AWAY] * 100
    with pytest.raises(KeyUnavailable, match="the root is away"):
        await deed(cipher, ring)
    assert 5 == len(root.asked)


@pytest.mark.parametrize("deed", _DEEDS.values(), ids=_DEEDS)
async def test_a_root_that_refuses_is_asked_once_and_nobody_waits(
    clock: MockClock, cipher: RecoveryCipher, root: MoodyRoot, ring: KeyRing, deed: _Deed
) -> None:
    root.failures.append(_REFUSES)
    with pytest.raises(KeyUnavailable, match="the root refuses"):
        await deed(cipher, ring)
    assert (1, 0.0) == (len(root.asked), clock.current_time() - root.asked[0])


async def test_a_root_that_fails_in_its_own_way_is_asked_once(
    clock: MockClock, cipher: RecoveryCipher, root: MoodyRoot, ring: KeyRing
) -> None:
    root.failures.append(ZeroDivisionError("a fault of the root"))
    with pytest.raises(ZeroDivisionError):
        await cipher.unlock(ring)
    assert 1 == len(root.asked)


async def test_each_key_has_its_five_tries(
    clock: MockClock, cipher: RecoveryCipher, root: MoodyRoot, ring: KeyRing
) -> None:
    both = await _put(cipher, ring)
    root.calm()
    root.failures += [_AWAY] * 4
    await cipher.unlock(both)
    assert 6 == len(root.asked)


def _with_slots(ring: KeyRing, *before: KeySlot) -> KeyRing:
    key = ring.keys[0]
    return attrs.evolve(ring, keys=(attrs.evolve(key, slots=(*before, *key.slots)),))


async def test_a_root_that_stays_away_is_not_asked_for_the_other_slots(
    clock: MockClock, cipher: RecoveryCipher, root: MoodyRoot, ring: KeyRing
) -> None:
    root.failures += [_AWAY] * 100
    with pytest.raises(KeyUnavailable):
        await cipher.unlock(_with_slots(ring, KeySlot("one", b""), KeySlot("two", b"")))
    assert 5 == len(root.asked)


async def test_a_slot_that_the_root_refuses_is_passed_over(
    clock: MockClock, cipher: RecoveryCipher, root: MoodyRoot, ring: KeyRing
) -> None:
    root.failures.append(_REFUSES)
    await cipher.authenticate(_with_slots(ring, ring.keys[0].slots[0]))
    assert 2 == len(root.asked)


async def test_the_roots_own_slot_is_asked_for_first(
    clock: MockClock, cipher: RecoveryCipher, root: MoodyRoot, ring: KeyRing
) -> None:
    await cipher.authenticate(_with_slots(ring, KeySlot("one", b""), KeySlot("two", b"")))
    assert 1 == len(root.asked)


@pytest.mark.parametrize("seed", range(20))
async def test_each_wait_is_longer_than_the_one_before_and_all_of_them_are_short(
    clock: MockClock, root: MoodyRoot, ring: KeyRing, seed: int
) -> None:
    root.failures += [_AWAY] * 4
    await _on(root, seed).unlock(ring)
    waits = root.waits()
    assert waits == sorted(waits)
    assert all(most / 2 <= wait <= most for most, wait in zip((0.2, 0.4, 0.8, 1.6), waits, strict=True))


async def test_processes_that_start_together_do_not_ask_together(
    clock: MockClock, root: MoodyRoot, ring: KeyRing
) -> None:
    waits = set()
    for seed in range(5):
        root.calm()
        root.failures += [_AWAY]
        await _on(root, seed).unlock(ring)
        waits.update(root.waits())
    assert 5 == len(waits)


async def test_nobody_waits_after_the_last_try(
    clock: MockClock, cipher: RecoveryCipher, root: MoodyRoot, ring: KeyRing
) -> None:
    root.failures += [_AWAY] * 5
    with pytest.raises(KeyUnavailable):
        await cipher.unlock(ring)
    assert root.asked[-1] == clock.current_time()


# -- meanwhile, and afterwards -----------------------------------------------------------------------------


async def test_a_root_that_stays_away_is_told_in_one_line_with_the_remedy(
    clock: MockClock, cipher: RecoveryCipher, root: MoodyRoot, ring: KeyRing
) -> None:
    root.failures += [_AWAY] * 5
    with pytest.raises(KeyUnavailable) as caught:
        await cipher.unlock(ring)
    start = "key 1 of the ring, wrapped by moody, does not open with moody: the root is away; "
    assert start + "bring it back, then start again; a process that runs goes on meanwhile" == str(caught.value)


@pytest.mark.parametrize("seconds", [0.05, 0.5, 1.5])
async def test_who_stops_waiting_leaves_the_cipher_as_it_was(
    clock: MockClock, cipher: RecoveryCipher, root: MoodyRoot, ring: KeyRing, seconds: float
) -> None:
    await cipher.unlock(ring)
    larger = await _put(cipher, ring)
    root.calm()
    root.failures += [_AWAY] * 100
    with trio.move_on_after(seconds) as scope:
        await cipher.unlock(larger)
    assert scope.cancelled_caught
    assert b"x" == cipher.decrypt(cipher.encrypt(b"x", context=b""), context=b"")
    root.calm()
    await cipher.unlock(larger)
    assert 1 == len(root.asked)


async def test_a_root_that_stays_away_leaves_the_keys_in_use(
    clock: MockClock, cipher: RecoveryCipher, root: MoodyRoot, ring: KeyRing
) -> None:
    await cipher.unlock(ring)
    sealed, larger = cipher.encrypt(b"x", context=b""), await _put(cipher, ring)
    root.failures += [_AWAY] * 100
    with pytest.raises(KeyUnavailable):
        await cipher.unlock(larger)
    assert b"x" == cipher.decrypt(sealed, context=b"")
