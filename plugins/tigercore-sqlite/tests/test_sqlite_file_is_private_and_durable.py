import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection

from tigercore.errors import StoreUnavailable
from tigercore.ports import Put, Remove
from tigercore.testing._store_samples import account_row
from tigercore.testing.clock import driver_context
from tigercore_sqlite import SqliteOptions, SqliteStore

pytestmark = pytest.mark.sqlite


async def _refusal(options: SqliteOptions) -> str:
    with pytest.raises(StoreUnavailable) as refused:
        async with SqliteStore.open(options, driver_context()):
            pass
    return str(refused.value)


def _files(directory: Path) -> list[Path]:
    return list(directory.iterdir())


@pytest.mark.parametrize(
    ("pragma", "expected"),
    [("journal_mode", "wal"), ("synchronous", 2), ("secure_delete", 1), ("foreign_keys", 1), ("busy_timeout", 100)],
)
async def test_every_connection_has_the_pragmas(options: SqliteOptions, pragma: str, expected: object) -> None:
    def read(connection: Connection) -> object:
        return connection.exec_driver_sql(f"PRAGMA {pragma}").scalar_one()

    async with SqliteStore.open(options, driver_context()) as store:
        assert [expected, expected] == [await store._runner.read(read), await store._runner.write(read)]


async def test_the_database_and_what_lies_beside_it_is_for_its_owner_alone(options: SqliteOptions) -> None:
    async with SqliteStore.open(options, driver_context()) as store:
        await store.apply([Put(account_row())])
        modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in options.file.parent.iterdir()}
    assert {"tigercore.db": 0o600, "tigercore.db-wal": 0o600, "tigercore.db-shm": 0o600} == modes


async def test_an_open_umask_does_not_open_the_file(tmp_path: Path) -> None:
    options = SqliteOptions(str(tmp_path / "x.db"))
    before = os.umask(0)
    try:
        await SqliteStore.schema(options).migrate()
    finally:
        os.umask(before)
    assert 0o600 == stat.S_IMODE(options.file.stat().st_mode)


async def test_a_file_that_others_may_read_is_refused_with_the_command_that_helps(options: SqliteOptions) -> None:
    options.file.chmod(0o640)
    assert f"run: chmod 600 {options.file}" in await _refusal(options)


@pytest.mark.parametrize("suffix", ["-wal", "-shm", "-journal"])
async def test_what_lies_beside_it_and_others_may_read_is_refused(options: SqliteOptions, suffix: str) -> None:
    beside = options.file.with_name(f"tigercore.db{suffix}")
    beside.touch(0o644)
    beside.chmod(0o644)
    assert f"run: chmod 600 {beside}" in await _refusal(options)


async def test_a_file_of_somebody_else_is_refused(options: SqliteOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    me = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: me + 1)
    assert f"belongs to user {me}" in await _refusal(options)


async def test_a_link_in_the_place_of_the_file_is_refused(options: SqliteOptions, tmp_path: Path) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(options.file)
    assert "is not a regular file" in await _refusal(SqliteOptions(str(link)))


async def test_a_link_to_nowhere_is_not_followed_by_migrate(tmp_path: Path) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(tmp_path / "elsewhere.db")
    with pytest.raises(StoreUnavailable, match="is not a regular file"):
        await SqliteStore.schema(SqliteOptions(str(link))).migrate()
    assert not (tmp_path / "elsewhere.db").exists()


async def test_a_directory_that_is_not_there_is_named_with_the_command_that_makes_it(tmp_path: Path) -> None:
    options = SqliteOptions(str(tmp_path / "no" / "x.db"))
    with pytest.raises(StoreUnavailable, match="mkdir -p -m 700"):
        await SqliteStore.schema(options).migrate()


async def test_opening_does_not_create_a_database(tmp_path: Path) -> None:
    assert "run: tigercore db migrate" in await _refusal(SqliteOptions(str(tmp_path / "x.db")))
    assert [] == _files(tmp_path)


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    path.touch(0o600)
    path.write_bytes(b"not a database at all" * 100)
    assert "SQLITE_NOTADB" in await _refusal(SqliteOptions(str(path)))


