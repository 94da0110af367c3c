"""The gate of each developer: calls that write and refreshes keep out of each other's way."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tigercore._gate import Gate


@pytest.fixture
def gate() -> Gate:
    return Gate()


async def call(gate: Gate, developer: str, seconds: float) -> None:
    async with gate.passed(developer):
        await trio.sleep(seconds)


async def test_nobody_waits_where_nothing_is_under_way(gate: Gate) -> None:
    async with gate.passed("developer"):
        pass
    assert await gate.drained("developer", 0)


async def test_a_refresh_waits_for_the_calls_that_are_under_way(gate: Gate, autojump_clock: MockClock) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(call, gate, "developer", 2)
        nursery.start_soon(call, gate, "developer", 3)
        await wait_all_tasks_blocked()
        assert await gate.drained("developer", 5)
        assert pytest.approx(3) == trio.current_time()


async def test_a_refresh_does_not_wait_for_ever(gate: Gate, autojump_clock: MockClock) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(call, gate, "developer", 100)
        await wait_all_tasks_blocked()
        assert not await gate.drained("developer", 5)
        assert pytest.approx(5) == trio.current_time()


async def test_a_call_waits_until_a_refresh_is_over(gate: Gate, autojump_clock: MockClock) -> None:
    async with trio.open_nursery() as nursery:
        with gate.shut("developer"):
            nursery.start_soon(call, gate, "developer", 0)
            await wait_all_tasks_blocked()
            assert await gate.drained("developer", 0)  # it stands before the gate
            await trio.sleep(4)
    assert pytest.approx(4) == trio.current_time()


async def test_another_developers_refresh_holds_no_call_back(gate: Gate) -> None:
    with gate.shut("one"):
        await call(gate, "other", 0)
    assert await gate.drained("other", 0)


async def test_a_call_that_is_cancelled_has_left(gate: Gate) -> None:
    with trio.CancelScope() as scope:
        async with gate.passed("developer"):
            scope.cancel()
            await trio.sleep_forever()
    assert await gate.drained("developer", 0)


async def test_a_refresh_that_fails_opens_the_gate(gate: Gate) -> None:
    with pytest.raises(KeyError), gate.shut("developer"):
        raise KeyError
    with trio.fail_after(1):
        await call(gate, "developer", 0)
