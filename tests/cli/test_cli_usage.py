from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import NUMBER, Desk
from tigercore import AccountNotFoundError, OrderOutcomeUnknown, SettingsError, TigerCoreError
from tigercore.cli import _app, _run
from tigercore.cli._app import build_app
from tigercore.cli._exit import Exit, UsageError, code_of
from tigercore.settings import DEFAULT_FILE

COMMANDS = (
    "init",
    "account",
    "call",
    "route",
    "token",
    "cipher",
    "panic",
    "db",
    "plugins",
    "doctor",
    "demo",
    "simulate",
)


def test_no_words_at_all_give_the_help(bare: Desk) -> None:
    assert (0, bare("--help").out) == (bare().code, bare().out)


def test_help_names_every_command(bare: Desk) -> None:
    out = bare("--help").out
    assert [] == [name for name in COMMANDS if name not in out]


@pytest.mark.parametrize("words", [("account", "add"), ("call",), ("token", "refresh"), ("db", "status"), ("doctor",)])
def test_every_command_has_help_with_the_options_of_all(bare: Desk, words: tuple[str, ...]) -> None:
    ended = bare(*words, "--help")
    assert 0 == ended.code
    assert [] == [name for name in ("--config", "--json", "--verbose") if name not in ended.out]


@pytest.mark.parametrize(
    "words",
    [
        ("nonsense",),
        ("account", "list", "--nonsense"),
        ("account", "list", "--status", "nonsense"),
        ("account", "show"),
        ("account", "list", "--config", "nowhere.toml"),
        ("call", "QUOTE", "--params", "{"),
        ("call", "QUOTE", "--params", "[]"),
        ("call", "QUOTE", "--params", "@nowhere"),
        ("call", "QUOTE", "--params", '{"a": NaN}'),
        ("call", "QUOTE", "--params", '{"a": 1, "a": 2}'),
        ("call", "no method"),
        ("call", "user_token_refresh"),
        ("call", "PLACE_ORDER"),
        ("call", "no_such_method"),
        ("route", "explain", "QUOTE", "--strategy", "nonsense"),
        ("token", "refresh"),
        ("token", "refresh", NUMBER, "--all"),
        ("token", "stats", "--days", "soon"),
        ("token", "stats", "--days", "100000000"),
        ("token", "stats", "--days", "0"),
        ("token", "stats", "--days", "-5"),
        ("token", "history", NUMBER, "--limit", "99999999999999999999999"),
        ("token", "history", NUMBER, "--limit", "0"),
        ("account", "list", "--config", "a\0b"),
        ("account", "export", NUMBER, "a\0b"),
        ("db", "rollback"),
        ("db", "rollback", "--drop-everything"),
    ],
)
def test_what_is_typed_wrong_ends_with_2_and_one_line(keeper: Desk, words: tuple[str, ...]) -> None:
    ended = keeper(*words)
    assert 2 == ended.code
    assert "" == ended.out
    assert ended.err.startswith("tigercore: ")
    assert 1 == ended.err.count("\n")


def test_with_json_an_error_is_one_object_on_stderr(bare: Desk) -> None:
    ended = bare("account", "list", "--json", "--config", "nowhere.toml")
    assert "" == ended.out
    assert {"error", "kind"} == json.loads(ended.err).keys()


def test_the_options_of_all_may_stand_before_the_command(bare: Desk) -> None:
    assert 0 == bare("init", "--no-recovery", "--dir", "a").code
    assert [] == bare("--config", "a/tigercore.toml", "--json", "account", "list").document
    assert 2 == bare("--config").code


def test_every_fault_of_the_settings_is_in_the_line(bare: Desk) -> None:
    bare.file("tigercore.toml", 'nonsense = 1\n[store]\ndriver = "nowhere"\n')
    ended = bare("account", "list")
    assert 2 == ended.code
    assert 1 == ended.err.count("\n")


def test_a_store_that_was_not_made_names_the_command(bare: Desk) -> None:
    bare.install()
    (bare.directory / "tigercore.db").unlink()
    ended = bare("account", "list")
    assert 1 == ended.code
    assert "tigercore db migrate" in ended.err


