"""Laws of the change feed: `wait_for_change`, and the revision that it tells."""

from __future__ import annotations

from typing import ClassVar

import trio
import trio.testing

from tigercore.ports import AccountStore, Change, Put, Record, Remove
from tigercore.testing._store_laws import PROMPT, StoreLaws, StoreMaker
from tigercore.testing._store_samples import LONG_AGO, account_row, attempt, audit_entry, key_ring, token_row


class FeedLaws(StoreLaws):
    """Laws of `wait_for_change`.

    :cvar silence: seconds that a store must stay silent to be believed; more than its driver needs to tell of a write.
    """

    silence: ClassVar[float] = 0.3

    async def test_waiting_for_a_change_after_minus_one_returns_at_once(self, store: AccountStore) -> None:
        with trio.fail_after(PROMPT):
            assert 0 == await store.wait_for_change(-1)

    async def test_a_change_that_was_there_is_not_waited_for(self, store: AccountStore) -> None:
        await store.apply([Put(account_row())])
        revision = await store.apply([Put(account_row())])
        with trio.fail_after(PROMPT):
            assert revision == await store.wait_for_change(0)

    async def test_a_feed_is_silent_while_nobody_writes(self, store: AccountStore) -> None:
        revision = await store.apply([Put(account_row())])
        with trio.move_on_after(self.silence) as waited:
            await store.wait_for_change(revision)
        assert waited.cancelled_caught

    async def test_a_write_wakes_who_waits(self, store: AccountStore) -> None:
        assert (1, 1) == await _woken(store, by=store)

    async def test_a_write_through_another_handle_wakes_who_waits(
        self, store: AccountStore, store_maker: StoreMaker
    ) -> None:
        async with store_maker() as other:
            assert (1, 1) == await _woken(store, by=other)

    async def test_the_revision_grows_by_one_with_every_batch_of_rows(self, store: AccountStore) -> None:
        row = account_row()
        batches: list[list[Change]] = [
            [Put(row), Put(account_row())],
            [Record(audit_entry()), Put(token_row(row))],
            [Put(key_ring())],
            [Remove(row.id, 1)],
        ]
        assert [1, 2, 3, 4] == [await store.apply(batch) for batch in batches]
        assert 4 == await store.wait_for_change(-1)

    async def test_records_alone_leave_the_revision_as_it_is(self, store: AccountStore) -> None:
        assert 0 == await store.apply([Record(audit_entry())])
        revision = await store.apply([Put(account_row())])
        assert revision == await store.apply([Record(audit_entry()), Record(attempt(account_row().id))])
        assert revision == await store.wait_for_change(-1)

    async def test_records_alone_wake_nobody(self, store: AccountStore, store_maker: StoreMaker) -> None:
        revision = await store.apply([Put(account_row())])
        async with store_maker() as other, trio.open_nursery() as nursery:
            for handle in (store, other):
                nursery.start_soon(handle.apply, [Record(audit_entry())])
            with trio.move_on_after(self.silence) as waited:
                await store.wait_for_change(revision)
        assert waited.cancelled_caught

    async def test_a_claim_wakes_who_waits(self, store: AccountStore, store_maker: StoreMaker) -> None:
        row = account_row()
        revision = await store.apply([Put(row), Put(token_row(row, next_at=LONG_AGO))])
        with trio.fail_after(PROMPT):
            async with store_maker() as other, trio.open_nursery() as nursery:
                nursery.start_soon(other.claim_due_tokens, "me", 60, 1)
                assert revision + 1 == await store.wait_for_change(revision)


async def _woken(store: AccountStore, *, by: AccountStore) -> tuple[int, int]:
    heard: list[int] = []

    async def listen() -> None:
        heard.append(await store.wait_for_change(0))

    with trio.fail_after(PROMPT):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(listen)
            await trio.testing.wait_all_tasks_blocked(0.05)
            written = await by.apply([Put(account_row())])
    return heard[0], written
