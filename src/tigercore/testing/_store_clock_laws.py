"""Laws of the store's own time, which a delta tells: by it tokens are due and leases end."""

from __future__ import annotations

from datetime import datetime, timedelta

from tigercore.ports import AccountStore, Put, TokenRow
from tigercore.testing._store_laws import StoreLaws, StoreMaker
from tigercore.testing._store_samples import LONG_AGO, account_row, token_row

_HOUR = timedelta(hours=1)


class ClockLaws(StoreLaws):
    """Laws of `Delta.now`."""

    async def test_the_time_of_a_delta_is_aware_and_in_utc(self, store: AccountStore) -> None:
        assert timedelta(0) == (await _now(store)).utcoffset()

    async def test_the_time_of_deltas_never_goes_back(self, store: AccountStore, store_maker: StoreMaker) -> None:
        revision = await store.apply([Put(account_row())])
        async with store_maker() as other:
            times = [await _now(handle, after) for handle in (store, other) * 5 for after in (-1, revision)]
        assert sorted(times) == times

    async def test_what_is_due_by_the_time_of_a_delta_is_claimed(self, store: AccountStore) -> None:
        assert 1 == len(await _claimed(store, timedelta(0)))

    async def test_what_is_due_after_the_time_of_a_delta_is_left(self, store: AccountStore) -> None:
        assert [] == await _claimed(store, _HOUR)

    async def test_a_lease_begins_between_the_deltas_around_its_claim(self, store: AccountStore) -> None:
        row = account_row()
        await store.apply([Put(row), Put(token_row(row, next_at=LONG_AGO))])
        before = await _now(store)
        (claimed,) = await store.claim_due_tokens("me", 60, 1)
        assert claimed.lease_until is not None
        assert before <= claimed.lease_until - timedelta(seconds=60) <= await _now(store)


async def _now(store: AccountStore, after: int = -1) -> datetime:
    return (await store.delta(after)).now


async def _claimed(store: AccountStore, ahead: timedelta) -> list[TokenRow]:
    """Put a token that is due so long after the time of a delta, and claim what is due."""
    row = account_row()
    await store.apply([Put(row)])
    await store.apply([Put(token_row(row, next_at=await _now(store) + ahead))])
    return await store.claim_due_tokens("me", 60, 1)
