from __future__ import annotations

import re
import subprocess
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tigercore.errors import KeyUnavailable
from tigercore.model import Secret
from tigercore_cipher_local import suggest_passphrase
from tigercore_cipher_local.passphrase import encode


def _refusal(text: str) -> KeyUnavailable:
    with pytest.raises(KeyUnavailable) as caught:
        encode(Secret(text))
    return caught.value


def test_a_passphrase_is_its_utf8() -> None:
    assert b"eleven and \xc3\xa9" == encode(Secret("eleven and é"))


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=48))
def test_every_form_of_a_text_is_the_same_passphrase(text: str) -> None:
    forms = [unicodedata.normalize(form, text) for form in ("NFC", "NFD")]
    assert 1 == len({encode(Secret(form)) for form in (text, *forms)})


def test_forms_that_look_alike_only_are_other_passphrases() -> None:
    assert encode(Secret("eleven and ﬁ")) != encode(Secret("eleven and fi"))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n"])
def test_the_end_of_a_line_is_not_part_of_a_passphrase(end: str) -> None:
    assert encode(Secret("twelve chars")) == encode(Secret("twelve chars" + end))


def test_spaces_are_part_of_a_passphrase() -> None:
    assert encode(Secret("twelve chars")) != encode(Secret(" twelve chars "))


# -- what is refused ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "x", "x" * 11, "é" * 11, "e\u0301" * 11, "x" * 11 + "\n"])
def test_fewer_than_twelve_characters_are_refused(text: str) -> None:
    assert "fewer than 12 characters" in str(_refusal(text))


@pytest.mark.parametrize("text", ["x" * 12, "é" * 12, "e\u0301" * 12])
def test_twelve_characters_are_enough(text: str) -> None:
    assert encode(Secret(text))


def test_the_advice_for_a_short_passphrase_prints_one_that_is_taken() -> None:
    (command,) = re.findall("`python (.*)`", str(_refusal("short")))
    printed = subprocess.run(f"{sys.executable} {command}", shell=True, check=True, capture_output=True, text=True)
    assert 35 == len(encode(Secret(printed.stdout)))


@pytest.mark.parametrize("text", ["tiny", "not a text \udcff of UTF-8"])
def test_a_refusal_is_one_line_that_shows_nothing_of_the_passphrase(text: str) -> None:
    error = _refusal(text)
    assert [str(error)] == str(error).splitlines()
    assert (False, None) == (text in str(error), error.__context__)


def test_bytes_that_are_no_text_are_refused() -> None:
    assert "give it anew" in str(_refusal("not a text \udcff of UTF-8"))


# -- a suggestion ------------------------------------------------------------------------------------------


def test_a_suggestion_is_six_groups_of_five() -> None:
    assert re.fullmatch("([a-z2-7]{5}-){5}[a-z2-7]{5}", suggest_passphrase())


def test_every_letter_of_a_suggestion_is_random() -> None:
    columns = zip(*(suggest_passphrase().replace("-", "") for _ in range(1000)), strict=True)
    assert {32} == {len(set(column)) for column in columns}
