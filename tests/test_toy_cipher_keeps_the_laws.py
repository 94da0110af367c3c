from __future__ import annotations

from typing import Any

import attrs
import pytest

from tigercore.ports import Cipher
from tigercore.testing._opened_ciphers import founded, grown, unlocks
from tigercore.testing._toy_cipher import ToyCipher, ToyOptions, _ring_mac
from tigercore.testing.cipher import CipherContract
from tigercore.testing.clock import driver_context


class TestToyCipherKeepsTheLaws(CipherContract):
    @pytest.fixture
    def cipher_type(self) -> type[Cipher]:
        return ToyCipher

    @pytest.fixture
    def options(self) -> Any:
        return ToyOptions()

    @pytest.fixture
    def other_options(self) -> Any:
        return ToyOptions(root="another")

    @pytest.fixture
    def unusable_options(self) -> Any:
        return ToyOptions(root="")


@pytest.mark.parametrize("known", [{1}, {2}])
async def test_a_ring_whose_mac_was_made_with_one_of_its_two_keys_is_refused(known: set[int]) -> None:
    cipher = ToyCipher(ToyOptions(), driver_context())
    ring = await grown(cipher, await founded(cipher))
    opening = cipher._open_ring(ring).keys
    forged, honest = (_ring_mac({each: opening[each] for each in keys}, ring, ring.version) for keys in (known, {1, 2}))
    assert [False, True] == [await unlocks(cipher, attrs.evolve(ring, mac=mac)) for mac in (forged, honest)]
