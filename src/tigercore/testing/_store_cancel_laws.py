"""Laws of cancellation: what was cancelled is there as a whole or not at all."""

from __future__ import annotations

from functools import partial

import pytest
import trio

from tigercore.model import TokenState
from tigercore.ports import AccountStore, Change, Put, Record
from tigercore.testing._store_laws import Action, StoreLaws, counted, everything
from tigercore.testing._store_samples import LONG_AGO, account_row, attempt, audit_entry, token_row

_CANCEL_POINTS = 12


class CancelLaws(StoreLaws):
    """Laws of what is left when a caller is cancelled, at whichever checkpoint."""

    async def test_a_batch_that_was_cancelled_before_it_began_writes_nothing(self, store: AccountStore) -> None:
        with trio.CancelScope() as scope:
            scope.cancel()
            await store.apply(_batch())
        assert scope.cancelled_caught
        assert (0, 0, 0, 0) == await counted(store)

    async def test_a_batch_that_is_cancelled_is_there_as_a_whole_or_not_at_all(self, store: AccountStore) -> None:
        for steps in range(_CANCEL_POINTS):
            before, batch = await counted(store), _batch()
            finished = await _cancelled_after(steps, partial(store.apply, batch))
            grown = tuple(now - then for now, then in zip(await counted(store), before, strict=True))
            assert grown == ((1, 1, 1, 1) if finished else (0, 0, 0, 0))

    async def test_records_that_are_cancelled_are_there_as_a_whole_or_not_at_all(self, store: AccountStore) -> None:
        id, written = account_row().id, 0
        for steps in range(_CANCEL_POINTS):
            records = [Record(audit_entry()), Record(attempt(id))]
            written += await _cancelled_after(steps, partial(store.apply, records))
            assert (written, written) == (len(await store.audit()), len(await store.token_attempts()))

    @pytest.mark.parametrize(("place", "behind"), [(0, False), (1, False), (3, False), (1, True), (3, True)])
    async def test_records_that_are_cancelled_take_no_neighbour_with_them(
        self, store: AccountStore, place: int, behind: bool
    ) -> None:
        for steps in range(_CANCEL_POINTS):
            finished = await _one_of_four_cancelled(store, place, steps, behind=behind)
            lines = [line.entry.target for line in await store.audit()]
            expected = {f"{steps} {number}" for number in range(4) if finished or number != place}
            assert sorted(expected) == sorted(line for line in lines if line.split()[0] == str(steps))

    async def test_a_claim_that_is_cancelled_has_claimed_nothing(self, store: AccountStore) -> None:
        for steps in range(_CANCEL_POINTS):
            row = account_row()
            await store.apply([Put(row), Put(token_row(row, next_at=LONG_AGO))])
            finished = await _cancelled_after(steps, partial(store.claim_due_tokens, "me", 60, 10))
            expected = TokenState.REFRESHING if finished else TokenState.VALID
            assert [expected] == [token.state for token in await store.token_rows() if token.id == row.id]
            await store.claim_due_tokens("me", 60, 10)

    async def test_a_delta_that_is_cancelled_does_no_harm(self, store: AccountStore) -> None:
        await store.apply(_batch())
        before = await everything(store)
        for steps in range(_CANCEL_POINTS):
            await _cancelled_after(steps, store.delta)
            assert before == await everything(store)


def _batch() -> list[Change]:
    row = account_row()
    return [Put(row), Put(token_row(row)), Record(audit_entry())]


async def _cancelled_after(steps: int, action: Action) -> bool:
    """Cancel an action after so many steps of others, and say whether it had ended by then."""
    finished = False

    async def act() -> None:
        nonlocal finished
        await action()
        finished = True

    async with trio.open_nursery() as nursery:
        nursery.start_soon(act)
        await _pass(steps)
        nursery.cancel_scope.cancel()
    return finished


async def _one_of_four_cancelled(store: AccountStore, place: int, steps: int, *, behind: bool) -> bool:
    """Record a line in each of four tasks, and cancel the one in this place; say whether it had ended by then.

    `behind`: once the first task has ended, when a store may have the others' lines on the way together.
    """
    scope, ended = trio.CancelScope(), [trio.Event() for _ in range(4)]

    async def record(number: int) -> None:
        with scope if number == place else trio.CancelScope():
            await store.apply([Record(audit_entry(target=f"{steps} {number}"))])
            ended[number].set()

    async with trio.open_nursery() as nursery:
        for number in range(4):
            nursery.start_soon(record, number)
            await _pass(2)  # so that they come in this order
        if behind:
            await ended[0].wait()
        await _pass(steps)
        scope.cancel()
    return ended[place].is_set()


async def _pass(steps: int) -> None:
    for _ in range(steps):
        await trio.lowlevel.checkpoint()
