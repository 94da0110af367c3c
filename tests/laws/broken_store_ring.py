"""Account stores whose key ring comes back wrong. Each breaks the laws that it names, and keeps all others."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from tests.laws._store_base import Broken, Right, laws, with_ring
from tigercore.model import KeyRing, WrappedKey
from tigercore.ports import Change


class OtherRing(Right):
    """Return another ring than the one that stands."""

    def other(self, ring: KeyRing) -> KeyRing | None:
        raise NotImplementedError

    async def key_ring(self) -> KeyRing | None:
        ring = await self.inner.key_ring()
        return ring and self.other(ring)


class TestKeepsTheActiveKeyOnly(Broken):
    breaks = laws(
        "test_a_key_ring_comes_back_as_it_was_one_version_further test_a_change_of_the_key_ring_comes_back "
        "test_keys_come_by_their_version test_a_key_without_slots_comes_back"
    )

    class Driver(OtherRing):
        def other(self, ring: KeyRing) -> KeyRing:
            return attrs.evolve(ring, keys=tuple(key for key in ring.keys if key.version == ring.active))


class TestSortsVersionsAsWords(Broken):
    breaks = laws("test_keys_come_by_their_version")

    class Driver(OtherRing):
        def other(self, ring: KeyRing) -> KeyRing:
            return attrs.evolve(ring, keys=tuple(sorted(ring.keys, key=lambda key: str(key.version))))


class TestSortsSlots(Broken):
    breaks = laws(
        "test_slots_come_in_the_order_in_which_they_were_put "
        "test_a_key_ring_comes_back_as_it_was_one_version_further test_a_change_of_the_key_ring_comes_back"
    )

    class Driver(OtherRing):
        def other(self, ring: KeyRing) -> KeyRing:
            return attrs.evolve(ring, keys=tuple(self._sorted(key) for key in ring.keys))

        def _sorted(self, key: WrappedKey) -> WrappedKey:
            return attrs.evolve(key, slots=tuple(sorted(key.slots, key=lambda slot: slot.provider)))


class TestJoinsKeysWithTheirSlots(Broken):
    breaks = laws("test_a_key_without_slots_comes_back test_a_key_ring_comes_back_as_it_was_one_version_further")

    class Driver(OtherRing):
        def other(self, ring: KeyRing) -> KeyRing:
            return attrs.evolve(ring, keys=tuple(key for key in ring.keys if key.slots))


class TestJoinsTheRingWithItsKeys(Broken):
    breaks = laws("test_a_key_ring_with_nothing_optional_comes_back")

    class Driver(OtherRing):
        def other(self, ring: KeyRing) -> KeyRing | None:
            return ring if ring.keys else None


class TestForgetsTheMac(Broken):
    breaks = laws("test_a_key_ring_comes_back_as_it_was_one_version_further test_a_change_of_the_key_ring_comes_back")

    class Driver(OtherRing):
        def other(self, ring: KeyRing) -> KeyRing:
            return attrs.evolve(ring, mac=b"")


class TestTakesTheLastOfTwoKeys(Broken):
    breaks = laws("test_a_key_ring_with_two_keys_of_one_version_is_refused")

    class Driver(Right):
        async def apply(self, changes: Sequence[Change]) -> int:
            return await self.inner.apply(with_ring(changes, self._distinct))

        def _distinct(self, ring: KeyRing) -> KeyRing:
            return attrs.evolve(ring, keys=tuple({key.version: key for key in ring.keys}.values()))


class TestTakesTheLastOfTwoSlots(Broken):
    breaks = laws("test_a_key_with_two_slots_of_one_provider_is_refused")

    class Driver(Right):
        async def apply(self, changes: Sequence[Change]) -> int:
            return await self.inner.apply(with_ring(changes, self._distinct))

        def _distinct(self, ring: KeyRing) -> KeyRing:
            return attrs.evolve(ring, keys=tuple(self._last(key) for key in ring.keys))

        def _last(self, key: WrappedKey) -> WrappedKey:
            return attrs.evolve(key, slots=tuple({slot.provider: slot for slot in key.slots}.values()))
