"""Rows that something else than tigercore has changed: told in one line, which shows no value of theirs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from types import NoneType
from typing import Any, TypeVar

from sqlalchemy import Column, Row, Table

from tigercore.errors import StoreUnavailable
from tigercore_sql.tables import KEY_RING, METADATA

T = TypeVar("T")

_UNUSABLE = (ValueError, TypeError, OverflowError, KeyError, RecursionError)  # the last is of JSON that is too deep
_REMEDIES = {KEY_RING: "delete it, and restore it with `tigercore cipher import`"}
_REMEDY = "restore the row from a backup"


def _kinds(column: Column[Any]) -> tuple[type, ...]:
    kind = column.type.python_type
    return (kind, NoneType) if column.nullable else (kind,)


_KINDS = {table: {column.name: _kinds(column) for column in table.columns} for table in METADATA.tables.values()}


def converted(table: Table, found: Row[Any], convert: Callable[[Row[Any]], T]) -> T:
    """Return what a row of this table says.

    :raises StoreUnavailable: it does not say what tigercore writes.
    """
    with suppress(*_UNUSABLE):
        require_kinds(table, found)
        return convert(found)
    raise _changed(table, str(found._mapping[_key(table)]))  # out here, so that no error that knows values is chained


def fetched(table: Table, fetch: Callable[[], T]) -> T:
    """Return the rows of this table that a result has.

    :raises StoreUnavailable: one of them has an id that is none.
    """
    with suppress(*_UNUSABLE):
        return fetch()
    raise _changed(table, "(a row with no valid id)")


def require_kinds(table: Table, found: Row[Any]) -> None:
    """Pass if every value is of its column's kind: SQLite takes others, too.

    :raises TypeError: one is not.
    """
    kinds = _KINDS[table]
    if not all(isinstance(value, kinds[name]) for name, value in found._mapping.items() if name in kinds):
        raise TypeError(f"{table.name} has a value of another kind")


def _key(table: Table) -> str:
    return "id" if "id" in table.columns else next(iter(table.primary_key)).name


def _changed(table: Table, which: str) -> StoreUnavailable:
    remedy = _REMEDIES.get(table, _REMEDY)
    return StoreUnavailable(f"{table.name} {which} was changed by something else than tigercore: {remedy}")
