from collections.abc import Callable

import psycopg
import pytest

from tests.servers.postgres import PostgresServer
from tigercore.testing.clock import driver_context
from tigercore.testing.store import DurableStoreContract, StoreMaker
from tigercore_postgres import PostgresOptions, PostgresStore

pytestmark = pytest.mark.postgres


class TestPostgresStoreKeepsTheLaws(DurableStoreContract):
    @pytest.fixture
    def store_maker(self, options: PostgresOptions) -> StoreMaker:
        return lambda: PostgresStore.open(options, driver_context())

    @pytest.fixture
    def break_backend(self, server: PostgresServer, database: str) -> Callable[[], None]:
        def shut() -> None:
            server.run(f"ALTER DATABASE {database} ALLOW_CONNECTIONS false")
            server.run(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{database}'")

        return shut

    @pytest.fixture
    def raw_bytes(self, options: PostgresOptions) -> Callable[[], bytes]:
        def read() -> bytes:
            with psycopg.connect(options.dsn) as connection:
                found = connection.execute("SELECT sealed FROM tc_account UNION ALL SELECT sealed FROM tc_token")
                return b"".join(sealed for (sealed,) in found.fetchall())

        return read
