"""What all tables stand on. Times are integers, UTC microseconds since 1970: they come back exactly, everywhere."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import BigInteger, CheckConstraint, Integer, MetaData

METADATA = MetaData()
VERSION_TABLE = "tc_schema"

SEALED = {"sealed": True}
"""Marks a column that holds what a key of the ring has sealed; `kek` of the same row is that key's version."""

Number = BigInteger().with_variant(Integer(), "sqlite")  # SQLite counts rows only in a column of type INTEGER


def one_of(table: str, column: str, words: Iterable[str]) -> CheckConstraint:
    """Return what lets a column of a table hold these words only."""
    listed = ", ".join(f"'{word!s}'" for word in words)
    return CheckConstraint(f"{column} IN ({listed})", name=f"{table}_{column}_known")


def counted(table: str) -> CheckConstraint:
    """Return what lets a row only have a version that a batch can have given it."""
    return CheckConstraint("version > 0", name=f"{table}_version_counted")


def only_one(table: str) -> CheckConstraint:
    """Return what lets `slot` be 1 only, so that its unique index lets one row be there."""
    return CheckConstraint("slot = 1", name=f"{table}_slot_one")
