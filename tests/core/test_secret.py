"""A Secret is used, and never shown."""

from __future__ import annotations

import copy
import json
import pickle
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from tigercore import Credentials, Secret, Token

TEXT = "xyzzy-7391"
SECRET = Secret(TEXT)


@pytest.mark.parametrize(
    "show",
    [repr, str, format, "{}".format, "{!r}".format, "%s".__mod__, lambda s: f"{s}", lambda s: repr([s]), ascii],
)
def test_no_way_of_showing_shows_it(show: Callable[[Any], str]) -> None:
    assert TEXT not in show(SECRET)


@pytest.mark.parametrize("holder", [Credentials(SECRET, SECRET, SECRET), Token(SECRET)])
def test_what_holds_it_does_not_show_it(holder: object) -> None:
    assert TEXT not in repr(holder)


@pytest.mark.parametrize("take", [pickle.dumps, copy.copy, copy.deepcopy, json.dumps, len, iter, hash, bytes])
def test_no_way_of_taking_it_works(take: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError):
        take(SECRET)


def test_reveal_is_the_one_way_out() -> None:
    assert TEXT == SECRET.reveal()


def test_equal_secrets_are_equal() -> None:
    assert Secret(TEXT) == SECRET
    assert Secret("other") != SECRET
    assert TEXT != SECRET


def test_an_empty_secret_is_false() -> None:
    assert not Secret("")


def test_only_text_is_a_secret() -> None:
    with pytest.raises(TypeError):
        Secret(b"bytes")  # type: ignore[arg-type]


def test_a_traceback_does_not_show_it() -> None:
    with pytest.raises(TypeError) as caught:
        pickle.dumps(SECRET)
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True).format()
    assert TEXT not in "".join(shown)


def test_credentials_are_reached_by_name_like_the_requirement_does() -> None:
    assert Credentials(SECRET, SECRET)["tiger_id"] is SECRET
    with pytest.raises(KeyError):
        Credentials(SECRET, SECRET)["secret_key"]
    with pytest.raises(KeyError):
        Credentials(SECRET, SECRET)["__class__"]
