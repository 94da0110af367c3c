"""`tigercore demo`, run as a stranger runs it."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tigercore.cli.demo.calls import Attempt, Call, Stage
from tigercore.cli.demo.load import rate
from tigercore.errors import OutcomeUnknown
from tigercore.operations import operation

pytest.importorskip("tigercore_simulator")

DEMO: Final = (sys.executable, "-m", "tigercore", "demo")
PATIENCE: Final = 60.0
_STRATEGIES: Final = {"round_robin", "random", "least_used", "fastest_response"}


# -- a whole run -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    place = tmp_path_factory.mktemp("demo")
    done = subprocess.run(
        [*DEMO, "--seconds", "8", "--json"], env=_env(place), capture_output=True, text=True, timeout=PATIENCE
    )
    assert [] == list(place.iterdir())
    return done


@pytest.fixture(scope="module")
def figures(run: subprocess.CompletedProcess[str]) -> Any:
    assert ("", 0) == (run.stderr, run.returncode)
    return json.loads(run.stdout)


def test_a_json_run_prints_one_line_and_nothing_else(run: subprocess.CompletedProcess[str]) -> None:
    assert ("", 1) == (run.stderr, run.stdout.count("\n"))


def test_calls_fail_over_to_another_account(figures: Any) -> None:
    assert figures["failovers"] > 0


def test_the_broken_account_is_left_out(figures: Any) -> None:
    assert figures["broken_account"]["ejections"] >= 1


def test_the_broken_account_was_met_before_and_while_it_was_broken(figures: Any) -> None:
    assert figures["broken_account"]["calls_before"] > 0 < figures["broken_account"]["calls_during"]


def test_no_call_for_market_data_is_lost(figures: Any) -> None:
    assert [] == [kind for kind in figures["errors"] if kind.startswith("quote_real_time")]


def test_no_order_is_lost(figures: Any) -> None:
    assert [] == [kind for kind in figures["errors"] if kind.startswith(("place_order", "cancel_order"))]


def test_tokens_are_refreshed(figures: Any) -> None:
    assert 2 == figures["token_refreshes"]


def test_every_account_is_enrolled(figures: Any) -> None:
    assert 12 == figures["accounts"]


def test_the_gateway_carries_out_each_order_once(figures: Any) -> None:
    placed = figures["orders"]["placed"]
    assert {"placed": placed, "cancelled": placed, "executed_by_gateway": placed, "duplicates": 0} == figures["orders"]
    assert placed > 0


def test_every_strategy_routes_calls(figures: Any) -> None:
    assert _STRATEGIES == {name for name, calls in figures["strategies"].items() if calls > 0}


def test_every_operation_is_timed(figures: Any) -> None:
    timed = {name for name, row in figures["operations"].items() if 0 < row["p50_ms"] <= row["p99_ms"]}
    assert {"quote_real_time", "positions", "prime_assets", "orders", "place_order", "cancel_order"} == timed


def test_the_operations_add_up_to_the_calls(figures: Any) -> None:
    assert figures["calls"] == sum(row["calls"] for row in figures["operations"].values())


# -- on a terminal ---------------------------------------------------------------------------------------------


def test_the_live_table_fits_80_columns(tmp_path: Path) -> None:
    shown = _on_a_terminal(tmp_path, "--seconds", "3")
    assert "…" not in shown
    assert 80 >= max(len(line) for line in shown.splitlines())


def _on_a_terminal(place: Path, *words: str) -> str:
    ours, theirs = pty.openpty()
    env = _env(place) | {"TERM": "xterm-256color", "COLUMNS": "80", "LINES": "30"}
    with subprocess.Popen([*DEMO, *words], env=env, stdout=theirs, stderr=theirs, stdin=theirs) as process:
        os.close(theirs)
        text = b"".join(_chunks(ours)).decode()
        os.close(ours)
    assert 0 == process.returncode, text
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def _chunks(descriptor: int) -> Iterator[bytes]:
    while True:
        try:
            chunk = os.read(descriptor, 65_536)
        except OSError:  # how Linux says that nobody holds the other end
            return
        if not chunk:
            return
        yield chunk


# -- stopped half-way ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_it_and_leaves_nothing_behind(tmp_path: Path, number: signal.Signals, code: int) -> None:
    with _running(tmp_path) as (process, port):
        process.send_signal(number)
        assert code == process.wait(PATIENCE)
    assert [] == list(tmp_path.iterdir())
    assert _refuses(port)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds the simulator under /proc")
def test_the_end_of_the_simulator_is_told_in_one_line(tmp_path: Path) -> None:
    with _running(tmp_path) as (process, _):
        (child,) = " ".join(each.read_text() for each in Path("/proc").glob(f"{process.pid}/task/*/children")).split()
        os.kill(int(child), signal.SIGKILL)
        _, told = process.communicate(timeout=PATIENCE)
    ended = "tigercore: the simulator ended by itself with exit code -9, so the demo cannot go on\n"
    assert (ended, 1) == (told, process.returncode)
    assert [] == list(tmp_path.iterdir())


@contextmanager
def _running(place: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Start a demo and wait until its load runs; give it with the port of its simulator."""
    with subprocess.Popen(
        [*DEMO, "--seconds", "60"], env=_env(place), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            port = re.search(r"http://127\.0\.0\.1:(\d+)", process.stdout.readline())
            assert port is not None
            next(line for line in process.stdout if "calls/s" in line)
            yield process, int(port[1])
        finally:
            process.terminate()


def _refuses(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) != 0


def _env(place: Path) -> dict[str, str]:
    return os.environ | {"TMPDIR": str(place)}


# -- refusals --------------------------------------------------------------------------------------------------


def test_without_the_simulator_it_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules['tigercore_simulator'] = None\nfrom tigercore.cli import run; sys.exit(run(['demo']))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=PATIENCE)
    assert 1 == done.returncode
    assert "pip install tigercore-simulator" in done.stderr


@pytest.mark.parametrize("seconds", ["0", "2.9", "601", "nan"])
def test_a_time_that_makes_no_demo_is_refused(seconds: str) -> None:
    done = subprocess.run([*DEMO, "--seconds", seconds], capture_output=True, text=True, timeout=PATIENCE)
    assert (2, f"tigercore: --seconds {float(seconds):g}: give 3 to 600\n") == (done.returncode, done.stderr)


# -- figures ---------------------------------------------------------------------------------------------------


def _attempt(account: int, *, failed: bool) -> Attempt:
    return Attempt(UUID(int=account), failed, 1.0, None, Stage.DURING)


def test_an_answer_of_another_account_is_a_failover() -> None:
    assert Call("q", True, None, [_attempt(1, failed=True), _attempt(2, failed=False)]).failed_over


def test_an_answer_of_the_same_account_at_the_second_try_is_no_failover() -> None:
    assert not Call("q", True, None, [_attempt(1, failed=True), _attempt(1, failed=False)]).failed_over


def test_a_call_that_every_account_failed_is_no_failover() -> None:
    attempts = [_attempt(1, failed=True), _attempt(2, failed=True)]
    assert not Call("q", True, None, attempts, error=OutcomeUnknown("q", "no reply")).failed_over


@given(st.integers(1, 50), st.floats(3, 600))
def test_the_load_stays_within_half_of_the_quotes_budget(developers: int, seconds: float) -> None:
    quotes = rate(developers, seconds) * min(seconds, 60.0) * 18 / 24
    assert quotes <= developers * operation("quote_real_time").per_minute / 2 + 0.001
