"""Laws of `claim_due_tokens`."""

from __future__ import annotations

from datetime import timedelta

import attrs
import trio

from tigercore.model import TokenState
from tigercore.ports import AccountStore, Put, TokenRow
from tigercore.testing._store_laws import StoreLaws, StoreMaker
from tigercore.testing._store_samples import FAR_AWAY, LONG_AGO, NOON, account_row, token_row

_HOUR = timedelta(hours=1)


class ClaimLaws(StoreLaws):
    """Laws of `claim_due_tokens`."""

    async def test_a_claim_takes_what_is_due_and_no_more(self, store: AccountStore) -> None:
        due = await _put_token(store, next_at=LONG_AGO)
        await _put_token(store, next_at=FAR_AWAY)
        await _put_token(store, next_at=None)
        assert [due.id] == [row.id for row in await store.claim_due_tokens("me", 60, 10)]

    async def test_a_claim_takes_valid_tokens_only(self, store: AccountStore) -> None:
        for state in TokenState:
            await _put_token(store, next_at=LONG_AGO, state=state)
        valid = [row.id for row in await store.token_rows() if row.state is TokenState.VALID]
        assert valid == [row.id for row in await store.claim_due_tokens("me", 60, 10)]

    async def test_a_claim_takes_the_soonest_expiry_first(self, store: AccountStore) -> None:
        never = await _put_token(store, next_at=LONG_AGO)
        late = await _put_token(store, next_at=LONG_AGO, expires_at=NOON + _HOUR)
        soon = await _put_token(store, next_at=LONG_AGO, expires_at=NOON)
        claims = [await store.claim_due_tokens("me", 60, 2), await store.claim_due_tokens("me", 60, 2)]
        assert [[soon.id, late.id], [never.id]] == [[row.id for row in claim] for claim in claims]

    async def test_a_claim_takes_up_to_the_limit(self, store: AccountStore) -> None:
        for _ in range(3):
            await _put_token(store, next_at=LONG_AGO)
        assert 2 == len(await store.claim_due_tokens("me", 60, 2))

    async def test_a_claim_marks_the_token_and_counts_its_version(self, store: AccountStore) -> None:
        await _put_token(store, next_at=LONG_AGO, sealed=b"s", sealing=2, failures=3, expires_at=NOON)
        before = (await store.token_rows())[0]
        claimed = (await store.claim_due_tokens("me", 60, 1))[0]
        marked = attrs.evolve(before, state=TokenState.REFRESHING, owner="me", version=before.version + 1)
        assert marked == attrs.evolve(claimed, lease_until=None)

    async def test_a_claim_is_what_stands(self, store: AccountStore) -> None:
        await _put_token(store, next_at=LONG_AGO)
        assert await store.claim_due_tokens("me", 60, 1) == await store.token_rows()

    async def test_a_claim_of_many_is_one_revision(self, store: AccountStore) -> None:
        for _ in range(3):
            await _put_token(store, next_at=LONG_AGO)
        before = await store.wait_for_change(-1)
        await store.claim_due_tokens("me", 60, 3)
        assert before + 1 == await store.wait_for_change(-1)

    async def test_a_claim_of_nothing_leaves_the_revision_as_it_is(self, store: AccountStore) -> None:
        await _put_token(store, next_at=FAR_AWAY)
        before = await store.wait_for_change(-1)
        assert [] == await store.claim_due_tokens("me", 60, 1)
        assert before == await store.wait_for_change(-1)

    async def test_a_lease_lasts_as_long_as_was_asked(self, store: AccountStore) -> None:
        ends = []
        for lease in (60.0, 7260.5):
            await _put_token(store, next_at=LONG_AGO)
            ends += [row.lease_until for row in await store.claim_due_tokens("me", lease, 1)]
        short, long = (end for end in ends if end is not None)
        assert abs((long - short).total_seconds() - 7200.5) < 30  # both began within half a minute

    async def test_no_token_is_claimed_twice(self, store: AccountStore, store_maker: StoreMaker) -> None:
        rows = [account_row() for _ in range(30)]
        await store.apply([*map(Put, rows), *(Put(token_row(row, next_at=LONG_AGO)) for row in rows)])
        claimed: list[TokenRow] = []

        async def claim(handle: AccountStore, owner: str) -> None:
            while len(claimed) <= 30 and (rows := await handle.claim_due_tokens(owner, 60, 2)):
                claimed.extend(rows)

        async with store_maker() as other, trio.open_nursery() as nursery:
            for number, handle in enumerate([store, other] * 10):
                nursery.start_soon(claim, handle, f"worker {number}")
        assert sorted(row.id for row in rows) == sorted(row.id for row in claimed)


async def _put_token(store: AccountStore, **fields: object) -> TokenRow:
    account = account_row()
    row = token_row(account, **fields)
    await store.apply([Put(account), Put(row)])
    return row
