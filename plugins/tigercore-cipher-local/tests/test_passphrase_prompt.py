from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator

import pytest

_OLD, _NEW, _AGAIN = "Passphrase of the key ring: ", "12 characters or more: ", "The same again: "
_GOOD = "an entirely good passphrase"
_START = (
    "import fcntl, signal, termios, trio; from functools import partial; fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
    "signal.signal(signal.SIGINT, signal.default_int_handler);"
)
_ASK = "from tigercore_cipher_local.terminal import ask; print(trio.run(partial(ask, new={})).reveal())"
_RING = """
from tigercore.model import Secret
from tigercore_cipher_local.passphraseroot import PassphraseRoot
from tigercore_cipher_local.stretch import Stretch

async def main():
    made = PassphraseRoot(None, Stretch(bytes(16), 19 * 1024, 2, 1))
    salted = PassphraseRoot(Secret("an entirely good passphrase"), Stretch(b"another salt, 16", 19 * 1024, 2, 1))
    wrapped = [await root.wrap(bytes(32), {}) for root in (made, made, salted)]
    opened = PassphraseRoot()
    print(*[await opened.unwrap(blob, {}) == bytes(32) for blob in wrapped])

trio.run(main)
"""


class Terminal:
    """A program on a terminal of its own, which shows `shown`."""

    def __init__(self, program: str) -> None:
        self.ours, self.theirs = pty.openpty()
        self.shown = b""
        self.program = subprocess.Popen(
            [sys.executable, "-c", _START + program],
            stdin=self.theirs,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def answer(self, prompt: str, typed: bytes) -> None:
        """Wait for a prompt, then type."""
        before = len(self.shown)
        while prompt.encode() not in self.shown[before:]:
            assert select.select([self.ours], [], [], 30)[0], self.shown
            self.shown += os.read(self.ours, 1024)
        os.write(self.ours, typed)

    def end(self) -> tuple[str, str]:
        """Return what the program said on stdout, and the last line of stderr."""
        said, complained = self.program.communicate(timeout=30)
        while select.select([self.ours], [], [], 0)[0]:
            self.shown += os.read(self.ours, 1024)
        return said.decode().rstrip(), (complained.decode().splitlines() or [""])[-1]

    def echoes(self) -> bool:
        return bool(termios.tcgetattr(self.theirs)[3] & termios.ECHO)

    def close(self) -> None:
        self.program.kill()
        self.program.communicate()
        os.close(self.ours)
        os.close(self.theirs)


@pytest.fixture
def run() -> Iterator[Callable[[str], Terminal]]:
    started: list[Terminal] = []

    def start(program: str) -> Terminal:
        started.append(Terminal(program))
        return started[-1]

    yield start
    for terminal in started:
        terminal.close()


def _line(text: str) -> bytes:
    return text.encode() + b"\n"


def test_a_passphrase_that_is_known_is_asked_for_once(run: Callable[[str], Terminal]) -> None:
    terminal = run(_ASK.format(False))
    terminal.answer(_OLD, _line(_GOOD))
    assert (_GOOD, "") == terminal.end()


def test_a_new_passphrase_is_asked_for_twice(run: Callable[[str], Terminal]) -> None:
    terminal = run(_ASK.format(True))
    terminal.answer(_NEW, _line(_GOOD))
    terminal.answer(_AGAIN, _line(_GOOD))
    assert (_GOOD, "") == terminal.end()


def test_what_is_typed_is_not_shown(run: Callable[[str], Terminal]) -> None:
    terminal = run(_ASK.format(False))
    terminal.answer(_OLD, _line(_GOOD))
    terminal.end()
    assert _GOOD.encode() not in terminal.shown


def test_all_keys_of_a_ring_cost_one_question(run: Callable[[str], Terminal]) -> None:
    terminal = run(_RING)
    for prompt in (_NEW, _AGAIN, _OLD):
        terminal.answer(prompt, _line(_GOOD))
    assert ("True True True", "") == terminal.end()


def test_a_passphrase_beyond_ascii_is_taken(run: Callable[[str], Terminal]) -> None:
    terminal = run(_ASK.format(False))
    terminal.answer(_OLD, _line("пароль из букв"))
    assert ("пароль из букв", "") == terminal.end()


# -- what is refused ---------------------------------------------------------------------------------------


def test_two_new_passphrases_that_differ_are_refused(run: Callable[[str], Terminal]) -> None:
    terminal = run(_ASK.format(True))
    terminal.answer(_NEW, _line(_GOOD))
    terminal.answer(_AGAIN, _line(_GOOD + "!"))
    assert terminal.end()[1].endswith("KeyUnavailable: the two passphrases differ, so nothing was made: run this again")


def test_a_short_passphrase_is_refused_before_it_is_asked_for_again(run: Callable[[str], Terminal]) -> None:
    terminal = run(_ASK.format(True))
    terminal.answer(_NEW, _line("x" * 11))
    assert "fewer than 12 characters" in terminal.end()[1]
    assert _AGAIN.encode() not in terminal.shown


@pytest.mark.parametrize("typed", [b"\x04", b"not UTF-8: \xff\xfe\n"])
def test_what_is_no_text_is_refused_and_not_shown(run: Callable[[str], Terminal], typed: bytes) -> None:
    terminal = run(_ASK.format(False))
    terminal.answer(_OLD, typed)
    assert terminal.end()[1].endswith(
        "KeyUnavailable: no passphrase came from the terminal: run this again, and type it as UTF-8 text"
    )


def test_an_interrupted_prompt_ends_the_program_and_gives_the_echo_back(run: Callable[[str], Terminal]) -> None:
    terminal = run(_ASK.format(False))
    terminal.answer(_OLD, b"\x03")
    assert ("", "KeyboardInterrupt") == terminal.end()
    assert terminal.echoes()


@pytest.mark.parametrize(
    "program",
    [
        "from tigercore_cipher_local import *; LocalCipher.create_root(LocalOptions(ask_passphrase=True))",
        "import trio, tigercore_cipher_local.passphraseroot as it; trio.run(it.PassphraseRoot().wrap, bytes(32), {})",
    ],
)
def test_without_a_terminal_the_other_ways_are_named(program: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", program],
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert ended.stderr.splitlines()[-1].endswith(
        "KeyUnavailable: no terminal to ask for the passphrase on: run this in one, or give `key_file` or `credential` "
        "instead"
    )
