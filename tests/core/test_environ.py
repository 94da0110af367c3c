"""Secrets in the environment are taken out of it, in this process and in what the kernel shows of it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tigercore import Secret, load_settings
from tigercore._environ import secret_names, take

SHOW = """
import os, subprocess, sys
from tigercore._environ import take
taken = take(os.environ, "A_SECRET")
shown = [open(f"/proc/{pid}/environ", "rb").read() for pid in ("self",)]
shown.append(subprocess.run([sys.executable, "-c", "import os; print(dict(os.environ))"], capture_output=True).stdout)
print(taken.reveal() == "canary-5417", any(b"canary-5417" in each for each in shown), b"BESIDE" in shown[0])
"""


def test_a_secret_is_taken_once_and_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIGERCORE_TEST_SECRET", "canary")
    assert Secret("canary") == take(os.environ, "TIGERCORE_TEST_SECRET")
    assert "TIGERCORE_TEST_SECRET" not in os.environ
    assert Secret("canary") == take(os.environ, "TIGERCORE_TEST_SECRET")


def test_what_is_not_there_is_none() -> None:
    assert None is take(os.environ, "TIGERCORE_TEST_NOTHING")


def test_another_mapping_is_not_remembered() -> None:
    given = {"A": "b"}
    assert (Secret("b"), None) == (take(given, "A"), take(given, "A"))


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_neither_proc_nor_a_child_shows_a_secret_that_was_taken() -> None:
    environ = {**os.environ, "A_SECRET": "canary-5417", "BESIDE": "1"}
    ran = subprocess.run([sys.executable, "-c", SHOW], env=environ, capture_output=True, text=True, check=True)
    assert "True False True" == ran.stdout.strip()


AGAIN = """
import os
from tigercore._environ import take
os.environ["A_SECRET"] = os.environ["A_SECRET"].strip()
print(take(os.environ, "A_SECRET").reveal() == "canary-5417")
print(b"canary-5417" in open("/proc/self/environ", "rb").read())
"""

TWICE = """
import ctypes, os, sys
def texts(given):
    return (ctypes.c_char_p * (len(given) + 1))(*[each.encode() for each in given], None)
environ = [f"{name}={value}" for name, value in os.environ.items()]
words = [sys.executable, "-c", sys.argv[1]]
ctypes.CDLL(None).execve(words[0].encode(), texts(words), texts([*environ, "A_SECRET=canary-5417"]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_proc_does_not_show_a_secret_that_was_assigned_anew_before_it_was_taken() -> None:
    environ = {**os.environ, "A_SECRET": " canary-5417 "}
    ran = subprocess.run([sys.executable, "-c", AGAIN], env=environ, capture_output=True, text=True, check=True)
    assert ["True", "False"] == ran.stdout.split()


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_proc_does_not_show_a_secret_that_was_given_twice() -> None:
    environ = {**os.environ, "A_SECRET": "canary-5417", "BESIDE": "1"}
    words = [sys.executable, "-c", TWICE, SHOW]
    ran = subprocess.run(words, env=environ, capture_output=True, text=True, check=True)
    assert "True False True" == ran.stdout.strip()


def test_secret_options_come_from_variables_of_their_own() -> None:
    given = {"TIGERCORE_SECRET_CIPHER__OPTIONS__PASSPHRASE": "correct horse"}
    settings = load_settings(environ=given)
    assert {"passphrase": Secret("correct horse")} == settings.cipher.options
    assert {} == given


def test_secret_variables_are_found_after_they_were_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIGERCORE_TEST_TWICE", "x")
    take(os.environ, "TIGERCORE_TEST_TWICE")
    assert ["TIGERCORE_TEST_TWICE"] == secret_names(os.environ, "TIGERCORE_TEST_TWICE")
