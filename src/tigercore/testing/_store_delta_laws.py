"""Laws of `delta`: what batches have left since a revision."""

from __future__ import annotations

from uuid import UUID

import attrs
import pytest

from tigercore.model import KeyRing
from tigercore.ports import AccountRow, AccountStore, Change, Delta, Put, Record, Remove
from tigercore.testing._store_laws import StoreLaws, StoreMaker, read_beside
from tigercore.testing._store_samples import (
    LONG_AGO,
    account_row,
    at_version,
    attempt,
    audit_entry,
    full_account_row,
    full_key_ring,
    full_token_row,
    key_ring,
    token_row,
)

_BATCHES = 30


class DeltaLaws(StoreLaws):
    """Laws of what a delta tells, and of what it leaves out."""

    async def test_a_new_store_has_nothing_to_tell(self, store: AccountStore) -> None:
        assert Delta(0) == await store.delta()

    @pytest.mark.parametrize("after", [-1, 0])
    async def test_a_delta_from_the_start_tells_everything(self, store: AccountStore, after: int) -> None:
        row, ring = full_account_row(), full_key_ring()
        token = full_token_row(row)
        await store.apply([Put(row), Put(token), Put(ring)])
        all_of_it = Delta(
            1, (at_version(row, 1),), (attrs.evolve(token, version=1),), ring=attrs.evolve(ring, version=1)
        )
        assert all_of_it == await store.delta(after)

    async def test_a_delta_tells_what_was_put_since(self, store: AccountStore) -> None:
        before = await _put_family(store)
        row = account_row()
        await store.apply([Put(row), Put(token_row(row))])
        assert (row.id, row.id) == _last_ids(await store.delta(before))

    async def test_a_delta_leaves_out_what_was_put_before(self, store: AccountStore) -> None:
        await _put_family(store)
        before = await _put_family(store)
        row = account_row()
        await store.apply([Put(row), Put(token_row(row))])
        delta = await store.delta(before)
        assert (1, 1) == (len(delta.accounts), len(delta.tokens))

    async def test_a_delta_behind_the_last_batch_tells_no_rows(self, store: AccountStore) -> None:
        assert Delta(1) == await store.delta(await _put_family(store))

    async def test_a_delta_tells_an_account_as_it_stands(self, store: AccountStore) -> None:
        row = account_row()
        before = await store.apply([Put(row)])
        for version in (1, 2):
            await store.apply([Put(at_version(row, version, error_count=version))])
        assert (at_version(row, 3, error_count=2),) == (await store.delta(before)).accounts

    async def test_a_delta_tells_a_token_as_it_stands(self, store: AccountStore) -> None:
        row = account_row()
        before = await store.apply([Put(row), Put(token_row(row))])
        for version in (1, 2):
            await store.apply([Put(token_row(row, version=version, failures=version))])
        assert (token_row(row, version=3, failures=2),) == (await store.delta(before)).tokens

    async def test_a_delta_tells_a_token_without_its_account(self, store: AccountStore) -> None:
        row = account_row()
        before = await store.apply([Put(row), Put(token_row(row))])
        await store.apply([Put(token_row(row, version=1))])
        assert () == (await store.delta(before)).accounts

    async def test_a_delta_tells_an_account_without_its_token(self, store: AccountStore) -> None:
        row = account_row()
        before = await store.apply([Put(row), Put(token_row(row))])
        await store.apply([Put(at_version(row, 1))])
        assert () == (await store.delta(before)).tokens

    async def test_accounts_of_a_delta_come_in_the_order_of_their_creation(self, store: AccountStore) -> None:
        rows = [account_row() for _ in range(5)]
        before = await store.apply([Put(row) for row in rows])
        for number in (3, 0, 2):
            await store.apply([Put(at_version(rows[number], 1))])
        told = (await store.delta(before)).accounts
        assert [rows[0].id, rows[2].id, rows[3].id] == [row.id for row in told]

    async def test_a_delta_tells_the_key_ring_changed_or_not(self, store: AccountStore) -> None:
        ring = key_ring()
        before = await store.apply([Put(ring)])
        assert attrs.evolve(ring, version=1) == (await store.delta(before)).ring
        await store.apply([Put(attrs.evolve(ring, epoch=7, version=1))])
        assert attrs.evolve(ring, epoch=7, version=2) == (await store.delta(before)).ring

    async def test_a_delta_names_the_revision_that_stands(self, store: AccountStore) -> None:
        before = await _put_family(store)
        revision = await _put_family(store)
        told = [(await store.delta(after)).revision for after in (-1, before, revision)]
        assert [revision] * 3 == told
        assert revision == await store.wait_for_change(-1)

    async def test_a_delta_tells_a_token_that_was_claimed_since(self, store: AccountStore) -> None:
        row = account_row()
        before = await store.apply([Put(row), Put(token_row(row, next_at=LONG_AGO))])
        claimed = await store.claim_due_tokens("me", 60, 1)
        assert Delta(before + 1, tokens=tuple(claimed)) == await store.delta(before)
        assert Delta(before + 1) == await store.delta(before + 1)

    async def test_a_delta_tells_no_records(self, store: AccountStore) -> None:
        before = await _put_family(store)
        await store.apply([Record(audit_entry()), Record(attempt(account_row().id))])
        assert Delta(before) == await store.delta(before)


