"""The command against the simulated gateway, which is a process of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from tests.cli.conftest import Desk, Ended, typed

LOCAL = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@attrs.frozen
class Gateway:
    ready: dict[str, Any]
    directory: Path

    def add_fault(self, **fault: Any) -> None:
        body = json.dumps(fault).encode()
        LOCAL.open(urllib.request.Request(f"{self.ready['admin']}/faults", data=body, method="POST")).close()

    def orders(self) -> Any:
        with LOCAL.open(f"{self.ready['admin']}/oracle") as reply:
            return json.load(reply)["orders"]

    def number(self, license: str) -> str:
        developer = next(each for each in self.ready["developers"] if each["license"] == license)
        return str(next(number for number in developer["accounts"] if len(number) == 17))


@pytest.fixture
def gateway(bare: Desk) -> Iterator[Gateway]:
    words = ["simulate", "--port", "0", "--developers", "3", "--out", str(bare.directory / "sim"), "--seed", "1"]
    with subprocess.Popen([sys.executable, "-m", "tigercore", *words], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield Gateway(json.loads(process.stdout.readline()), bare.directory / "sim")
        process.send_signal(signal.SIGINT)
        process.wait(10)


@pytest.fixture
def office(desk: Desk, gateway: Gateway) -> Gateway:
    assert desk("account", "import", gateway.directory).code == 0
    return gateway


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


def place(office: Gateway, *words: str) -> Ended:
    order = {"symbol": "AAPL", "sec_type": "STK", "market": "US", "currency": "USD", "action": "BUY", "order_id": 7}
    params = {**order, "order_type": "LMT", "limit_price": 1.5, "total_quantity": 1, "time_in_force": "DAY"}
    return typed("call", "PLACE_ORDER", "--account", office.number("TBSG"), "--params", json.dumps(params), *words)


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
    words = [sys.executable, "-m", "tigercore", "call", "POSITIONS"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        while not _has_come(office):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert 130 == process.returncode
    assert "Traceback" not in err


def _has_come(office: Gateway) -> bool:
    with LOCAL.open(f"{office.ready['admin']}/oracle") as reply:
        return any(each["method"] == "positions" for each in json.load(reply)["executed"])
