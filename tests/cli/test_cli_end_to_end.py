"""The command against the simulated gateway, which is a process of its own."""

from __future__ import annotations

import signal
import subprocess
import sys

from tests.cli.conftest import Desk, Gateway, place, typed


def test_quotes_come_from_the_gateway(office: Gateway) -> None:
    ended = typed("call", "QUOTE", "--params", "-", stdin='{"symbols": ["AAPL"]}')
    assert ["AAPL"] == [each["symbol"] for each in ended.document]


def test_tokens_are_refreshed_and_the_history_knows(desk: Desk, office: Gateway) -> None:
    number = office.number("TBHK")
    assert [number] == [each["number"] for each in desk("token", "refresh", "--all", "--json").document]
    assert ["SUCCEEDED"] == [each["status"] for each in desk("token", "history", number, "--json").document]
    assert 1.0 == desk("token", "stats", "--json").document["success_rate"]


def test_a_refresh_that_fails_ends_with_1_and_names_the_account(desk: Desk, office: Gateway) -> None:
    office.add_fault(kind="http_5xx", method="user_token_refresh", count=None)
    ended = desk("token", "refresh", office.number("TBHK"), "--json")
    assert 1 == ended.code
    assert [False] == [each["refreshed"] for each in ended.document]


def test_a_route_names_every_account(desk: Desk, office: Gateway) -> None:
    found = desk("route", "explain", "QUOTE", "--json").document
    assert [1, 2, 3] == [each["place"] for each in found]


def test_doctor_asks_the_gateway(desk: Desk, office: Gateway) -> None:
    assert "took the keys of 3 of 3 accounts" in desk("doctor").out


def test_an_order_goes_out_only_with_yes(office: Gateway) -> None:
    assert 2 == place(office).code
    assert [] == office.orders()
    assert 0 == place(office, "--yes").code
    assert 1 == len(office.orders())


def test_an_order_whose_outcome_is_unknown_ends_with_3(office: Gateway) -> None:
    office.add_fault(kind="reset_after", method="place_order")
    ended = place(office, "--yes")
    assert 3 == ended.code
    assert ("", 1) == (ended.out, ended.err.count("\n"))
    assert 1 == len(office.orders())


def test_no_secret_is_ever_shown(office: Gateway) -> None:
    seen = ""
    for words in (("call", "POSITIONS"), ("token", "refresh", "--all"), ("doctor",), ("account", "list", "--json")):
        seen += typed(*words, "--verbose", TIGERCORE_LOG="DEBUG").words
    files = [file.read_text() for file in office.directory.rglob("*.properties")]
    secrets = {line.partition("=")[2][:40] for file in files for line in file.splitlines() if _is_secret(line)}
    assert len(secrets) > 3
    assert [] == [secret for secret in secrets if secret in seen]


def _is_secret(line: str) -> bool:
    return line.startswith(("private_key", "token", "tiger_id"))


def test_an_interrupt_stops_cleanly_with_130(office: Gateway) -> None:
    office.add_fault(kind="hang_after", method="positions", count=None)
    words = [sys.executable, "-m", "tigercore", "call", "POSITIONS", "--account", office.number("TBSG")]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        while not office.has_seen("positions"):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert 130 == process.returncode
    assert "Traceback" not in err
