"""The command as a process of its own: what it imports, and streams that take nothing."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.cli.conftest import Desk, typed


def test_help_imports_neither_trio_nor_what_drivers_need(bare: Desk) -> None:
    heavy = ("trio", "cattrs", "sqlalchemy", "alembic", "httpx2", "cryptography", "stevedore")
    program = (
        "import sys; from tigercore.cli import run; run(['--help']);"
        f"print([name for name in {heavy!r} if name in sys.modules], file=sys.stderr)"
    )
    assert "[]\n" == python("-c", program)


def python(*words: str) -> str:
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, check=True).stderr


def test_without_the_extra_one_line_says_what_to_install(bare: Desk) -> None:
    program = (
        "import sys, importlib.util as u; real = u.find_spec;"
        "u.find_spec = lambda name, *a: None if name == 'cyclopts' else real(name, *a);"
        "from tigercore.__main__ import main; print(main(), file=sys.stderr)"
    )
    assert "tigercore: the command needs an extra: install tigercore[cli]\n2\n" == python("-c", program)


def test_the_command_works_as_a_process(keeper: Desk) -> None:
    ended = typed("account", "list")
    assert (0, "") == (ended.code, ended.err)
    assert "NUMBER" == ended.out.split()[0]
    assert "\x1b" not in ended.out


def test_a_reader_that_has_gone_ends_the_command_quietly(keeper: Desk) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    words = [sys.executable, "-m", "tigercore", "account", "list"]
    ended = subprocess.run(words, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    os.close(writer)
    assert (1, "") == (ended.returncode, ended.stderr)


@pytest.mark.parametrize(("sink", "says"), [("/dev/full", "No space left on device"), ("&-", "stdout is closed")])
def test_a_stdout_that_takes_nothing_is_a_failure_of_one_line(keeper: Desk, sink: str, says: str) -> None:
    words = ["bash", "-c", f'"$@" >{sink}', "bash", sys.executable, "-m", "tigercore", "account", "list"]
    ended = subprocess.run(words, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert (1, f"tigercore: the system: {says}\n") == (ended.returncode, ended.stderr)


def test_a_nul_in_a_path_of_the_settings_is_told_in_one_line(bare: Desk) -> None:
    bare.install()
    file = bare.directory / "tigercore.toml"
    file.write_text(file.read_text().replace("tigercore.db", "tiger\\u0000core.db"))
    ended = bare("account", "list")
    assert ended.code in (1, 2)
    assert 1 == ended.err.count("\n")


def test_a_bad_word_ends_the_process_with_2(bare: Desk) -> None:
    ended = typed("account", "list", "--nonsense")
    assert 2 == ended.code
    assert "Traceback" not in ended.err


def test_without_the_simulator_one_line_says_what_to_install(bare: Desk) -> None:
    bare.monkeypatch.setattr("tigercore.cli.simulate._MODULE", "no_such_module")
    ended = bare("simulate", "--port", "0")
    assert 2 == ended.code
    assert "tigercore: the simulator is not here: install tigercore-simulator\n" == ended.err


def test_verbose_tells_where_it_went_wrong(bare: Desk) -> None:
    assert "Traceback" in typed("account", "list", "--config", "nowhere.toml", "--verbose").err


def test_simulate_hands_its_help_over(bare: Desk) -> None:
    assert "--developers" in typed("simulate", "--help").out
