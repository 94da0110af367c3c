r"""Java's `.properties` syntax: text to keys and values, and back.

`=`, `:` or a blank stands between key and value; `#` and `!` begin comments; `\` begins an escape, or ends a line that
goes on. Stricter than Java: no key twice, and no escape that is cut short.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

__all__ = ["parse", "write"]

_BREAK = r"(?:\r\n|\r|\n)"
_ON = rf"\\{_BREAK}[ \t\f]*+"  # a line that goes on; the blanks that begin the next one do not count
_BLANKS = rf"(?:[ \t\f]|{_ON})*+"
_LINE = re.compile(
    rf"[ \t\f]*+(?:[#!][^\r\n]*+"
    rf"|{_BLANKS}(?P<key>(?:[^\\ \t\f:=\r\n]|{_ON}|\\[^\r\n])*+)"
    rf"(?P<mark>{_BLANKS}[=:]?+{_BLANKS})(?P<value>(?:[^\\\r\n]|{_ON}|\\[^\r\n])*+))"
    rf"(?:{_BREAK}|\Z)"
)
_ESCAPE = re.compile(rf"{_ON}|\\u([0-9a-fA-F]{{4}})|\\(.)")
_SHORT = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}
_LONG = {character: f"\\{letter}" for letter, character in _SHORT.items()}
_SPECIAL = re.compile(r"[\\ =:#!]|[\x00-\x1f\x7f-\xa0\u2028\u2029\ufeff]")


def parse(text: str) -> dict[str, str]:
    """Return the keys and values of a text in Java's syntax.

    :raises ValueError: a line cannot be read; the message names its number and shows nothing of it.
    """
    values: dict[str, str] = {}
    at = 0
    while at < len(text):
        line = _LINE.match(text, at)
        if line is None:
            raise _fault(text, at, "ends in a backslash, and nothing follows")
        if line["key"] or "=" in (line["mark"] or "") or ":" in (line["mark"] or ""):
            key, value = _unescaped(line["key"]), _unescaped(line["value"])
            if key is None or value is None:
                raise _fault(text, at, "has an escape that is no character; write \\uXXXX with four hex digits")
            if key in values:
                raise _fault(text, at, "has the key of an earlier line; keep one of them")
            values[key] = value
        at = line.end()
    return values


def _fault(text: str, at: int, what: str) -> ValueError:
    return ValueError(f"line {len(re.findall(_BREAK, text[:at])) + 1}: {what}")


def _unescaped(text: str) -> str | None:
    """Return None for what is no text: Python's own error would carry it along."""
    try:
        plain = _ESCAPE.sub(_character, text)
        return plain.encode("utf-16", "surrogatepass").decode("utf-16")  # two escapes may make one character
    except ValueError:
        return None


def _character(escape: re.Match[str]) -> str:
    if escape[1]:
        return chr(int(escape[1], 16))
    if escape[2] == "u":
        raise ValueError
    return _SHORT.get(escape[2], escape[2]) if escape[2] else ""


def write(values: Mapping[str, str]) -> str:
    """Return a text in Java's syntax that holds these keys and values, in their order."""
    return "".join(f"{_SPECIAL.sub(_escape, key)}={_SPECIAL.sub(_escape, value)}\n" for key, value in values.items())


def _escape(character: re.Match[str]) -> str:
    special = character[0]
    return _LONG.get(special) or (f"\\{special}" if special in "\\ =:#!" else f"\\u{ord(special):04x}")
