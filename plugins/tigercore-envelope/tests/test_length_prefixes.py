from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tigercore_envelope import lp

_PARTS = st.lists(st.binary(max_size=12), max_size=5)


def _split(data: bytes) -> list[bytes]:
    parts = []
    while data:
        size = int.from_bytes(data[:4], "big")
        parts.append(data[4 : 4 + size])
        data = data[4 + size :]
    return parts


def test_each_part_stands_after_its_length() -> None:
    assert b"\0\0\0\2ab\0\0\0\0\0\0\0\1c" == lp(b"ab", b"", b"c")


def test_a_letter_that_moves_between_parts_is_seen() -> None:
    assert lp(b"account", b"a1") != lp(b"accoun", b"ta1")


@given(_PARTS)
def test_the_parts_can_be_told_from_the_bytes_so_no_two_lists_are_alike(parts: list[bytes]) -> None:
    assert parts == _split(lp(*parts))


@given(_PARTS, _PARTS)
def test_two_lists_give_the_same_bytes_only_if_they_are_the_same(one: list[bytes], two: list[bytes]) -> None:
    assert (one == two) == (lp(*one) == lp(*two))
