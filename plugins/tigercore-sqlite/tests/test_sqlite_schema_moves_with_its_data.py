import sqlite3
from pathlib import Path

import pytest
import trio

from tigercore.errors import StoreUnavailable
from tigercore.ports import Put, SchemaStatus
from tigercore.testing._store_samples import account_row
from tigercore.testing.clock import driver_context
from tigercore_sqlite import SqliteOptions, SqliteStore

pytestmark = pytest.mark.sqlite

AT_HEAD = SchemaStatus("0004", "0004", (), "0003")
AT_THIRD = SchemaStatus("0003", "0004", ("0004",), "0002")
AT_SECOND = SchemaStatus("0002", "0004", ("0003", "0004"), "0001")
AT_FIRST = SchemaStatus("0001", "0004", ("0002", "0003", "0004"))
EMPTY = SchemaStatus(None, "0004", ("0001", "0002", "0003", "0004"))


def _execute(options: SqliteOptions, sql: str) -> None:
    connection = sqlite3.connect(options.path)
    connection.executescript(sql)
    connection.close()


async def _refusal(options: SqliteOptions) -> str:
    with pytest.raises(StoreUnavailable) as refused:
        async with SqliteStore.open(options, driver_context()):
            pass
    return str(refused.value)


async def test_a_file_that_is_not_there_is_an_empty_schema_and_stays_away(tmp_path: Path) -> None:
    options = SqliteOptions(str(tmp_path / "x.db"))
    assert EMPTY == await SqliteStore.schema(options).status()
    assert not options.file.exists()


async def test_migrate_brings_the_schema_to_head(options: SqliteOptions) -> None:
    assert AT_HEAD == await SqliteStore.schema(options).status()


async def test_migrate_at_head_keeps_the_data(options: SqliteOptions) -> None:
    async with SqliteStore.open(options, driver_context()) as store:
        await store.apply([Put(account_row())])
    assert AT_HEAD == await SqliteStore.schema(options).migrate()
    async with SqliteStore.open(options, driver_context()) as store:
        assert 1 == len(await store.accounts())


async def test_migrations_that_run_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    schemas = [SqliteStore.schema(SqliteOptions(str(tmp_path / f"{number % 3}.db"))) for number in range(9)]
    async with trio.open_nursery() as nursery:
        for schema in schemas:
            nursery.start_soon(schema.migrate)
    assert [AT_HEAD] * 9 == [await schema.status() for schema in schemas]


async def test_a_migrated_schema_is_the_one_of_the_models(options: SqliteOptions) -> None:
    assert [] == await SqliteStore.schema(options).check()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("DROP INDEX tc_account_account_number", "missing index tc_account_account_number"),
        ("DROP TABLE tc_audit", "missing table tc_audit"),
        ("ALTER TABLE tc_account ADD COLUMN colour TEXT", "tc_account has too much: colour TEXT"),
        ("ALTER TABLE tc_token DROP COLUMN owner", "tc_token lacks: owner TEXT"),
        ("CREATE TABLE tc_other (id INTEGER)", "not ours: table tc_other"),
        (
            "DROP TABLE tc_meta; CREATE TABLE tc_meta (slot INTEGER NOT NULL, revision BIGINT NOT NULL, "
            "CONSTRAINT tc_meta_slot_one CHECK (slot = 1)); INSERT INTO tc_meta VALUES (1, 0)",
            "tc_meta lacks: PRIMARY KEY (slot)",
        ),
        ("DELETE FROM tc_meta", "missing row of tc_meta, which counts revisions"),
        ("CREATE TRIGGER x AFTER INSERT ON tc_audit BEGIN DELETE FROM tc_audit; END", "not ours: trigger x"),
        (
            "DROP INDEX tc_token_due; CREATE INDEX tc_token_due ON tc_token (state)",
            "tc_token_due is: CREATE INDEX tc_token_due ON tc_token (state); "
            "it has to be: CREATE INDEX tc_token_due ON tc_token (state, next_at)",
        ),
    ],
)
async def test_check_names_what_differs(options: SqliteOptions, change: str, expected: str) -> None:
    _execute(options, change)
    assert [expected] == await SqliteStore.schema(options).check()


@pytest.mark.parametrize(
    ("table", "old", "new"),
    [
        ("tc_account", "'GLOBAL'", "'NONE'"),
        ("tc_account", "developer TEXT NOT NULL", "developer TEXT"),
        ("tc_account_one_default_data", "WHERE is_default_data", "WHERE error_count < 0"),
        ("tc_audit", " AUTOINCREMENT", ""),
        ("tc_meta", "slot = 1", "slot > 0"),
        ("tc_token", " ON DELETE CASCADE", ""),
    ],
)
async def test_check_reads_what_alembic_does_not(options: SqliteOptions, table: str, old: str, new: str) -> None:
    connection = sqlite3.connect(options.path, isolation_level=None)
    connection.execute("PRAGMA writable_schema=ON")
    change = "UPDATE sqlite_master SET sql = replace(sql, ?, ?) WHERE name = ? AND instr(sql, ?) > 0"
    assert 1 == connection.execute(change, (old, new, table, old)).rowcount
    connection.close()
    found = await SqliteStore.schema(options).check()
    assert [True] * len(found) == [each.startswith(table) for each in found]
    assert found


async def test_check_leaves_the_tables_of_others_alone(options: SqliteOptions) -> None:
    _execute(options, "CREATE TABLE theirs (id INTEGER)")
    assert [] == await SqliteStore.schema(options).check()


async def test_rollback_takes_the_last_revision_back_and_migrate_brings_it_again(options: SqliteOptions) -> None:
    schema = SqliteStore.schema(options)
    assert [AT_THIRD, AT_HEAD] == [await schema.rollback(), await schema.migrate()]
    assert [AT_THIRD, AT_SECOND, AT_FIRST, EMPTY] == [await schema.rollback() for _ in range(4)]
    assert AT_HEAD == await schema.migrate()
    assert [] == await schema.check()


async def test_there_is_nothing_to_take_back_from_an_empty_store(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="no revision to take back"):
        await SqliteStore.schema(SqliteOptions(str(tmp_path / "x.db"))).rollback()


async def test_an_older_schema_is_refused_with_the_command_to_run(options: SqliteOptions) -> None:
    await SqliteStore.schema(options).rollback()
    assert "run: tigercore db migrate" in await _refusal(options)


async def test_a_newer_schema_is_refused_with_what_to_do(options: SqliteOptions) -> None:
    _execute(options, "UPDATE tc_schema SET version_num = '0099'")
    assert "upgrade tigercore" in await _refusal(options)


@pytest.mark.parametrize("move", ["migrate", "rollback"])
async def test_a_newer_schema_is_not_moved(options: SqliteOptions, move: str) -> None:
    _execute(options, "UPDATE tc_schema SET version_num = '0099'")
    with pytest.raises(StoreUnavailable, match="upgrade tigercore"):
        await getattr(SqliteStore.schema(options), move)()


async def test_moving_the_schema_prints_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    schema = SqliteStore.schema(SqliteOptions(str(tmp_path / "x.db")))
    await schema.migrate()
    await schema.check()
    await schema.purge()
    await schema.rollback()
    assert ("", "") == capfd.readouterr()


async def test_the_schema_of_a_database_in_memory_can_be_looked_at() -> None:
    assert EMPTY == await SqliteStore.schema(SqliteOptions(":memory:")).status()