@pytest.fixture
def others(tmp_path: Path) -> SqliteOptions:
    """Return a database of another program, which keeps no write-ahead log."""
    options = SqliteOptions(str(tmp_path / "others.db"))
    options.file.touch(0o600)
    with closing(sqlite3.connect(options.path)) as connection:
        connection.execute("CREATE TABLE theirs (id INTEGER)")
    return options


@pytest.mark.parametrize("look", ["status", "check"])
async def test_looking_at_a_database_changes_nothing(others: SqliteOptions, look: str) -> None:
    before = others.file.read_bytes()
    await getattr(SqliteStore.schema(others), look)()
    assert before == others.file.read_bytes()


async def test_a_database_of_another_program_is_not_migrated(others: SqliteOptions) -> None:
    before = others.file.read_bytes()
    with pytest.raises(StoreUnavailable, match="is another program's"):
        await SqliteStore.schema(others).migrate()
    assert before == others.file.read_bytes()


async def test_a_database_of_another_program_is_not_opened(others: SqliteOptions) -> None:
    before = others.file.read_bytes()
    assert "run: tigercore db migrate" in await _refusal(others)
    assert before == others.file.read_bytes()


async def test_opening_our_own_database_brings_its_write_ahead_log_back(options: SqliteOptions) -> None:
    with closing(sqlite3.connect(options.path)) as connection:
        assert ("delete",) == connection.execute("PRAGMA journal_mode=DELETE").fetchone()
    async with SqliteStore.open(options, driver_context()):
        with closing(sqlite3.connect(options.path)) as connection:
            assert ("wal",) == connection.execute("PRAGMA journal_mode").fetchone()


async def test_a_number_that_is_too_large_to_ask_for_is_refused(options: SqliteOptions) -> None:
    async with SqliteStore.open(options, driver_context()) as store:
        with pytest.raises(StoreUnavailable, match="cannot hold a value that was given: OverflowError"):
            await store.audit(after=2**63)


async def test_a_text_that_cannot_be_written_is_not_in_the_error(options: SqliteOptions) -> None:
    async with SqliteStore.open(options, driver_context()) as store:
        with pytest.raises(StoreUnavailable) as refused:
            await store.apply([Put(account_row(description="canary \ud800"))])
    assert (None, None) == (refused.value.__cause__, refused.value.__context__)
    assert "canary" not in str(refused.value)


async def test_a_row_that_breaks_a_check_names_it_and_is_not_stale(options: SqliteOptions) -> None:
    with closing(sqlite3.connect(options.path, isolation_level=None)) as connection:
        connection.execute("PRAGMA writable_schema=ON")
        connection.execute("UPDATE sqlite_master SET sql = replace(sql, ?, '')", ("'STANDARD', ",))
    async with SqliteStore.open(options, driver_context()) as store:
        with pytest.raises(StoreUnavailable, match="SQLITE_CONSTRAINT_CHECK tc_account_account_type_known"):
            await store.apply([Put(account_row())])


async def test_a_path_with_signs_of_its_own_is_opened(tmp_path: Path) -> None:
    options = SqliteOptions(str(tmp_path / "a?b#c%20 ü.db"))
    await SqliteStore.schema(options).migrate()
    async with SqliteStore.open(options, driver_context()) as store:
        assert 1 == await store.apply([Put(account_row())])
    assert [options.file] == _files(tmp_path)


async def test_what_was_removed_is_not_on_the_disk_after_closing(options: SqliteOptions) -> None:
    row = account_row(sealed=b"a canary in a coal mine")
    async with SqliteStore.open(options, driver_context()) as store:
        await store.apply([Put(row)])
        await store.apply([Remove(row.id, 1)])
    assert b"canary" not in b"".join(each.read_bytes() for each in options.file.parent.iterdir())


async def test_nothing_is_left_beside_the_file_after_closing(options: SqliteOptions) -> None:
    async with SqliteStore.open(options, driver_context()) as store:
        await store.apply([Put(account_row())])
        await store.wait_for_change(0)
    assert [options.file] == _files(options.file.parent)
