import json
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tigercore_client_httpx.replies import decode, parse, printable

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def _nested(depth: int) -> bytes:
    return b'{"code":0,"data":' + b"[" * depth + b"]" * depth + b"}"


def test_an_envelope_is_read() -> None:
    reply = parse(b'{"code":1200,"message":"no","data":null,"timestamp":1,"sign":"AA=="}')
    assert (1200, "no", None, "AA==") == (reply.code, reply.message, reply.data, reply.sign)


def test_sixty_four_levels_are_taken_and_sixty_five_are_not() -> None:
    assert parse(_nested(63)).code == 0
    with pytest.raises(ValueError, match="too deep"):
        parse(_nested(64))


@pytest.mark.parametrize("depth", [65, 1000, 100_000])
def test_a_tower_of_brackets_is_refused(depth: int) -> None:
    with pytest.raises(ValueError, match="too deep"):
        parse(_nested(depth))


@pytest.mark.parametrize("value", [b"{},", b"[],", b"[{}],"])
def test_more_than_two_hundred_thousand_containers_are_refused_unread(value: bytes) -> None:
    with pytest.raises(ValueError, match="too many"):
        parse(b'{"code":0,"data":[' + value * 200_000 + b"0]}")


def test_more_than_a_million_commas_are_refused_unread() -> None:
    with pytest.raises(ValueError, match="too many"):
        parse(b'{"code":0,"data":[' + b"0," * 1_000_000 + b"0]}")


def test_a_hundred_thousand_rows_are_taken() -> None:
    assert 100_000 == len(parse(b'{"code":0,"data":[' + b'{"a":1,"b":2},' * 99_999 + b"{}]}").data)


def test_brackets_inside_text_are_no_depth() -> None:
    assert "[" * 500 == parse(json.dumps({"code": 0, "data": "[" * 500}).encode()).data


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e-999", b"0e99999999999999999999"])
def test_a_number_that_is_none_is_refused(number: bytes) -> None:
    with pytest.raises(ValueError, match="the reply holds"):
        parse(b'{"code":0,"data":' + number + b"}")


def test_an_integer_of_a_million_digits_is_refused() -> None:
    with pytest.raises(ValueError, match="digits"):
        parse(b'{"code":0,"data":' + b"9" * 1_000_000 + b"}")


@pytest.mark.parametrize("body", [b'{"code":1,"code":0}', b'{"code":0,"data":[{"id":1,"id":2}]}'])
def test_a_key_that_is_named_twice_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match="twice"):
        parse(body)


@given(st.binary(max_size=200) | st.text(alphabet='{}[]":,0123456789eE.-ntf \\', max_size=200).map(str.encode))
def test_garbage_is_an_envelope_or_a_value_error(body: bytes) -> None:
    with suppress(ValueError):
        assert type(parse(body).code) is int


@given(JSON)
def test_json_that_is_no_envelope_is_an_envelope_or_a_value_error(value: Any) -> None:
    with suppress(ValueError):
        decode(parse(json.dumps({"code": 0, "data": value}).encode()).data)
    with suppress(ValueError):
        parse(json.dumps(value).encode())


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**12), max_value=10**12))
def test_money_is_read_to_the_last_digit(money: Decimal) -> None:
    assert money == parse(b'{"code":0,"data":%s}' % format(money, "f").encode()).data


@given(st.text(), st.text(alphabet="0123456789", min_size=6, max_size=10))
def test_a_message_shows_no_secret_and_no_control_character(text: str, secret: str) -> None:
    shown = printable(f"{text}{secret}{text}", [secret])
    assert (False, True, True) == (secret in shown, shown.isprintable(), len(shown) <= 200)


def test_a_secret_that_is_split_by_invisible_characters_is_masked() -> None:
    assert "no ***" == printable("no 2015\u200b\x000001", ["20150001"])


def test_what_looks_like_a_key_or_a_token_is_masked() -> None:
    assert "bad token *** of yours" == printable("bad token " + "MTc2NzU3MTIwMDAwMCwxNz" * 3 + "== of yours", [])


def test_the_gateways_words_are_kept() -> None:
    words = "standard account response error(bad_request:Orders cannot be placed at this moment)"
    assert words == printable(words, ["20150001"])


def test_a_message_that_is_a_flood_is_not_read() -> None:
    assert "a message of 1000000 characters, which is not shown" == printable("x" * 1_000_000, [])