def test_the_exit_code_tells_what_kind_of_error_it_was() -> None:
    errors = (
        TigerCoreError("x"),
        AccountNotFoundError("x"),
        UsageError("x"),
        SettingsError(["x"]),
        OrderOutcomeUnknown("x", account="a", method="m"),
    )
    assert [1, 1, 2, 2, 3] == [code_of(error) for error in errors]


def ended_with(bare: Desk, error: BaseException) -> int:
    def fail(tokens: object) -> int:
        raise error

    bare.monkeypatch.setattr(_run, "_command", fail)
    return bare("account", "list").code


def test_an_interrupt_ends_with_130(bare: Desk) -> None:
    assert 130 == ended_with(bare, KeyboardInterrupt())
    assert 130 == ended_with(bare, BaseExceptionGroup("", [TigerCoreError("x"), KeyboardInterrupt()]))


def test_the_worst_error_of_a_group_is_told(bare: Desk) -> None:
    unknown = OrderOutcomeUnknown("x", account="a", method="m")
    assert 3 == ended_with(bare, ExceptionGroup("", [TigerCoreError("x"), ExceptionGroup("", [unknown])]))


def test_a_fault_of_the_program_leaves_its_group(bare: Desk) -> None:
    with pytest.raises(ZeroDivisionError):
        ended_with(bare, ExceptionGroup("", [ExceptionGroup("", [ZeroDivisionError()])]))


def test_an_error_cannot_steer_the_terminal(bare: Desk) -> None:
    ended_with(bare, TigerCoreError("a\x1b[2J\nb"))
    assert "tigercore: a [2J b\n" == bare_error(bare)


def bare_error(bare: Desk) -> str:
    return bare("account", "list").err


def test_a_wrong_level_of_the_log_is_named(bare: Desk) -> None:
    bare.monkeypatch.setenv("TIGERCORE_LOG", "loud")
    ended = bare("plugins")
    assert 2 == ended.code
    assert "TIGERCORE_LOG" in ended.err


def test_the_name_of_the_settings_file_is_the_same_as_the_core_has() -> None:
    assert DEFAULT_FILE == _app._DEFAULT_FILE


def test_every_command_can_be_imported() -> None:
    app = build_app()
    assert [name for name in COMMANDS if not callable(app[name])] == []


# -- plugins ---------------------------------------------------------------------------------------------------


def test_a_broken_config_does_not_break_help(bare: Desk) -> None:
    bare.file("tigercore.toml", "plugins = [\x00")
    assert 0 == bare("--help").code


def test_a_plugin_that_is_missing_does_not_break_help(bare: Desk) -> None:
    bare.file("tigercore.toml", 'plugins = ["no-such-distribution"]')
    ended = bare("--help")
    assert 0 == ended.code
    assert "no-such-distribution" in ended.err


def test_a_plugin_adds_a_command(bare: Desk, tmp_path: Path) -> None:
    site = tmp_path / "site"
    info = site / "tigercore_hello-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tigercore-hello\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[tigercore.plugins]\nhello = tigercore_hello\n")
    (site / "tigercore_hello.py").write_text(
        "from tigercore import hookimpl\n"
        "@hookimpl\n"
        "def tigercore_cli(app):\n"
        "    app.command(hello)\n"
        "def hello():\n"
        "    print('hello')\n"
    )
    bare.monkeypatch.setattr(sys, "path", [*sys.path, str(site)])
    assert 2 == bare("hello").code
    bare.file("tigercore.toml", 'plugins = ["tigercore-hello"]')
    assert "hello\n" == bare("hello").out


def test_plugins_lists_what_is_installed_and_what_is_loaded(desk: Desk) -> None:
    found = {(each["kind"], each["name"]): each for each in desk("plugins", "--json").document}
    assert found["stores", "sqlite"]["loaded"] is True
    assert Path(found["ciphers", "local"]["file"]).is_file()


def test_the_reference_names_every_command_and_exit_code() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "cli.md").read_text()
    app = build_app()
    nouns = {name: app[name] for name in COMMANDS if name != "simulate"}
    typed_as = [f"{noun} {verb}" for noun, sub in nouns.items() for verb in sub if not verb.startswith("-")]
    assert [] == [words for words in [*typed_as, *COMMANDS] if f"`{words}" not in page]
    assert [] == [code for code in Exit if f"| {code:d} |" not in page]
