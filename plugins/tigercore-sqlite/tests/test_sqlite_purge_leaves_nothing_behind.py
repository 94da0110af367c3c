import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import attrs
import pytest
import trio

import tigercore_sqlite.patience
from tigercore.errors import StoreUnavailable
from tigercore.ports import AccountRow, AccountStore, Put, Remove
from tigercore.testing._store_samples import account_row, at_version, token_row
from tigercore.testing.clock import driver_context
from tigercore_sqlite import SqliteOptions, SqliteStore

pytestmark = pytest.mark.sqlite

ROUNDS = 30


def _sealed(*named: object, size: int) -> bytes:
    """Return bytes that occur nowhere else: a mark, again and again, so that no page boundary can hide them all."""
    return hashlib.sha256(repr(named).encode()).digest()[:16] * (size // 16)


def _found(options: SqliteOptions, sealed: list[bytes]) -> int:
    """Count those whose mark lies in the file or beside it."""
    raw = b"".join(each.read_bytes() for each in options.file.parent.iterdir())
    return sum(each[:16] in raw for each in sealed)


@contextmanager
def _other(options: SqliteOptions, *statements: str) -> Iterator[sqlite3.Connection]:
    """Be another program."""
    with closing(sqlite3.connect(options.path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)
        yield connection


async def _worn(store: AccountStore) -> tuple[list[bytes], list[bytes]]:
    """Replace sealed bytes of all sizes many times, and remove some rows; return what went, and what stands."""
    rows = [account_row(sealed=_sealed(n, 0, size=100 + 700 * n)) for n in range(12)]
    tokens = [token_row(row, sealed=_sealed(n, "token", 0, size=400)) for n, row in enumerate(rows)]
    await store.apply([*map(Put, rows), *map(Put, tokens)])
    gone = [row.sealed for row in rows] + [_sealed(n, "token", 0, size=400) for n in range(12)]
    for version in range(1, ROUNDS):
        rows = [_rewritten(row, n, version) for n, row in enumerate(rows)]
        tokens = [
            attrs.evolve(row, version=version, sealed=_sealed(n, "token", version, size=400))
            for n, row in enumerate(tokens)
        ]
        await store.apply([*map(Put, rows), *map(Put, tokens)])
        gone += [row.sealed for row in rows] + [row.sealed or b"" for row in tokens]
    await store.apply([Remove(row.id, ROUNDS) for row in rows[::2]])
    stands = [row.sealed for row in rows[1::2]] + [row.sealed or b"" for row in tokens[1::2]]
    return [each for each in gone if each not in stands], stands


def _rewritten(row: AccountRow, number: int, version: int) -> AccountRow:
    sealed = _sealed(number, version, size=100 + 700 * ((number + version) % 12))
    return at_version(attrs.evolve(row, sealed=sealed), version)


async def test_no_replaced_or_removed_bytes_are_left_after_a_purge(options: SqliteOptions) -> None:
    async with SqliteStore.open(options, driver_context()) as store:
        gone, stands = await _worn(store)
        assert _found(options, gone) > 0  # the control: they are there before
        await SqliteStore.schema(options).purge()
        assert (0, len(stands)) == (_found(options, gone), _found(options, stands))
    assert (0, len(stands)) == (_found(options, gone), _found(options, stands))


async def test_what_another_tool_removed_without_overwriting_is_gone_after_a_purge(options: SqliteOptions) -> None:
    sealed = [_sealed(number, size=3000) for number in range(8)]
    async with SqliteStore.open(options, driver_context()) as store:
        await store.apply([Put(account_row(sealed=each)) for each in sealed])
    with _other(options, "PRAGMA secure_delete=OFF", "DELETE FROM tc_account"):
        pass
    assert _found(options, sealed) > 0
    await SqliteStore.schema(options).purge()
    assert 0 == _found(options, sealed)


async def test_a_purge_names_the_file_s_backups_and_snapshots(options: SqliteOptions) -> None:
    backups, snapshots = await SqliteStore.schema(options).purge()
    assert (True, True) == (backups.startswith(f"Backups and copies of {options.file}"), "Snapshots" in snapshots)


WRITING = ("BEGIN IMMEDIATE", "UPDATE tc_meta SET revision = revision + 1")
READING = ("BEGIN", "SELECT count(*) FROM tc_account")


@pytest.mark.parametrize("statements", [WRITING, READING], ids=["writes", "reads"])
async def test_a_purge_while_another_program_is_at_work_asks_to_try_again(
    options: SqliteOptions, statements: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tigercore_sqlite.patience, "_PATIENCE", 0.1)
    async with SqliteStore.open(options, driver_context()) as store:
        await store.apply([Put(account_row())])
        with _other(options, *statements), pytest.raises(StoreUnavailable, match="try again when it is quiet"):
            await SqliteStore.schema(options).purge()
        assert 1 == len(await store.accounts())
        await SqliteStore.schema(options).purge()


@pytest.mark.parametrize("statements", [WRITING, READING], ids=["writes", "reads"])
async def test_a_purge_waits_for_a_quiet_moment(options: SqliteOptions, statements: tuple[str, ...]) -> None:
    ended = trio.Event()

    async def purge() -> None:
        await SqliteStore.schema(options).purge()
        ended.set()

    async with SqliteStore.open(options, driver_context()) as store, trio.open_nursery() as nursery:
        await store.apply([Put(account_row())])
        with _other(options, *statements) as other:
            nursery.start_soon(purge)
            with trio.move_on_after(0.4):
                await ended.wait()
            assert not ended.is_set()
            other.execute("ROLLBACK")
        with trio.fail_after(10):
            await ended.wait()


async def test_a_database_that_is_not_there_cannot_be_purged(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="there is no database"):
        await SqliteStore.schema(SqliteOptions(str(tmp_path / "x.db"))).purge()
    assert not (tmp_path / "x.db").exists()


async def test_a_database_of_another_program_is_not_purged(tmp_path: Path) -> None:
    options = SqliteOptions(str(tmp_path / "others.db"))
    options.file.touch(0o600)
    with _other(options, "CREATE TABLE theirs (id INTEGER)"):
        pass
    before = options.file.read_bytes()
    with pytest.raises(StoreUnavailable, match="is another program's"):
        await SqliteStore.schema(options).purge()
    assert before == options.file.read_bytes()


async def test_there_is_nothing_to_purge_in_memory() -> None:
    assert [] == await SqliteStore.schema(SqliteOptions(":memory:")).purge()
