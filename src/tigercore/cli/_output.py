"""What goes to stdout: one JSON document, or a table for people; and the bar that shows on stderr how far it is."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import attrs

from tigercore.cli._common import Common
from tigercore.cli._exit import one_line

_MANY = 5  # fewer steps are over before a bar is read


def show_rows(common: Common, document: Any, rows: Sequence[Mapping[str, Any]], *, nothing: str) -> None:
    """Print the document as JSON, or the rows as a table under the keys of the first; `nothing` is said of none."""
    if common.json:
        print(as_json(document))
    elif not rows:
        print(nothing)
    else:
        _table([str(name) for name in rows[0]], [[_cell(value) for value in row.values()] for row in rows])


def show_fields(common: Common, document: Any, fields: Mapping[str, Any]) -> None:
    """Print the document as JSON, or one field a line."""
    if common.json:
        print(as_json(document))
    else:
        _table([], [[name.replace("_", " "), _cell(value)] for name, value in fields.items()])


def show_lines(common: Common, document: Any, *lines: str) -> None:
    """Print the document as JSON, or the lines."""
    print(as_json(document) if common.json else "\n".join(map(one_line, lines)))


def fields_of(value: Any) -> dict[str, Any]:
    """Return the fields of a frozen value, as they are."""
    return attrs.asdict(value, recurse=False)


@contextmanager
def progress(total: int, what: str) -> Iterator[Callable[[], None]]:
    """Give a function to call after each step; on a terminal many steps show a bar."""
    if total < _MANY or not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        yield partial(bar.advance, bar.add_task(what, total=total))


@contextmanager
def gauge(what: str) -> Iterator[Callable[[int, int], None]]:
    """Give a function to call with what is done and of how many; on a terminal it shows a bar, again for each round."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what)
        yield lambda done, total: bar.update(task, completed=done, total=total)


# -- tables ------------------------------------------------------------------------------------------------


def _table(names: list[str], rows: list[list[str]]) -> None:
    if sys.stdout.isatty():
        _rich_table(names, rows)
    else:
        _plain_table([[name.upper() for name in names], *rows] if names else rows)


def _rich_table(names: list[str], rows: list[list[str]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD if names else None, show_header=bool(names), pad_edge=False)
    for name in names or ["", ""]:
        table.add_column(Text(name), overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    Console(highlight=False).print(table)


def _plain_table(rows: list[list[str]]) -> None:
    from rich.cells import cell_len

    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())


def _cell(value: Any) -> str:
    match value:
        case None | "":
            return "-"
        case bool():
            return "yes" if value else "no"
        case datetime():
            return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
        case float():
            return f"{value:g}"
        case str():
            return one_line(value)
        case Set() | tuple() | list():
            return ", ".join(sorted(_cell(each) for each in value)) or "-"
        case _:
            return str(value)


# -- JSON --------------------------------------------------------------------------------------------------


def as_json(value: Any, margin: str = "\n") -> str:
    """Return the value as JSON, with `Decimal` as the very number it is, which the standard library cannot do.

    :raises TypeError: it has no form in JSON; a `Secret` has none.
    """
    match value:
        case Decimal() if value.is_finite():
            return str(value)
        case Enum():
            return json.dumps(value.value)
        case None | bool() | int() | float() | str():
            return json.dumps(value)
        case datetime():
            return json.dumps(value.isoformat())
        case UUID() | Path() | Decimal():
            return json.dumps(str(value))
        case Mapping():
            inner = margin + "  "
            return _block("{}", margin, (f"{json.dumps(str(k))}: {as_json(v, inner)}" for k, v in value.items()))
        case Set():
            return as_json(sorted(value), margin)
        case list() | tuple():
            return _block("[]", margin, (as_json(each, margin + "  ") for each in value))
        case _ if attrs.has(type(value)):
            return as_json(fields_of(value), margin)
        case _:
            raise TypeError(f"{type(value).__name__} has no form in JSON")


def _block(ends: str, margin: str, items: Iterable[str]) -> str:
    inside = f",{margin}  ".join(items)
    return f"{ends[0]}{margin}  {inside}{margin}{ends[1]}" if inside else ends
