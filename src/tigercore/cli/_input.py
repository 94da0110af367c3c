"""What comes in: secrets, which never come from an argument, parameters, and a yes or no."""

from __future__ import annotations

import getpass
import json
import sys
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, NoReturn

from tigercore.cli._exit import UsageError, one_line
from tigercore.model import Secret

_LIMIT = 1 << 20  # characters; parameters and keys are far shorter
STDIN = "-"
_ONE_LINE = {"private_key": " (one line of base64, or give --private-key-file)"}


def read_secret(file: str, option: str) -> Secret:
    """Return what stands in a file, or on stdin if the file is `-`.

    :raises UsageError: it cannot be read, or is empty.
    """
    text = _read(file, option).strip()
    if not text:
        raise UsageError(f"{option}: {file} is empty")
    return Secret(text)


def read_text(file: str, option: str) -> str:
    """Return what stands in a file, or on stdin if the file is `-`. Errors as `read_secret`."""
    return _read(file, option)


def ask_secret(name: str) -> Secret:
    """Ask for a secret, `tiger_id` or another, on the terminal, without echo.

    :raises UsageError: there is no terminal to ask on, or nothing was typed.
    """
    what = name.replace("_", " ")
    if not sys.stdin.isatty():
        raise UsageError(f"--{what.replace(' ', '-')}-file: needed, for there is no terminal to ask for the {what} on")
    try:
        text = getpass.getpass(f"{what}{_ONE_LINE.get(name, '')}: ", stream=sys.stderr).strip()
    except EOFError:  # Ctrl-D
        print(file=sys.stderr)
        text = ""
    if text.startswith("-----BEGIN"):
        raise UsageError(f"the prompt takes one line, not a PEM: give --{what.replace(' ', '-')}-file FILE")
    if not text:
        raise UsageError(f"no {what} was typed; nothing was done")
    return Secret(text)


def refuse_two_stdins(*files: str | None) -> None:
    """Pass if at most one of these files is stdin.

    :raises UsageError: more are.
    """
    if files.count(STDIN) > 1:
        raise UsageError("only one file can be -: stdin can be read once")


def confirm(question: str, *, yes: bool) -> bool:
    """Return whether it may be done: `--yes` was given, or the answer on the terminal is y.

    :raises UsageError: there is no terminal to ask on.
    """
    if yes:
        return True
    if not sys.stdin.isatty():
        raise UsageError(f"{question}: add --yes if this is meant, for there is no terminal to ask on")
    print(f"{one_line(question)}? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def read_params(text: str) -> dict[str, Any]:
    """Return the parameters of a call: JSON, or `@file` that holds it, or `-` for stdin. Numbers lose nothing.

    :raises UsageError: it is no JSON object.
    """
    if text == STDIN or text.startswith("@"):
        text = _read(text.removeprefix("@"), "--params")
    try:
        params = json.loads(text, parse_float=Decimal, parse_constant=_no_number, object_pairs_hook=_no_doubles)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"--params: not JSON: {error}") from None
    if not isinstance(params, Mapping):
        raise UsageError('--params: give a JSON object, such as {"symbols": ["AAPL"]}')
    return dict(params)


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")


def _no_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        raise ValueError("a name stands twice in one object")
    return table


def _read(file: str, option: str) -> str:
    try:
        if file == STDIN:
            return sys.stdin.read(_LIMIT)
        with Path(file).open(encoding="utf-8") as stream:
            return stream.read(_LIMIT)
    except OSError as error:
        raise UsageError(f"{option}: {file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{option}: {file} is not UTF-8 text") from None
