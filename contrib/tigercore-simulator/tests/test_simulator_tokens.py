import base64
from random import Random

import pytest

from tigercore_simulator.refusals import Refusal
from tigercore_simulator.tokens import Tokens

NOW = 1_760_000_000.0


def refused(tokens, text, now=NOW, method=""):
    with pytest.raises(Refusal) as caught:
        tokens.check("1", text, now, method=method)
    assert caught.value.code == 2400
    return caught.value.message


def make(grace=0.0, **options):
    return Tokens(Random(1), 86_400.0, grace, **options)


def rotated(tokens):
    old = tokens.rotate("1", NOW).text
    tokens.rotate("1", NOW)
    return old


def test_a_token_begins_with_its_two_moments():
    token = make().rotate("1", NOW)
    assert base64.b64decode(token.text)[:27] == b"1760000000000,1760086400000"


def test_a_token_is_sixty_characters_ending_in_two_equal_signs():
    token = make().rotate("1", NOW).text
    assert (len(token), token[-2:]) == (60, "==")


def test_a_missing_token_is_refused():
    assert "can not be empty" in refused(make(), "")


def test_an_unknown_token_is_refused():
    assert "user token invalid" in refused(make(), "x")


def test_an_expired_token_is_refused():
    tokens = make()
    token = tokens.rotate("1", NOW)
    assert "expired" in refused(tokens, token.text, token.expires_ms / 1000)


def test_a_rotated_token_is_refused_at_once():
    tokens = make()
    old = tokens.rotate("1", NOW).text
    tokens.rotate("1", NOW)
    assert "user token invalid" in refused(tokens, old) or "expired" in refused(tokens, old)


def test_a_rotated_token_is_good_during_the_grace():
    tokens = make(grace=30.0)
    old = tokens.rotate("1", NOW).text
    tokens.rotate("1", NOW)
    tokens.check("1", old, NOW + 29)


def test_a_rotated_token_is_refused_after_the_grace():
    tokens = make(grace=30.0)
    old = tokens.rotate("1", NOW).text
    tokens.rotate("1", NOW)
    assert "expired" in refused(tokens, old, NOW + 30)


def test_a_token_that_left_two_rotations_ago_is_good_during_its_grace():
    tokens = make(grace=30.0)
    old = rotated(tokens)
    tokens.rotate("1", NOW + 10)
    tokens.check("1", old, NOW + 29)


def test_the_grace_does_not_outlive_the_token():
    tokens = make(grace=1e9)
    assert "expired" in refused(tokens, rotated(tokens), NOW + 86_400)


def test_tokens_minted_within_one_millisecond_have_rising_generations():
    tokens = make()
    assert [1_760_000_000_000 + n for n in range(3)] == [tokens.rotate("1", NOW).created_ms for _ in range(3)]


def test_generations_rise_though_the_clock_steps_back():
    tokens = make()
    first = tokens.rotate("1", NOW)
    assert tokens.rotate("1", NOW - 3600).created_ms == first.created_ms + 1


def test_generations_of_one_developer_do_not_move_those_of_another():
    tokens = make()
    tokens.rotate("1", NOW + 5)
    assert 1_760_000_000_000 == tokens.rotate("2", NOW).created_ms


def test_a_strict_gateway_refuses_to_refresh_a_rotated_token():
    tokens = make()
    assert "expired" in refused(tokens, rotated(tokens), method="user_token_refresh")


def test_a_lenient_gateway_refreshes_a_rotated_token():
    tokens = make(lenient=True)
    tokens.check("1", rotated(tokens), NOW + 86_399, method="user_token_refresh")


def test_a_lenient_gateway_takes_a_rotated_token_for_nothing_else():
    tokens = make(lenient=True)
    assert "expired" in refused(tokens, rotated(tokens), method="positions")


def test_a_lenient_gateway_refuses_to_refresh_a_token_that_has_expired():
    tokens = make(lenient=True)
    assert "expired" in refused(tokens, rotated(tokens), NOW + 86_400, method="user_token_refresh")


def test_a_lenient_gateway_refuses_the_token_of_another_developer():
    tokens = make(lenient=True)
    tokens.rotate("2", NOW)
    assert "user token invalid" in refused(tokens, tokens.current("2"), method="user_token_refresh")


def test_a_token_tells_no_secret_when_it_is_shown():
    token = make().rotate("1", NOW)
    assert token.text not in repr(token)
