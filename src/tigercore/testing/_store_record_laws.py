"""Laws of batches that only record: many tasks write them at once, and a store may carry them out together."""

from __future__ import annotations

import pytest
import trio

from tigercore.errors import StoreUnavailable
from tigercore.ports import AccountStore, Record
from tigercore.testing._store_laws import StoreLaws, StoreMaker
from tigercore.testing._store_samples import account_row, attempt, audit_entry

_TASKS = 50
_LINES = ("first", "second", "third")


class RecordLaws(StoreLaws):
    """Laws of records alone."""

    async def test_a_record_is_there_for_others_when_apply_returns(
        self, store: AccountStore, store_maker: StoreMaker
    ) -> None:
        entry, tried = audit_entry(), attempt(account_row().id)
        async with store_maker() as other:
            await store.apply([Record(entry), Record(tried)])
            assert ([entry], [tried]) == ([line.entry for line in await other.audit()], await other.token_attempts())

    async def test_of_many_concurrent_records_each_is_there_once(
        self, store: AccountStore, store_maker: StoreMaker
    ) -> None:
        await _record_lines(store, store_maker)
        lines = await store.audit()
        expected = {(str(task), action) for task in range(_TASKS) for action in _LINES}
        assert sorted(expected) == sorted((line.entry.target, line.entry.action) for line in lines)
        assert len(lines) == len({line.number for line in lines})

    async def test_concurrent_records_of_one_task_come_in_its_order(
        self, store: AccountStore, store_maker: StoreMaker
    ) -> None:
        await _record_lines(store, store_maker)
        actions: dict[str, list[str]] = {}
        for line in await store.audit():
            actions.setdefault(line.entry.target, []).append(line.entry.action)
        assert {str(task): list(_LINES) for task in range(_TASKS)} == actions

    @pytest.mark.parametrize("detail", ["\ud800", "\x00"], ids=["half a surrogate pair", "NUL"])
    async def test_records_that_cannot_be_held_take_no_neighbour_with_them(
        self, store: AccountStore, detail: str
    ) -> None:
        bad, outcomes = attempt(account_row().id, detail=detail), []

        async def record(number: int) -> None:
            if number == 5:
                outcomes.append(await _is_held(store, Record(audit_entry("bad")), Record(bad)))
            else:
                await store.apply([Record(audit_entry("good")), Record(attempt(bad.account_id))])

        async with trio.open_nursery() as nursery:
            for number in range(11):
                nursery.start_soon(record, number)
        expected = ["bad"] * outcomes[0] + ["good"] * 10
        assert expected == sorted(line.entry.action for line in await store.audit())
        assert len(expected) == len(await store.token_attempts())


async def _record_lines(store: AccountStore, store_maker: StoreMaker) -> None:
    async def record(handle: AccountStore, target: str) -> None:
        for action in _LINES:
            await handle.apply([Record(audit_entry(action, target=target))])

    async with store_maker() as other, trio.open_nursery() as nursery:
        for number in range(_TASKS):
            nursery.start_soon(record, (store, other)[number % 2], str(number))


async def _is_held(store: AccountStore, *records: Record) -> bool:
    try:
        await store.apply(records)
    except StoreUnavailable:
        return False
    return True