class RemovedLaws(StoreLaws):
    """Laws of what a delta tells of accounts that were removed."""

    async def test_a_delta_tells_which_accounts_were_removed_since(self, store: AccountStore) -> None:
        gone, left = account_row(), account_row()
        before = await store.apply([Put(gone), Put(left)])
        await store.apply([Remove(gone.id, 1)])
        assert {gone.id} == (await store.delta(before)).removed

    async def test_a_delta_tells_no_rows_of_a_removed_account(self, store: AccountStore) -> None:
        gone, left = account_row(), account_row()
        await store.apply([Put(gone), Put(left), Put(token_row(gone)), Put(token_row(left))])
        await store.apply([Remove(gone.id, 1)])
        delta = await store.delta()
        assert [left.id] == [row.id for row in delta.accounts]
        assert [left.id] == [row.id for row in delta.tokens]

    async def test_a_delta_leaves_out_what_was_removed_before(self, store: AccountStore) -> None:
        row = account_row()
        await store.apply([Put(row)])
        behind = await store.apply([Remove(row.id, 1)])
        assert Delta(behind) == await store.delta(behind)

    async def test_an_account_that_came_and_went_since_is_told_as_removed(self, store: AccountStore) -> None:
        before, row, short = await _put_family(store), account_row(), account_row()
        await store.apply([Put(row), Put(short), Remove(short.id, 1)])
        await store.apply([Remove(row.id, 1)])
        assert {row.id, short.id} == (await store.delta(before)).removed

    async def test_an_account_that_was_put_again_is_told_as_a_row(self, store: AccountStore) -> None:
        row = account_row()
        before = await store.apply([Put(row)])
        await store.apply([Remove(row.id, 1)])
        await store.apply([Put(row)])
        delta = await store.delta(before)
        assert ([row.id], frozenset()) == ([each.id for each in delta.accounts], delta.removed)

    async def test_an_account_that_was_removed_again_is_told_as_removed(self, store: AccountStore) -> None:
        row = account_row()
        await store.apply([Put(row)])
        await store.apply([Remove(row.id, 1)])
        before = await store.apply([Put(row)])
        await store.apply([Remove(row.id, 1)])
        assert {row.id} == (await store.delta(before)).removed


class MomentLaws(StoreLaws):
    """Laws of deltas that are read while others write."""

    async def test_a_delta_is_of_one_moment(self, store: AccountStore, store_maker: StoreMaker) -> None:
        row, ring = account_row(), key_ring()

        async def write() -> None:
            for mark in range(2, _BATCHES):
                await other.apply(_marked(row, ring, mark))

        async def read() -> None:
            delta = await store.delta()
            assert [delta.revision] * 3 == _marks(delta)

        async with store_maker() as other:
            await store.apply(_marked(row, ring, 1))
            await read_beside(read, [write])

    async def test_who_follows_the_deltas_misses_nothing(self, store: AccountStore, store_maker: StoreMaker) -> None:
        followed: list[UUID] = []
        revision = 0

        async def follow() -> None:
            nonlocal revision
            delta = await store.delta(revision)
            followed.extend(row.id for row in delta.accounts)
            revision = delta.revision

        async def write() -> None:
            for _ in range(4):
                await store.apply([Put(account_row())])
                await other.apply([Put(account_row())])

        async with store_maker() as other:
            await read_beside(follow, [write] * 4)
        assert [row.id for row in await store.accounts()] == followed


async def _put_family(store: AccountStore) -> int:
    """Put a new account and its token, and return the revision."""
    row = account_row()
    return await store.apply([Put(row), Put(token_row(row))])


def _last_ids(delta: Delta) -> tuple[UUID, UUID]:
    return delta.accounts[-1].id, delta.tokens[-1].id


def _marked(row: AccountRow, ring: KeyRing, mark: int) -> list[Change]:
    """Return the batch that brings an account, its token and the ring to version `mark`, and writes it into each."""
    account = at_version(row, mark - 1, error_count=mark)
    token = token_row(row, version=mark - 1, failures=mark)
    return [Put(account), Put(token), Put(attrs.evolve(ring, version=mark - 1, epoch=mark))]


def _marks(delta: Delta) -> list[int]:
    ((account,), (token,), ring) = delta.accounts, delta.tokens, delta.ring
    assert ring is not None
    return [account.account.error_count, token.failures, ring.epoch]
