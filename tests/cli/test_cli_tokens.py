"""`tigercore token` against the simulated gateway: what is due, the pages of a history, sums, and a watch."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys

import pytest

from tests.cli.conftest import NUMBER, Desk, Gateway, token, typed

pytestmark = pytest.mark.floor  # each of these starts programs


@pytest.fixture
def overdue(desk: Desk, gateway: Gateway) -> Gateway:
    """Return a gateway whose accounts are here; the token of one is old, and the gateway does not know it."""
    number = gateway.number("TBHK")
    for path in gateway.directory.rglob("*.properties"):
        old = path.read_text().splitlines()
        lines = [f"token={token(days=3, born=20)}" if line.startswith("token=") else line for line in old]
        path.write_text("\n".join(lines))
    assert desk("account", "import", gateway.directory).code == 0
    assert "VALID" == desk("token", "status", number, "--json").document[0]["state"]
    return gateway


def test_nothing_is_due_where_every_token_is_young(desk: Desk, office: Gateway) -> None:
    ended = desk("token", "refresh", "--due")
    assert (0, "No token is due.\n") == (ended.code, ended.out)


def test_what_is_due_is_tried_and_told_and_nothing_else(desk: Desk, overdue: Gateway) -> None:
    ended = desk("token", "refresh", "--due", "--json")
    [row] = ended.document
    assert (1, False) == (ended.code, row["refreshed"])
    assert row["number"] in (number for each in overdue.ready["developers"] for number in each["accounts"])


def test_what_is_due_is_shown_on_a_terminal_as_it_goes(overdue: Gateway) -> None:
    ours, theirs = pty.openpty()
    words = [sys.executable, "-m", "tigercore", "token", "refresh", "--due"]
    with subprocess.Popen(words, stdin=theirs, stdout=subprocess.DEVNULL, stderr=theirs) as process:
        os.close(theirs)
        seen = ""
        while "refreshing" not in seen:
            seen += os.read(ours, 4096).decode()
        process.wait(30)
        os.close(ours)
    assert 1 == process.returncode  # the gateway does not know the token


def test_a_history_is_shown_page_by_page(desk: Desk, office: Gateway) -> None:
    number = office.number("TBHK")
    for _ in range(3):
        desk("token", "refresh", number)
    first = desk("token", "history", number, "--limit", "2", "--json").document
    rest = desk("token", "history", number, "--before", first[-1]["id"], "--json").document
    whole = desk("token", "history", number, "--json").document
    assert (3, whole) == (len(whole), first + rest)


def test_a_page_after_what_is_no_attempt_is_a_mistake_of_one_line(desk: Desk, office: Gateway) -> None:
    ended = desk("token", "history", office.number("TBHK"), "--before", "yesterday")
    assert (2, 1) == (ended.code, ended.err.strip().count("\n") + 1)
    assert "before" in ended.err.lower()


def test_sums_are_of_one_account_or_of_all(desk: Desk, office: Gateway) -> None:
    number = office.number("TBHK")
    desk("token", "refresh", number)
    desk("account", "import", desk.portal(license="TBHK", token=token()))
    sums = [desk("token", "stats", *words, "--json").document["attempts"] for words in ((), (number,), (NUMBER,))]
    assert [1, 1, 0] == sums


def test_days_that_are_no_number_of_days_are_a_mistake(desk: Desk) -> None:
    assert 2 == desk("token", "stats", "--days", "0").code


def test_a_watch_looks_as_often_as_it_was_told(desk: Desk, office: Gateway) -> None:
    ended = desk("token", "watch", "--times", "2", "--every", "0.2", "--json")
    looks = [json.loads(line) for line in ended.out.replace("]\n[", "]\x00[").split("\x00")]
    assert (0, 2) == (ended.code, len(looks))
    assert [office.number("TBHK")] == [each["number"] for each in looks[0]]


def test_a_watch_shows_first_who_needs_somebody(desk: Desk, office: Gateway) -> None:
    desk("account", "import", desk.portal(license="TBHK"))  # without a token: only a person can help
    ended = desk("token", "watch", "--times", "1", "--json")
    assert (NUMBER, "NEEDS_REAUTH") == (ended.document[0]["number"], ended.document[0]["state"])


def test_a_watch_ends_cleanly_when_it_is_interrupted(desk: Desk, office: Gateway) -> None:
    words = [sys.executable, "-m", "tigercore", "token", "watch", "--every", "0.2"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()  # it has begun
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert (130, False) == (process.returncode, "Traceback" in errors)


def test_no_token_is_shown_by_any_of_it(desk: Desk, office: Gateway) -> None:
    seen = ""
    for words in (("refresh", "--all"), ("status",), ("history", office.number("TBHK")), ("stats",)):
        seen += typed("token", *words, "--verbose", TIGERCORE_LOG="DEBUG").words
    lines = [line for file in office.directory.rglob("*.properties") for line in file.read_text().splitlines()]
    tokens = [line.partition("=")[2] for line in lines if line.startswith("token=")]
    assert tokens
    assert [] == [each for each in tokens if each in seen]
