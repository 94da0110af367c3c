"""The laws of keyed hashes: they outlive every key of their ring."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import pytest

from tigercore.errors import KeyUnavailable
from tigercore.model import KeyRing, KeyState
from tigercore.ports import Cipher
from tigercore.testing._opened_ciphers import (
    OTHER_RING,
    OpenedCiphers,
    activated,
    flip,
    founded,
    in_states,
    put,
    retired,
    staged,
)


class HashLaws(OpenedCiphers):
    """A hash tells data, purpose and ring apart, and nothing else."""

    async def test_a_hash_has_sixteen_bytes_or_more(self, cipher: Cipher) -> None:
        assert 16 <= len(cipher.mac(b"data", purpose="index"))

    async def test_a_hash_is_the_same_for_the_same_data(self, cipher: Cipher) -> None:
        assert cipher.mac(b"data", purpose="index") == cipher.mac(b"data", purpose="index")

    async def test_a_hash_differs_with_the_data(self, cipher: Cipher) -> None:
        assert cipher.mac(b"data", purpose="index") != cipher.mac(b"date", purpose="index")

    async def test_a_hash_differs_with_the_purpose(self, cipher: Cipher) -> None:
        assert cipher.mac(b"data", purpose="index") != cipher.mac(b"data", purpose="audit")

    async def test_a_hash_tells_where_its_purpose_ends(self, cipher: Cipher) -> None:
        assert cipher.mac(b"data", purpose="index") != cipher.mac(b"xdata", purpose="inde")

    async def test_a_hash_differs_with_the_ring(self, cipher: Cipher) -> None:
        before = _hash(cipher)
        await cipher.unlock(await founded(cipher, OTHER_RING))
        assert before != _hash(cipher)

    async def test_a_hash_is_the_same_in_another_process(self, cipher: Cipher, locked: Cipher, ring: KeyRing) -> None:
        await locked.unlock(ring)
        assert _hash(cipher) == _hash(locked)

    async def test_a_hash_stays_the_same_whichever_keys_come_and_go(self, cipher: Cipher, ring: KeyRing) -> None:
        before, hashes = _hash(cipher), []
        for later in await _life(cipher, ring):
            await cipher.unlock(later)
            hashes.append(_hash(cipher))
        assert [before] * len(hashes) == hashes

    async def test_a_hash_is_the_same_in_a_process_that_sees_a_later_ring_first(
        self, cipher: Cipher, locked: Cipher, ring: KeyRing
    ) -> None:
        before, hashes = _hash(cipher), []
        for later in reversed(await _life(cipher, ring)):
            await locked.unlock(later)
            hashes.append(_hash(locked))
        assert [before] * len(hashes) == hashes


class HashKeyLaws(OpenedCiphers):
    """The hash key of a ring is made once, and is never lost unseen."""

    async def test_a_ring_without_a_hash_key_is_given_a_new_one(
        self, cipher: Cipher, locked: Cipher, ring: KeyRing
    ) -> None:
        before = _hash(cipher)
        anew = await put(cipher, ring, hash_key=b"")
        for opener in (cipher, locked):
            await opener.unlock(anew)
        assert before != _hash(cipher) == _hash(locked)

    @pytest.mark.parametrize("at", [0, 0.5, 1])
    async def test_a_tampered_hash_key_is_refused(self, locked: Cipher, ring: KeyRing, at: float) -> None:
        changed = flip(ring.hash_key, int(at * (len(ring.hash_key) - 1)))
        with pytest.raises(KeyUnavailable):
            await locked.authenticate(attrs.evolve(ring, hash_key=changed))

    async def test_the_hash_key_of_another_ring_is_refused(self, locked: Cipher, ring: KeyRing) -> None:
        other = await founded(locked, OTHER_RING)
        with pytest.raises(KeyUnavailable):
            await locked.authenticate(attrs.evolve(ring, hash_key=other.hash_key))

    async def test_a_message_is_not_taken_for_a_hash_key(self, cipher: Cipher, ring: KeyRing) -> None:
        with pytest.raises(KeyUnavailable):
            await cipher.authenticate(attrs.evolve(ring, hash_key=cipher.encrypt(bytes(32), context=b"")))

    async def test_the_key_that_sealed_the_hash_key_does_not_retire_unseen(self, cipher: Cipher, ring: KeyRing) -> None:
        at_once = in_states(await staged(cipher, ring), {1: KeyState.RETIRED, 2: KeyState.ACTIVE})
        with pytest.raises(KeyUnavailable):
            await cipher.authenticate(attrs.evolve(at_once, active=2))


def _hash(cipher: Cipher) -> bytes:
    return cipher.mac(b"data", purpose="index")


async def _life(cipher: Cipher, ring: KeyRing) -> Sequence[KeyRing]:
    """Return the states of a ring whose first key is replaced, retired and thrown away."""
    grown = await staged(cipher, ring)
    changed = await activated(cipher, grown)
    old = await retired(cipher, changed)
    return [grown, changed, old, await put(cipher, old, keys=old.keys[1:])]
