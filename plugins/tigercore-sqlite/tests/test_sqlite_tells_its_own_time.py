"""The store's time is SQLite's: it goes on by itself, whatever clock the program has."""

import pytest
import trio

from tigercore.testing.clock import ManualClock, driver_context
from tigercore_sqlite import SqliteOptions, SqliteStore

pytestmark = pytest.mark.sqlite


async def test_time_goes_on_from_one_delta_to_a_later_one(options: SqliteOptions) -> None:
    async with SqliteStore.open(options, driver_context()) as store:
        first = (await store.delta()).now
        with trio.fail_after(3):
            while first == (await store.delta()).now:
                pass


async def test_a_wrong_clock_of_the_program_does_not_move_it(options: SqliteOptions) -> None:
    behind, ahead = ManualClock(), ManualClock()
    ahead.step(100 * 365 * 86400)
    async with (
        SqliteStore.open(options, driver_context(ahead)) as first,
        SqliteStore.open(options, driver_context(behind)) as second,
    ):
        assert (await first.delta()).now <= (await second.delta()).now
