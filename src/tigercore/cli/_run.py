"""From the words that were typed to an exit code. Everything that can go wrong ends here, in one line."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from typing import Final

from cyclopts import CycloptsError

from tigercore.cli._app import add_plugin_commands, build_app
from tigercore.cli._exit import Exit, UsageError, code_of, leaves, misuse, tell
from tigercore.errors import TigerCoreError

_SECRETS: Final = ("--private-key", "--tiger-id", "--token", "--secret-key")


def run(tokens: Sequence[str]) -> int:
    """Carry out one command and return its exit code; see docs/reference/cli.md.

    Only a fault of the program itself leaves as an exception, and then never as a group.
    """
    tokens = _command_first(tokens)
    try:
        return _command(tokens)
    except BrokenPipeError:  # the reader of our output has gone, as in `tigercore … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.FAILED
    except (TigerCoreError, CycloptsError, OSError, KeyboardInterrupt, BaseExceptionGroup) as error:
        return _ended(error, tokens)


def _command_first(tokens: Sequence[str]) -> Sequence[str]:
    """Put options of every command that stand before the command behind it."""
    at = 0
    while at < len(tokens) and tokens[at].partition("=")[0] in ("--config", "--json", "--verbose"):
        at += 2 if tokens[at] == "--config" else 1
    return [*tokens[at:], *tokens[:at]]


def _command(tokens: Sequence[str]) -> int:
    _log("--verbose" in tokens)
    _refuse_secrets(tokens)
    app = build_app()
    try:
        add_plugin_commands(app, tokens)
    except UsageError as error:  # our own commands work without it
        tell(error, as_json="--json" in tokens)
    result = app(list(tokens), exit_on_error=False, print_error=False, result_action="return_value", backend="trio")
    sys.stdout.flush()
    return result if isinstance(result, int) else Exit.DONE


def _ended(error: BaseException, tokens: Sequence[str]) -> int:
    causes = list(leaves(error))
    if any(isinstance(cause, KeyboardInterrupt) for cause in causes):
        print("tigercore: interrupted", file=sys.stderr)
        return Exit.INTERRUPTED
    told = [known for cause in causes if (known := _known(cause, tokens)) is not None]
    if len(told) < len(causes):
        raise next(cause for cause in causes if _known(cause, tokens) is None)
    logging.getLogger("tigercore.cli").debug("what went wrong, in full", exc_info=error)
    worst = max(told, key=code_of)
    tell(worst, as_json="--json" in tokens)
    return code_of(worst)


def _known(error: BaseException, tokens: Sequence[str]) -> TigerCoreError | None:
    match error:
        case TigerCoreError():
            return error
        case CycloptsError():
            return misuse(error, tokens)
        case OSError():
            return TigerCoreError(f"{error.filename or 'the system'}: {error.strerror or error}")
        case _:
            return None


def _refuse_secrets(tokens: Sequence[str]) -> None:
    for token in tokens:
        name = token.partition("=")[0]
        if name in _SECRETS:
            raise UsageError(
                f"{name}: a secret is never taken from the command line, where other users can read it: "
                f"use {name}-file FILE, or - as the FILE for stdin"
            )


def _log(is_verbose: bool) -> None:
    """Log to stderr: what other libraries warn of, and of ours what was asked for."""
    wanted = "DEBUG" if is_verbose else os.environ.get("TIGERCORE_LOG", "WARNING").upper()
    if wanted not in logging.getLevelNamesMapping():
        raise UsageError(f"TIGERCORE_LOG: {wanted} is none of {', '.join(logging.getLevelNamesMapping())}")
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    logging.getLogger("tigercore").setLevel(wanted)
