import base64
from random import Random

import pytest

from tigercore_simulator.refusals import Refusal
from tigercore_simulator.tokens import Tokens

NOW = 1_760_000_000.0


def refused(tokens, text, now=NOW):
    with pytest.raises(Refusal) as caught:
        tokens.check("1", text, now)
    assert caught.value.code == 2400
    return caught.value.message


def make(grace=0.0):
    return Tokens(Random(1), 86_400.0, grace)


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
    assert "expired" in refused(tokens, token.text, token.expires)


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
