import sqlite3

import pytest
import trio
from sqlalchemy import Connection, StaticPool, create_engine

from tigercore.errors import StoreUnavailable
from tigercore_sql import Runner


@pytest.fixture
def runner() -> Runner:
    engine = create_engine(
        "sqlite://",
        creator=lambda: sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None),
        poolclass=StaticPool,
        hide_parameters=True,
    )
    turn = trio.CapacityLimiter(1)
    return Runner(engine, "the database", writers=turn, readers=turn)


def _fail(connection: Connection) -> None:
    connection.exec_driver_sql("INSERT INTO nowhere VALUES (?)", ("canary",))


async def test_an_error_of_the_database_names_the_backend_and_the_code(runner: Runner) -> None:
    async with runner:
        with pytest.raises(StoreUnavailable, match="the database failed: OperationalError SQLITE_ERROR"):
            await runner.write(_fail)


async def test_an_error_of_the_database_is_not_chained_to_the_driver_s(runner: Runner) -> None:
    async with runner:
        with pytest.raises(StoreUnavailable) as failed:
            await runner.read(_fail)
    assert (None, None) == (failed.value.__cause__, failed.value.__context__)


async def test_an_error_of_the_work_leaves_as_itself(runner: Runner) -> None:
    def work(connection: Connection) -> None:
        raise ZeroDivisionError

    async with runner:
        with pytest.raises(ZeroDivisionError):
            await runner.write(work)
