"""What PostgreSQL says of its own schema where alembic does not look: conditions, triggers and rules."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from sqlalchemy import CheckConstraint, Connection, Inspector, Table, inspect, text

from tigercore_sql.tables import METADATA

_PART = re.compile(r"'[^']*'|\w+|[<>]=?")
_SPELLING = {"IN", "ANY", "ARRAY", "text"}  # IN ('A') is written = ANY (ARRAY['A'::text]) there

_ADDED = text("""
SELECT 'trigger' AS kind, relname, tgname AS name FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
WHERE NOT tgisinternal AND starts_with(relname, 'tc_') AND pg_table_is_visible(pg_class.oid)
UNION ALL SELECT 'rule', relname, rulename FROM pg_rewrite JOIN pg_class ON pg_class.oid = ev_class
WHERE relkind = 'r' AND starts_with(relname, 'tc_') AND pg_table_is_visible(pg_class.oid)
ORDER BY relname, name
""")


def catalog_differences(connection: Connection) -> Iterator[str]:
    """Name what is there in another way, or acts on our tables beside what a program writes."""
    inspector = inspect(connection)
    for table in METADATA.sorted_tables:
        if inspector.has_table(table.name):
            yield from _check_differences(inspector, table)
            yield from _condition_differences(inspector, table)
    yield from (f"not ours: {found.kind} {found.relname}.{found.name}" for found in connection.execute(_ADDED))


def _check_differences(inspector: Inspector, table: Table) -> Iterator[str]:
    there = {str(found["name"]): found["sqltext"] for found in inspector.get_check_constraints(table.name)}
    wanted = {str(each.name): str(each.sqltext) for each in table.constraints if isinstance(each, CheckConstraint)}
    for name in sorted(there):
        if name not in wanted:
            yield f"not ours: check {table.name}.{name}"
        elif _parts(there[name]) != _parts(wanted[name]):
            yield f"differs: check {table.name}.{name}"


def _condition_differences(inspector: Inspector, table: Table) -> Iterator[str]:
    there = {str(found["name"]): _condition(found) for found in inspector.get_indexes(table.name)}
    for index in sorted(table.indexes, key=lambda each: str(each.name)):
        wanted = index.dialect_options["postgresql"]["where"]
        found = there.get(str(index.name))
        if found is not None and _parts(found) != _parts("" if wanted is None else str(wanted)):
            yield f"differs: condition of index {index.name}"


def _condition(found: Any) -> str:
    return str(found.get("dialect_options", {}).get("postgresql_where", ""))


def _parts(sql: str) -> list[str]:
    """Return the names, values and comparisons of a condition, which engines write in brackets of their own."""
    return [part for part in _PART.findall(sql) if part not in _SPELLING]
