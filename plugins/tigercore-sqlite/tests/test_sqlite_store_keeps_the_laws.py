import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from tigercore.ports import AccountStore
from tigercore.testing.clock import driver_context
from tigercore.testing.store import AccountStoreContract, DurableStoreContract, StoreMaker
from tigercore_sqlite import SqliteOptions, SqliteStore

pytestmark = pytest.mark.sqlite

TABLES = ("tc_audit", "tc_kek", "tc_key_ring", "tc_token_attempt", "tc_token", "tc_account", "tc_meta")


class TestFileKeepsTheLaws(DurableStoreContract):
    @pytest.fixture
    def store_maker(self, options: SqliteOptions) -> StoreMaker:
        return lambda: SqliteStore.open(options, driver_context())

    @pytest.fixture
    def break_backend(self, options: SqliteOptions) -> Callable[[], None]:
        def drop() -> None:
            connection = sqlite3.connect(options.path)
            connection.executescript("".join(f"DROP TABLE {table};" for table in TABLES))
            connection.close()

        return drop

    @pytest.fixture
    def raw_bytes(self, options: SqliteOptions) -> Callable[[], bytes]:
        return lambda: b"".join(each.read_bytes() for each in options.file.parent.iterdir())


class TestMemoryKeepsTheLaws(AccountStoreContract):
    """A database in memory has one handle, so every opening within a test is the same one."""

    @pytest.fixture
    async def opened(self) -> AsyncIterator[SqliteStore]:
        async with SqliteStore.open(SqliteOptions(":memory:"), driver_context()) as store:
            yield store

    @pytest.fixture
    def store_maker(self, opened: SqliteStore) -> StoreMaker:
        @asynccontextmanager
        async def reopen() -> AsyncIterator[AccountStore]:
            yield opened

        return reopen

    @pytest.fixture
    def break_backend(self, opened: SqliteStore) -> Callable[[], None]:
        return opened._runner._engine.dispose  # the database ends with its one connection
