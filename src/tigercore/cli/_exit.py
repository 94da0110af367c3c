"""How a command ends: its exit code, and the one line that says what went wrong."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from enum import IntEnum
from typing import TYPE_CHECKING, final

from tigercore.cli._streams import complain
from tigercore.errors import OperationNotSupportedError, OrderOutcomeUnknown, SettingsError, TigerCoreError

if TYPE_CHECKING:
    from cyclopts import CycloptsError

_LONGEST_WORD = 40  # what was typed may be a key or a token: longer words are not repeated,
_LONGEST_VALUE = 20  # nor longer values of options,
_SHORTEST_SECRET = 4  # nor any of an option that may be meant for a secret
_FOR_SECRETS = ("key", "token", "secret", "tiger")


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
    text = _without(str(error), (token for token in tokens if len(token) > _LONGEST_WORD))
    chain = " ".join(("tigercore", *(error.command_chain or ())))
    return UsageError(f"{text} See: {chain} --help")


def hushed(text: str, tokens: Sequence[str]) -> str:
    """Return the text without the values of options that may be secrets, typed at the right option or not."""
    return _without(text, (value for name, value in _options(tokens) if _may_be_secret(name, value)))


def _without(text: str, words: Iterable[str]) -> str:
    for word in sorted(words, key=len, reverse=True):
        for form in (word, repr(word)[1:-1], json.dumps(word)[1:-1]):
            text = text.replace(form, "…")
    return text


def _options(tokens: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield each option, known or not, with what may be its value: behind `=`, in the next word, or run into it."""
    for token, after in zip(tokens, [*tokens[1:], ""], strict=False):
        if token.startswith("-"):
            name, _, value = token.partition("=")
            yield name, value
            yield name, after
            yield "", token


def _may_be_secret(name: str, value: str) -> bool:
    if len(value) > _LONGEST_VALUE:
        return True
    return len(value) >= _SHORTEST_SECRET and any(word in name.lower() for word in _FOR_SECRETS)


def tell(error: TigerCoreError, *, as_json: bool, tokens: Sequence[str] = ()) -> None:
    """Write one line on stderr, without what in `tokens` may be a secret."""
    text = one_line(hushed(str(error), tokens))
    line = json.dumps({"error": text, "kind": type(error).__name__}) if as_json else f"tigercore: {text}"
    complain(line)


def one_line(text: str) -> str:
    """Return the text without line breaks and without what would steer the terminal."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
