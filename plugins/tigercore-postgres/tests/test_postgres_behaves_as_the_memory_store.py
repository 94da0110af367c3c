from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest
import trio
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.servers.postgres import PostgresServer
from tigercore.testing.clock import driver_context
from tigercore.testing.stateful import store_machine
from tigercore_postgres import PostgresOptions, PostgresStore

pytestmark = pytest.mark.postgres

SETTINGS = settings(
    max_examples=10, stateful_step_count=20, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


def test_postgresql_behaves_as_the_memory_store(server: PostgresServer, template: str) -> None:
    @asynccontextmanager
    async def opened() -> AsyncIterator[PostgresStore]:
        name = f"tc_test_{uuid4().hex}"
        options = PostgresOptions(dsn=await trio.to_thread.run_sync(server.create_database, name, template))
        try:
            async with PostgresStore.open(options, driver_context()) as store:
                yield store
        finally:
            server.drop_database(name)

    run_state_machine_as_test(store_machine(opened), settings=SETTINGS)
