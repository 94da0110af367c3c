"""The command at a terminal: it asks, and what is typed at a secret is not echoed."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import attrs
import pytest

from tests.cli.conftest import NUMBER, Desk

pytestmark = pytest.mark.floor  # each of these starts programs


@attrs.define
class Terminal:
    process: subprocess.Popen[bytes]
    line: int
    seen: str = ""

    def wait_for(self, text: str) -> None:
        while text not in self.seen:
            self.seen += os.read(self.line, 4096).decode()

    def answer(self, text: str) -> None:
        os.write(self.line, f"{text}\n".encode())

    def end(self) -> int:
        try:
            while more := os.read(self.line, 4096):
                self.seen += more.decode()
        except OSError:  # Linux says so when the other side has closed
            pass
        return self.process.wait(20)


@contextmanager
def terminal(*words: str) -> Iterator[Terminal]:
    ours, theirs = pty.openpty()
    program = [sys.executable, "-m", "tigercore", *words]
    with subprocess.Popen(program, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True) as process:
        os.close(theirs)
        try:
            yield Terminal(process, ours)
        finally:
            process.kill()
            os.close(ours)


def test_deleting_asks_and_no_is_no(keeper: Desk) -> None:
    with terminal("account", "delete", NUMBER) as screen:
        screen.wait_for("[y/N]")
        screen.answer("n")
        assert 1 == screen.end()
    assert 1 == len(keeper("account", "list", "--json").document)


def test_deleting_asks_and_yes_is_yes(keeper: Desk) -> None:
    with terminal("account", "delete", NUMBER) as screen:
        screen.wait_for("[y/N]")
        screen.answer("y")
        assert 0 == screen.end()
    assert [] == keeper("account", "list", "--json").document


def test_an_interrupt_at_a_question_ends_with_130(keeper: Desk) -> None:
    with terminal("account", "delete", NUMBER) as screen:
        screen.wait_for("[y/N]")
        screen.process.send_signal(signal.SIGINT)
        assert 130 == screen.end()
        assert "Traceback" not in screen.seen


def test_secrets_are_asked_for_without_echo(desk: Desk) -> None:
    key = "".join(desk.pem.splitlines()[1:-1])
    with terminal("account", "add", "--number", NUMBER, "--type", "paper") as screen:
        screen.wait_for("tiger id: ")
        screen.answer("20150001")
        screen.wait_for("private key (one line of base64, or give --private-key-file): ")
        screen.answer(key)
        assert 0 == screen.end()
    assert "20150001" not in screen.seen
    assert key[:20] not in screen.seen
    assert [NUMBER] == [each["account_number"] for each in desk("account", "list", "--json").document]


def test_the_end_of_input_at_a_secret_is_told_in_one_line(desk: Desk) -> None:
    with terminal("account", "add", "--number", NUMBER) as screen:
        screen.wait_for("tiger id: ")
        os.write(screen.line, b"\x04")
        assert 2 == screen.end()
    assert "no tiger id was typed; nothing was done" in screen.seen
    assert "Traceback" not in screen.seen


def test_a_pem_at_the_prompt_is_sent_to_a_file(desk: Desk) -> None:
    with terminal("account", "add", "--number", NUMBER) as screen:
        screen.wait_for("tiger id: ")
        screen.answer("20150001")
        screen.wait_for("private key (one line of base64, or give --private-key-file): ")
        screen.answer(desk.pem)
        assert 2 == screen.end()
    assert "give --private-key-file FILE" in screen.seen


def test_taking_the_first_revision_back_asks_with_what_is_lost(desk: Desk) -> None:
    desk.empty_store(first=True)
    with terminal("db", "rollback") as screen:
        screen.wait_for("DROP EVERYTHING: accounts, keys and tokens")
        screen.wait_for("[y/N]")
        screen.answer("n")
        assert 1 == screen.end()
    assert "0001" == desk("db", "status", "--json").document["current"]


def test_a_table_on_a_terminal_has_lines_and_obeys_no_color(keeper: Desk) -> None:
    keeper.monkeypatch.setenv("NO_COLOR", "1")
    with terminal("account", "list") as screen:
        assert 0 == screen.end()
    assert "─" in screen.seen
    assert "\x1b[3" not in screen.seen
