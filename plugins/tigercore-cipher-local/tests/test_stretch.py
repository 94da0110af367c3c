from __future__ import annotations

import subprocess
import sys

import pytest
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from hypothesis import given
from hypothesis import strategies as st

from tigercore.errors import KeyUnavailable
from tigercore_cipher_local.stretch import Stretch, _alone
from tigercore_envelope import UnwrapFailed

_SALT = bytes(range(16))
_MIB = 1024
_PASSES = st.integers(2, 16)
_STRETCHES = _PASSES.flatmap(
    lambda passes: st.builds(
        Stretch,
        st.binary(min_size=16, max_size=16),
        st.integers(19 * _MIB, min(4096, 8192 // passes) * _MIB),
        st.just(passes),
        st.integers(1, 64),
    )
)


def _front(memory: int = 64 * _MIB, passes: int = 3, lanes: int = 4) -> bytes:
    return b"TGP1" + memory.to_bytes(4, "big") + passes.to_bytes(2, "big") + lanes.to_bytes(2, "big") + _SALT


def test_the_layout_is_the_documented_one() -> None:
    assert bytes.fromhex("54475031 00010203 0005 0007") + _SALT == Stretch(_SALT, 0x10203, 5, 7).header()


@given(_STRETCHES, st.binary())
def test_what_stands_in_front_is_read_as_it_was_written(stretch: Stretch, rest: bytes) -> None:
    assert (stretch, rest) == Stretch.split(stretch.header() + rest)


def test_the_default_cost_is_the_second_choice_of_rfc_9106() -> None:
    stretch = Stretch.fresh()
    assert (64 * _MIB, 3, 4) == (stretch.memory, stretch.passes, stretch.lanes)


def test_every_fresh_stretch_has_another_salt() -> None:
    assert 8 == len({Stretch.fresh().salt for _ in range(8)})


def test_the_key_is_argon2id_of_all_that_stands_in_front() -> None:
    argon2 = Argon2id(salt=_SALT, length=32, iterations=2, lanes=3, memory_cost=19 * _MIB)
    with _alone:  # a thread that an earlier test has left may still be at it
        expected = argon2.derive(b"passphrase")
    assert expected == Stretch(_SALT, 19 * _MIB, 2, 3).derive(b"passphrase")


# -- bounds ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "front",
    [
        _front(memory=19 * _MIB),
        _front(memory=4096 * _MIB, passes=2),
        _front(memory=512 * _MIB, passes=16),
        _front(passes=2),
        _front(passes=16),
        _front(lanes=1),
        _front(lanes=64),
    ],
)
def test_a_cost_on_a_bound_is_read(front: bytes) -> None:
    assert front == Stretch.split(front)[0].header()


@pytest.mark.parametrize("memory", [0, 1, 8, 19 * _MIB - 1, 4096 * _MIB + 1, 2**32 - 1])
def test_a_memory_out_of_bounds_is_refused(memory: int) -> None:
    with pytest.raises(KeyUnavailable, match=f"over {memory} KiB .* out of bounds"):
        Stretch.split(_front(memory=memory))


@pytest.mark.parametrize(("memory", "passes"), [(4096 * _MIB, 3), (512 * _MIB + 1, 16), (8192 * _MIB // 3 + 1, 3)])
def test_a_memory_that_is_filled_too_often_is_refused(memory: int, passes: int) -> None:
    with pytest.raises(UnwrapFailed, match=f"over {memory} KiB in {passes} passes .* out of bounds"):
        Stretch.split(_front(memory, passes))


@pytest.mark.parametrize("passes", [0, 1, 17, 2**16 - 1])
def test_passes_out_of_bounds_are_refused(passes: int) -> None:
    with pytest.raises(KeyUnavailable, match=f"in {passes} passes .* out of bounds"):
        Stretch.split(_front(passes=passes))


@pytest.mark.parametrize("lanes", [0, 65, 2**16 - 1])
def test_lanes_out_of_bounds_are_refused(lanes: int) -> None:
    with pytest.raises(KeyUnavailable, match=f"and {lanes} lanes.* out of bounds"):
        Stretch.split(_front(lanes=lanes))


@pytest.mark.parametrize("size", [0, 8, 15, 17, 32])
def test_a_salt_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="salt"):
        Stretch(bytes(size))


@pytest.mark.parametrize("wrapped", [b"", b"TGP1", _front()[:-1], b"TGC1" + _front()[4:], b"TGP2" + _front()[4:]])
def test_what_no_passphrase_has_wrapped_is_told_so(wrapped: bytes) -> None:
    with pytest.raises(KeyUnavailable, match="no passphrase wrapped it"):
        Stretch.split(wrapped)


def test_a_stretch_that_does_not_fit_into_the_memory_says_how_much_it_needs() -> None:
    program = (
        "import resource; from tigercore_cipher_local.stretch import Stretch;"
        "resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30)); Stretch(bytes(16), 2**22, 2, 1).derive(b'')"
    )
    ended = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    assert "KeyUnavailable: stretching the passphrase needs 4096 MiB of memory" in ended.stderr.splitlines()[-1]
