"""From the words that were typed to an exit code. Everything that can go wrong ends here, in one line."""

from __future__ import annotations

import logging
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Final

from cyclopts import CycloptsError

from tigercore.cli._app import add_plugin_commands, build_app
from tigercore.cli._exit import Exit, UsageError, code_of, hushed, leaves, misuse, tell
from tigercore.cli._streams import complain, open_streams, settle
from tigercore.errors import TigerCoreError

_SECRETS: Final = ("--private-key", "--tiger-id", "--token", "--secret-key")


def run(tokens: Sequence[str]) -> int:
    """Carry out one command and return its exit code; see docs/reference/cli.md.

    Only a fault of the program itself leaves as an exception, and then never as a group.
    """
    open_streams()
    tokens = _command_first(tokens)
    try:
        return _command(tokens)
    except (TigerCoreError, CycloptsError, OSError, ValueError, KeyboardInterrupt, BaseExceptionGroup) as error:
        return _ended(error, tokens)
    finally:
        settle()


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
    known = [_known(cause, tokens) for cause in causes]
    worst = max((each for each in known if each is not None), key=code_of, default=None)
    if worst is not None and code_of(worst) is Exit.OUTCOME_UNKNOWN:  # nothing else matters beside it
        return _told(worst, error, tokens)
    if any(isinstance(cause, KeyboardInterrupt) for cause in causes):
        complain("tigercore: interrupted")
        return Exit.INTERRUPTED
    if all(isinstance(cause, BrokenPipeError) for cause in causes):  # as in `tigercore … | head`
        return Exit.FAILED
    if worst is None or None in known:
        raise causes[known.index(None)]
    return _told(worst, error, tokens)


def _told(worst: TigerCoreError, error: BaseException, tokens: Sequence[str]) -> int:
    whole = "".join(traceback.format_exception(error))
    logging.getLogger("tigercore.cli").debug("what went wrong, in full:\n%s", hushed(whole, tokens))
    tell(worst, as_json="--json" in tokens, tokens=tokens)
    return code_of(worst)


def _known(error: BaseException, tokens: Sequence[str]) -> TigerCoreError | None:
    match error:
        case TigerCoreError():
            return error
        case CycloptsError():
            return misuse(error, tokens)
        case ValueError() if "embedded null" in str(error):
            return UsageError("a path holds a NUL, which none can: write it anew")
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
