from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection, event

from tigercore.errors import StoreUnavailable
from tigercore.ports import Put, Record
from tigercore.testing._store_samples import account_row, audit_entry
from tigercore.testing.clock import driver_context
from tigercore_sqlite import SqliteOptions, SqliteStore

pytestmark = pytest.mark.sqlite

_LARGE = bytes(1 << 16)  # more than the pages that a new database has to spare
_UNBOUNDED = 2**30


@contextmanager
def _full(store: SqliteStore) -> Iterator[None]:
    """Let SQLite find no page more than it has, which it tells as it tells a full disk."""
    event.listen(store._runner._engine, "begin", _bound)
    try:
        yield
    finally:
        event.remove(store._runner._engine, "begin", _bound)
        event.listen(store._runner._engine, "begin", _unbound)


def _bound(connection: Connection) -> None:
    connection.exec_driver_sql("PRAGMA max_page_count=1")


def _unbound(connection: Connection) -> None:
    connection.exec_driver_sql(f"PRAGMA max_page_count={_UNBOUNDED}")


async def test_a_full_disk_is_told_in_words_that_say_what_to_do(options: SqliteOptions) -> None:
    async with SqliteStore.open(options, driver_context()) as store:
        with _full(store), pytest.raises(StoreUnavailable) as caught:
            await store.apply([Put(account_row(sealed=_LARGE))])
    told = "OperationalError SQLITE_FULL; the disk is full, and nothing was written: make space, and try again"
    assert f"{options.path} failed: {told}" == str(caught.value)


async def test_what_did_not_fit_is_not_there_and_reads_go_on(options: SqliteOptions) -> None:
    async with SqliteStore.open(options, driver_context()) as store:
        await store.apply([Put(kept := account_row())])
        with _full(store):
            with pytest.raises(StoreUnavailable):
                await store.apply([Put(account_row()), Record(audit_entry(details={"large": _LARGE.hex()}))])
            assert [kept.id] == [row.id for row in await store.accounts()]


async def test_once_there_is_space_the_same_store_writes_again(options: SqliteOptions) -> None:
    async with SqliteStore.open(options, driver_context()) as store:
        with _full(store), pytest.raises(StoreUnavailable):
            await store.apply([Put(large := account_row(sealed=_LARGE))])
        await store.apply([Put(large)])
        assert [large.id] == [row.id for row in await store.accounts()]
