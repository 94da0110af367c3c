"""A later revision that rebuilds tables, which is how SQLite changes them, in a copy of the migrations."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine

import tigercore_sql
import tigercore_sql.revision
import tigercore_sql.schema
from tigercore.errors import StoreUnavailable
from tigercore.ports import Put, Record
from tigercore.testing._store_samples import account_row, attempt, audit_entry, key_ring, token_row
from tigercore.testing.clock import driver_context
from tigercore_sql.sqlite_master import master_differences, read_master
from tigercore_sql.tables import METADATA
from tigercore_sqlite import SqliteOptions, SqliteStore

pytestmark = pytest.mark.sqlite

TABLES = sorted(METADATA.tables)

REVISION = """
import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "0005", "0004", None, None


def upgrade() -> None:
    {upgrade}


def downgrade() -> None:
    pass
"""
REBUILD = """with op.batch_alter_table({table!r}, recreate="always", table_kwargs={kwargs!r}) as batch:
        batch.add_column(sa.Column("note", sa.Text))"""

Addition = Callable[[str], None]


@pytest.fixture
def add_revision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Addition:
    """Return what adds a revision 0005 to a copy of the migrations."""
    copy = tmp_path / "migrations"
    shutil.copytree(Path(tigercore_sql.__file__).parent / "migrations", copy)

    def add(upgrade: str) -> None:
        (copy / "versions" / "0005_next.py").write_text(REVISION.format(upgrade=upgrade))
        monkeypatch.setattr(tigercore_sql.schema, "SCRIPTS", str(copy))
        monkeypatch.setattr(tigercore_sql.revision, "REVISIONS", (*tigercore_sql.revision.REVISIONS, "0005"))

    return add


def _rebuild(table: str) -> str:
    return REBUILD.format(table=table, kwargs=dict(METADATA.tables[table].dialect_kwargs))


async def _fill(options: SqliteOptions) -> None:
    """Put something into every table, and delete the last lines of those that are numbered."""
    rows = [account_row(is_default_trading=True), account_row()]
    async with SqliteStore.open(options, driver_context()) as store:
        await store.apply([*map(Put, rows), *(Put(token_row(row, sealed=b"sealed")) for row in rows), Put(key_ring())])
        await store.apply([Record(audit_entry("a")), Record(audit_entry("b")), Record(attempt(rows[0].id))])
    with closing(sqlite3.connect(options.path, isolation_level=None)) as connection:
        connection.execute("DELETE FROM tc_audit WHERE number = 2")
        connection.execute("DELETE FROM tc_token_attempt")


def _read(options: SqliteOptions) -> dict[str, list[object]]:
    with closing(sqlite3.connect(options.path)) as connection:
        found = {}
        for table in TABLES:
            columns = ", ".join(f'"{column.name}"' for column in METADATA.tables[table].columns)
            found[table] = connection.execute(f"SELECT {columns} FROM {table}").fetchall()
        return found | {"counters": sorted(connection.execute("SELECT * FROM sqlite_sequence").fetchall())}


@pytest.mark.parametrize("table", TABLES)
async def test_a_table_that_is_rebuilt_keeps_its_rows_and_theirs_that_refer_to_it(
    options: SqliteOptions, add_revision: Addition, table: str
) -> None:
    await _fill(options)
    before = _read(options)
    add_revision(_rebuild(table))
    assert "0005" == (await SqliteStore.schema(options).migrate()).current
    assert before == _read(options)


@pytest.mark.parametrize("table", TABLES)
async def test_a_table_that_is_rebuilt_loses_no_constraint(
    options: SqliteOptions, add_revision: Addition, table: str
) -> None:
    before = set(_from_the_models(options))
    add_revision(_rebuild(table))
    await SqliteStore.schema(options).migrate()
    assert {f"{table} has too much: note TEXT"} == set(_from_the_models(options)) - before


def _from_the_models(options: SqliteOptions) -> list[str]:
    """Name what differs from the models, which know nothing of the added revision."""
    models, found = create_engine("sqlite://"), create_engine(f"sqlite:///{options.path}")
    with models.begin() as ours, found.connect() as theirs:
        METADATA.create_all(ours)
        differences = [*master_differences(read_master(theirs), read_master(ours))]
    models.dispose()
    found.dispose()
    return differences


async def test_a_database_that_was_migrated_by_rebuilding_passes_the_check(
    options: SqliteOptions, add_revision: Addition
) -> None:
    add_revision(_rebuild("tc_account"))
    await SqliteStore.schema(options).migrate()
    assert [] == await SqliteStore.schema(options).check()


async def test_a_number_is_not_given_again_after_its_table_was_rebuilt(
    options: SqliteOptions, add_revision: Addition
) -> None:
    await _fill(options)
    add_revision(_rebuild("tc_audit"))
    await SqliteStore.schema(options).migrate()
    async with SqliteStore.open(options, driver_context()) as store:
        await store.apply([Record(audit_entry("c"))])
        assert [1, 3] == [line.number for line in await store.audit()]


async def test_a_revision_that_leaves_tokens_without_their_account_is_rolled_back(
    options: SqliteOptions, add_revision: Addition
) -> None:
    await _fill(options)
    before = _read(options)
    add_revision('op.execute("DELETE FROM tc_account")')
    with pytest.raises(StoreUnavailable, match="tc_token would refer to rows that are gone"):
        await SqliteStore.schema(options).migrate()
    assert before == _read(options)
    assert "0004" == (await SqliteStore.schema(options).status()).current
