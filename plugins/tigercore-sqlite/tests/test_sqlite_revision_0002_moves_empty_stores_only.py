"""A ring of revision 0001 has no MAC, and must not be taken for one that has."""

import sqlite3
from contextlib import closing

import pytest

from tigercore.errors import StoreUnavailable
from tigercore.ports import Change, Put, Record
from tigercore.testing._store_samples import account_row, audit_entry, key_ring
from tigercore.testing.clock import driver_context
from tigercore_sqlite import SqliteOptions, SqliteStore

pytestmark = pytest.mark.sqlite

OLD_ROWS = {
    "tc_key_ring": "INSERT INTO tc_key_ring VALUES (x'01', 1, 1, 1)",
    "tc_account": (
        "INSERT INTO tc_account VALUES "
        "(1, x'01', 'one', '1', 'PAPER', 'sandbox', 0, 0, NULL, 'ACTIVE', '[]', '[]', '', NULL, 1.0, 0, 0, 0, '', 1, "
        "x'00', 1)"
    ),
}


def _dump(options: SqliteOptions) -> list[str]:
    with closing(sqlite3.connect(options.path)) as connection:
        return list(connection.iterdump())


async def _take_back_to(revision: str, options: SqliteOptions) -> None:
    schema = SqliteStore.schema(options)
    while (await schema.status()).current != revision:
        await schema.rollback()


def _inserts(dump: list[str]) -> set[str]:
    return {line for line in dump if line.startswith("INSERT")}


@pytest.mark.parametrize("table", OLD_ROWS)
async def test_a_store_of_an_older_build_stays_as_it_is_and_the_way_out_is_told(
    options: SqliteOptions, table: str
) -> None:
    schema = SqliteStore.schema(options)
    await _take_back_to("0001", options)
    with closing(sqlite3.connect(options.path, isolation_level=None)) as connection:
        connection.execute(OLD_ROWS[table])
    before = _dump(options)
    with pytest.raises(StoreUnavailable) as refused:
        await schema.migrate()
    assert before == _dump(options)
    assert (
        "this store was made by a build from before the first release: export its accounts with that build "
        "(tigercore account export), run tigercore init anew, and import them"
    ) == str(refused.value)


@pytest.mark.parametrize("change", [Put(account_row()), Put(key_ring())], ids=["an account", "a key ring"])
async def test_a_store_that_holds_something_is_not_taken_back(options: SqliteOptions, change: Change) -> None:
    async with SqliteStore.open(options, driver_context()) as store:
        await store.apply([change])
    await _take_back_to("0002", options)
    before = _dump(options)
    with pytest.raises(StoreUnavailable, match="cannot be read by a build from before the first release"):
        await SqliteStore.schema(options).rollback()
    assert before == _dump(options)


async def test_the_log_and_the_revision_of_an_empty_store_move_with_it(options: SqliteOptions) -> None:
    async with SqliteStore.open(options, driver_context()) as store:
        await store.apply([Record(audit_entry("a"))])
    before = _dump(options)
    schema = SqliteStore.schema(options)
    await _take_back_to("0001", options)
    await schema.migrate()
    assert _inserts(before) == _inserts(_dump(options))
