import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tigercore.testing.clock import driver_context
from tigercore.testing.stateful import store_machine
from tigercore_sqlite import SqliteOptions, SqliteStore

pytestmark = pytest.mark.sqlite

SETTINGS = settings(
    max_examples=15, stateful_step_count=20, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


def test_a_database_in_memory_behaves_as_the_memory_store() -> None:
    machine = store_machine(lambda: SqliteStore.open(SqliteOptions(":memory:"), driver_context()))
    run_state_machine_as_test(machine, settings=SETTINGS)


def test_a_file_behaves_as_the_memory_store(tmp_path: Path) -> None:
    numbers = itertools.count()

    @asynccontextmanager
    async def opened() -> AsyncIterator[SqliteStore]:
        options = SqliteOptions(str(tmp_path / f"{next(numbers)}.db"))
        await SqliteStore.schema(options).migrate()
        async with SqliteStore.open(options, driver_context()) as store:
            yield store

    run_state_machine_as_test(store_machine(opened), settings=SETTINGS)
