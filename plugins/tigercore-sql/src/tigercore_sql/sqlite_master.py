"""What SQLite says of its own schema, and what moving it must keep. Alembic sees neither."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, text

from tigercore.errors import StoreUnavailable

Master = dict[tuple[str, str], str]
"""The SQL of each table, index, trigger and view of ours, by its kind and name."""

_MASTER = "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY type DESC, name"
_SEQUENCES = "SELECT s.name, s.seq FROM sqlite_sequence s JOIN sqlite_master m ON m.name = s.name AND m.type = 'table'"
_ORPHANS = 'SELECT DISTINCT "table" FROM pragma_foreign_key_check WHERE substr("table", 1, 3) = \'tc_\''


def read_master(connection: Connection) -> Master:
    """Return what stands that is ours: it carries our prefix, or it hangs on a table that does."""
    rows = connection.exec_driver_sql(_MASTER).all()
    return {(row.type, row.name): row.sql for row in rows if row.name.startswith("tc_") or row.tbl_name[:3] == "tc_"}


def master_differences(there: Master, wanted: Master) -> Iterator[str]:
    """Name what lacks, what is too much, and what is written in another way; the order of columns means nothing."""
    for kind, name in wanted:
        if (kind, name) not in there:
            yield f"missing {kind} {name}"
    for (kind, name), sql in there.items():
        if (kind, name) in wanted:
            yield from _sql_differences(kind, name, sql, wanted[kind, name])
        else:
            yield f"not ours: {kind} {name}"


@contextmanager
def kept_whole(connection: Connection) -> Iterator[None]:
    """Keep the counters of tables that are rebuilt meanwhile, and let no row refer to one that is gone.

    A rebuilt table counts on from the highest number that is still in it, so a number could be given twice.

    :raises StoreUnavailable: rows refer to what is gone; the caller rolls back.
    """
    before = _sequences(connection)
    yield
    for name in before.keys() & _tables(connection):
        _restore(connection, name, before[name])
    _require_no_orphans(connection)


def _sql_differences(kind: str, name: str, there: str, wanted: str) -> Iterator[str]:
    if kind == "table":
        has, needs = _parts(there), _parts(wanted)
        yield from (f"{name} lacks: {part}" for part in needs if part not in has)
        yield from (f"{name} has too much: {part}" for part in has if part not in needs)
    elif _plain(there) != _plain(wanted):
        yield f"{name} is: {_plain(there)}; it has to be: {_plain(wanted)}"


def _plain(sql: str) -> str:
    """Return the statement without its line ends, and without the quotes that a rebuilt table gets."""
    return re.sub(r"\s+", " ", sql.replace('"', "")).strip()


def _parts(sql: str) -> list[str]:
    """Return what stands before the brackets, each column and constraint, and what stands after."""
    parts, depth = [""], 0
    for sign in _plain(sql):
        depth += (sign == "(") - (sign == ")")
        if (depth == 1 and sign in "(,") or (depth == 0 and sign == ")"):
            parts.append("")
        else:
            parts[-1] += sign
    return [part.strip() for part in parts]


def _tables(connection: Connection) -> set[str]:
    return set(connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'").scalars())


def _sequences(connection: Connection) -> dict[str, int]:
    if "sqlite_sequence" not in _tables(connection):
        return {}
    return {row.name: row.seq for row in connection.exec_driver_sql(_SEQUENCES)}


def _restore(connection: Connection, name: str, least: int) -> None:
    now = max(least, _sequences(connection).get(name, 0))
    connection.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), {"name": name})
    connection.execute(text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :now)"), {"name": name, "now": now})


def _require_no_orphans(connection: Connection) -> None:
    orphans = connection.exec_driver_sql(_ORPHANS).scalars().all()
    if orphans:
        raise StoreUnavailable(f"rows of {', '.join(orphans)} would refer to rows that are gone: nothing was changed")
