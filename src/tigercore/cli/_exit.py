"""How a command ends: its exit code, and the one line that says what went wrong."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from enum import IntEnum
from typing import TYPE_CHECKING, final

from tigercore.errors import OperationNotSupportedError, OrderOutcomeUnknown, SettingsError, TigerCoreError

if TYPE_CHECKING:
    from cyclopts import CycloptsError

_LONGEST_WORD = 40  # a longer word that was typed may be a key or a token: it is not repeated


@final
class Exit(IntEnum):
    """The exit codes of the command."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    OUTCOME_UNKNOWN = 3
    INTERRUPTED = 130


@final
class UsageError(TigerCoreError):
    """The command was not typed as it has to be."""


def code_of(error: TigerCoreError) -> Exit:
    """Return the exit code that tells of this error."""
    match error:
        case OrderOutcomeUnknown():
            return Exit.OUTCOME_UNKNOWN
        case UsageError() | SettingsError() | OperationNotSupportedError():
            return Exit.USAGE
        case _:
            return Exit.FAILED


def leaves(error: BaseException) -> Iterator[BaseException]:
    """Yield the errors of a group, however deep they lie; an error that is no group is its own leaf."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from leaves(inner)
    else:
        yield error


def misuse(error: CycloptsError, tokens: Sequence[str]) -> UsageError:
    """Say what was typed wrong, without the words that may be secrets."""
    error.verbose = False
    text = str(error)
    for token in tokens:
        for word in (token, token.partition("=")[2]):
            if len(word) > _LONGEST_WORD:
                text = text.replace(word, "…").replace(repr(word)[1:-1], "…")
    chain = " ".join(("tigercore", *(error.command_chain or ())))
    return UsageError(f"{text} See: {chain} --help")


def tell(error: TigerCoreError, *, as_json: bool) -> None:
    """Write one line on stderr."""
    if as_json:
        line = json.dumps({"error": one_line(str(error)), "kind": type(error).__name__})
    else:
        line = one_line(f"tigercore: {error}")
    print(line, file=sys.stderr)


def one_line(text: str) -> str:
    """Return the text without line breaks and without what would steer the terminal."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
