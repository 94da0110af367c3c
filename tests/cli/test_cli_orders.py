"""An order that was carried out is never told as a failure, whatever befalls the command."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import trio

from tests.cli.conftest import Gateway, order
from tigercore import OrderOutcomeUnknown, StoreUnavailable, TigerCoreError
from tigercore.cli._sending import Sending

pytestmark = pytest.mark.floor  # each of these starts programs

QUERY = "may have been carried out: query the account before you do anything else"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_order_that_is_interrupted_ends_with_3(office: Gateway, number: signal.Signals) -> None:
    office.add_fault(kind="hang_after", method="place_order", count=None)
    words = [sys.executable, "-m", "tigercore", *order(office, "--yes")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while not office.orders():
            assert process.poll() is None
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    assert (3, "", 1) == (process.returncode, out, err.count("\n"))
    assert f"{QUERY} (interrupted by {number.name})" in err
    assert 1 == len(office.orders())


@pytest.mark.parametrize("sink", [">/dev/full", ">&-", "| true"])
def test_an_answer_that_stdout_does_not_take_goes_to_stderr_and_ends_with_3(office: Gateway, sink: str) -> None:
    script = f'"$@" {sink}; exit ${{PIPESTATUS[0]}}'
    words = ["bash", "-c", script, "bash", sys.executable, "-m", "tigercore", *order(office, "--yes")]
    ended = subprocess.run(words, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    answer, _, line = ended.stderr.rstrip().rpartition("\n")
    assert 3 == ended.returncode
    assert [json.loads(answer)["id"]] == [each["id"] for each in office.orders()]
    assert "stdout did not take the answer" in line


# -- how far a call has come -----------------------------------------------------------------------------------


@contextmanager
def unknown(why: str) -> Iterator[None]:
    with pytest.raises(OrderOutcomeUnknown) as caught:
        yield
    assert f"place_order on 7 {QUERY} ({why})" == str(caught.value)


async def answer() -> dict[str, int]:
    return {"id": 1}


async def stopped(number: signal.Signals) -> None:
    signal.raise_signal(number)
    await trio.sleep_forever()


async def test_a_signal_before_anything_was_sent_interrupts() -> None:
    with pytest.raises(KeyboardInterrupt):
        await Sending("place_order").carry_out(lambda: stopped(signal.SIGINT))


async def test_a_terminated_process_says_that_nothing_was_sent(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="143"):
        await Sending("place_order").carry_out(lambda: stopped(signal.SIGTERM))
    assert "tigercore: interrupted by SIGTERM; nothing was sent\n" == capsys.readouterr().err


async def test_an_error_before_anything_was_sent_is_itself() -> None:
    async def work() -> None:
        raise StoreUnavailable("gone")

    with pytest.RaisesGroup(StoreUnavailable):
        await Sending("place_order").carry_out(work)


async def test_a_fault_of_the_program_after_the_call_began_is_an_unknown_outcome() -> None:
    sending = Sending("place_order", "7")

    async def execute() -> None:
        raise ZeroDivisionError("oh")

    with unknown("ZeroDivisionError: oh"):
        await sending.carry_out(lambda: sending.send(execute))


async def test_a_signal_after_the_call_began_is_an_unknown_outcome() -> None:
    sending = Sending("place_order", "7")
    with unknown("interrupted by SIGINT"):
        await sending.carry_out(lambda: sending.send(lambda: stopped(signal.SIGINT)))


async def test_closing_that_fails_hides_no_interrupted_call() -> None:
    sending = Sending("place_order", "7")

    async def work() -> None:
        try:
            await sending.send(lambda: stopped(signal.SIGTERM))
        finally:
            raise StoreUnavailable("gone")

    with unknown("StoreUnavailable: gone"):
        await sending.carry_out(work)


async def test_a_refusal_stays_one_although_closing_is_interrupted() -> None:
    sending = Sending("place_order")

    async def refuse() -> None:
        raise TigerCoreError("no")

    async def work() -> None:
        try:
            await sending.send(refuse)
        finally:
            await stopped(signal.SIGINT)

    with pytest.raises(TigerCoreError, match=r"^no$"):
        await sending.carry_out(work)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_an_answer_that_was_printed_stays_one_although_closing_is_interrupted(
    capsys: pytest.CaptureFixture[str], number: signal.Signals
) -> None:
    sending = Sending("place_order")

    async def work() -> None:
        await sending.send(answer)
        await stopped(number)

    await sending.carry_out(work)
    out, err = capsys.readouterr()
    assert {"id": 1} == json.loads(out)
    assert f"tigercore: place_order was answered; only then: interrupted by {number.name}\n" == err


async def test_a_signal_that_the_parent_lets_be_ignored_is_ignored(capsys: pytest.CaptureFixture[str]) -> None:
    sending = Sending("place_order")

    async def hung_up() -> dict[str, int]:
        signal.raise_signal(signal.SIGHUP)
        await trio.lowlevel.checkpoint()
        return {"id": 1}

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        await sending.carry_out(lambda: sending.send(hung_up))
    finally:
        signal.signal(signal.SIGHUP, before)
    assert "" == capsys.readouterr().err
