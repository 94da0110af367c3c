"""The commands, by name. A command's module is imported when the command is used."""

from __future__ import annotations

import importlib.metadata
import os
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cyclopts import App

from tigercore.cli._exit import UsageError

_DEFAULT_FILE: Final = "tigercore.toml"  # settings.DEFAULT_FILE, without importing what reads settings
_HERE: Final = "tigercore.cli."
_COMMANDS: Final = {
    "init": ("init:init", "Make the settings, the key file and the store."),
    "account": ("account:app", "Add, import, show, change, export and delete accounts."),
    "login": ("login:login", "Add accounts by a person's consent (OAuth2), or renew it."),
    "logout": ("login:logout", "End a person's consent."),
    "call": ("call:call", "Call the gateway on the right account, and print its data as JSON."),
    "route": ("route:app", "Say which account an operation goes to, and why."),
    "token": ("token:app", "Refresh tokens, and see how they stand and how refreshing goes."),
    "cipher": ("cipher:app", "Rotate and check the keys that seal secrets, and change what wraps them."),
    "panic": ("panic:panic", "Stop all signing on every machine: keys were stolen."),
    "db": ("db:app", "Bring the store's schema up to date, look at it, or move to another store."),
    "backup": ("backup:backup", "Write all of the store to a file, sealed with its keys."),
    "restore": ("backup:restore", "Write a backup into an empty store."),
    "plugins": ("plugins:plugins", "List the plugins that are installed, and which are loaded."),
    "doctor": ("doctor:doctor", "Check the whole installation, and say what to do."),
    "demo": ("demo:demo", "Show the framework at work against a simulated gateway."),
}


def build_app() -> App:
    """Return the application with every command of ours, none of them imported."""
    app = App(
        name="tigercore",
        help="Keep Tiger Brokers accounts: credentials encrypted, tokens alive, every operation on the right account.",
        version=lambda: importlib.metadata.version("tigercore"),
        help_format="plaintext",  # rich's markdown is slow to import
        suppress_keyboard_interrupt=False,
    )
    for name, (target, help) in _COMMANDS.items():
        app.command(_HERE + target, name=name, help=help)
    app.command(
        _HERE + "simulate:simulate",
        name="simulate",
        help="Start the simulated gateway; everything behind the word goes to it, --help too.",
        help_flags=[],
        version_flags=[],
    )
    return app


def add_plugin_commands(app: App, tokens: Sequence[str]) -> None:
    """Let the plugins that the settings file names add commands; most files name none, and nothing is imported.

    :raises UsageError: a plugin cannot be loaded, or fails to add its commands.
    """
    names = _plugins_of(_settings_file(tokens))
    if not names:
        return
    from tigercore._plugins import Hooks, load_hooks

    try:
        Hooks(load_hooks(names)).collect("tigercore_cli", app=app)
    except Exception as error:  # a stranger's code: it must not take the commands of ours with it
        raise UsageError(f"the plugins {', '.join(names)} cannot add their commands: {error}") from error


def _settings_file(tokens: Sequence[str]) -> Path:
    for word, after in zip(tokens, [*tokens[1:], ""], strict=False):  # no words, no pairs
        name, _, value = word.partition("=")
        if name == "--config" and (value or after):
            return Path(value or after)
    return Path(os.environ.get("TIGERCORE_CONFIG") or _DEFAULT_FILE)


def _plugins_of(file: Path) -> list[str]:
    """Return what the file names; a file that cannot be read names nothing, and the command will say why."""
    try:
        names = tomllib.loads(file.read_text("utf-8")).get("plugins")
    except (OSError, ValueError):
        return []
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
