"""Laws of rows and batches: what is written comes back, and nothing is written by halves."""

from __future__ import annotations

import attrs
import pytest

from tigercore.model import AccountStatus
from tigercore.ports import AccountStore, Put, Record, Remove
from tigercore.testing._store_laws import StoreLaws, everything, require_stale
from tigercore.testing._store_samples import (
    account_row,
    at_version,
    attempt,
    audit_entry,
    full_account_row,
    full_token_row,
    key_ring,
    token_row,
)


class RowLaws(StoreLaws):
    """Laws of accounts and their tokens."""

    async def test_a_new_store_is_empty(self, store: AccountStore) -> None:
        assert [] == await store.accounts()
        assert [] == await store.token_rows()
        assert [] == await store.token_attempts()
        assert [] == await store.audit()
        assert await store.key_ring() is None
        assert 0 == await store.wait_for_change(-1)

    async def test_an_account_comes_back_as_it_was_one_version_further(self, store: AccountStore) -> None:
        row = full_account_row()
        await store.apply([Put(row)])
        assert [at_version(row, 1)] == await store.accounts()

    async def test_an_account_with_nothing_optional_comes_back(self, store: AccountStore) -> None:
        row = account_row(sealed=b"")
        await store.apply([Put(row)])
        assert [at_version(row, 1)] == await store.accounts()

    async def test_a_change_of_an_account_comes_back(self, store: AccountStore) -> None:
        bare, full = account_row(), full_account_row()
        changed = at_version(attrs.evolve(full, account=attrs.evolve(full.account, id=bare.id)), 1)
        await store.apply([Put(bare)])
        await store.apply([Put(changed)])
        assert [at_version(changed, 2)] == await store.accounts()

    @pytest.mark.parametrize("status", AccountStatus)
    async def test_an_account_comes_back_in_every_status(self, store: AccountStore, status: AccountStatus) -> None:
        await store.apply([Put(account_row(status=status))])
        assert [status] == [row.account.status for row in await store.accounts()]

    async def test_a_token_comes_back_as_it_was_one_version_further(self, store: AccountStore) -> None:
        account = account_row()
        row = full_token_row(account)
        await store.apply([Put(account), Put(row)])
        assert [attrs.evolve(row, version=1)] == await store.token_rows()

    async def test_a_change_of_a_token_comes_back(self, store: AccountStore) -> None:
        account = account_row()
        await store.apply([Put(account), Put(token_row(account))])
        await store.apply([Put(attrs.evolve(full_token_row(account), version=1))])
        assert [attrs.evolve(full_token_row(account), version=2)] == await store.token_rows()

    async def test_a_bare_token_comes_back(self, store: AccountStore) -> None:
        account = account_row()
        row = token_row(account, next_at=None)
        await store.apply([Put(account), Put(row)])
        assert [attrs.evolve(row, version=1)] == await store.token_rows()

    async def test_a_token_needs_its_account(self, store: AccountStore) -> None:
        await require_stale(store, Put(token_row(account_row())))

    async def test_a_new_account_that_is_there_is_stale(self, store: AccountStore) -> None:
        row = account_row()
        await store.apply([Put(row)])
        await require_stale(store, Put(row))

    async def test_a_new_token_that_is_there_is_stale(self, store: AccountStore) -> None:
        row = account_row()
        await store.apply([Put(row), Put(token_row(row))])
        await require_stale(store, Put(token_row(row)))

    async def test_an_account_that_was_written_since_is_stale(self, store: AccountStore) -> None:
        row = account_row()
        await store.apply([Put(row), Put(at_version(row, 1))])
        await require_stale(store, Put(at_version(row, 1)))

    async def test_a_token_that_was_written_since_is_stale(self, store: AccountStore) -> None:
        account = account_row()
        row = token_row(account)
        await store.apply([Put(account), Put(row), Put(attrs.evolve(row, version=1))])
        await require_stale(store, Put(attrs.evolve(row, version=1)))

    async def test_an_account_that_is_gone_is_stale(self, store: AccountStore) -> None:
        row = account_row()
        await store.apply([Put(row), Remove(row.id, 1)])
        await require_stale(store, Put(at_version(row, 1)))

    async def test_a_stale_change_leaves_nothing_of_its_neighbours(self, store: AccountStore) -> None:
        there = account_row()
        await store.apply([Put(there), Record(audit_entry())])
        before = (await store.accounts(), await store.audit(), await store.wait_for_change(-1))
        await require_stale(
            store,
            Put(at_version(there, 1, status=AccountStatus.INACTIVE)),
            Put(account_row()),
            Put(token_row(there)),
            Put(key_ring()),
            Record(attempt(there.id)),
            Record(audit_entry()),
            Put(at_version(there, 1)),
            Remove(there.id, 3),
        )
        assert before == (await store.accounts(), await store.audit(), await store.wait_for_change(-1))
        assert ([], [], None) == (await store.token_rows(), await store.token_attempts(), await store.key_ring())

    async def test_one_stale_row_among_many_of_its_kind_leaves_nothing_of_them(self, store: AccountStore) -> None:
        rows = [account_row() for _ in range(3)]
        tokens = [token_row(row) for row in rows]
        await store.apply([*map(Put, rows), *map(Put, tokens)])
        before = await everything(store)
        await require_stale(
            store, *(Put(at_version(row, version)) for row, version in zip(rows, (1, 2, 1), strict=True))
        )
        fresh = [attrs.evolve(row, version=1, failures=1) for row in tokens]
        await require_stale(store, Put(fresh[0]), Put(fresh[1]), Put(attrs.evolve(fresh[2], version=2)))
        assert before == await everything(store)

    async def test_an_account_number_is_unique(self, store: AccountStore) -> None:
        await store.apply([Put(account_row(account_number="21234567"))])
        await require_stale(store, Put(account_row(account_number="21234567")))

    async def test_one_account_is_the_default_for_trading(self, store: AccountStore) -> None:
        other = account_row()
        await store.apply([Put(account_row(is_default_trading=True)), Put(other)])
        await require_stale(store, Put(at_version(other, 1, is_default_trading=True)))

    async def test_one_account_is_the_default_for_data(self, store: AccountStore) -> None:
        other = account_row()
        await store.apply([Put(account_row(is_default_data=True)), Put(other)])
        await require_stale(store, Put(at_version(other, 1, is_default_data=True)))

    async def test_a_default_moves_within_one_batch(self, store: AccountStore) -> None:
        old, new = account_row(is_default_trading=True), account_row()
        await store.apply([Put(old), Put(new)])
        moved = [at_version(old, 1, is_default_trading=False), at_version(new, 1, is_default_trading=True)]
        await store.apply([Put(each) for each in moved])
        assert [False, True] == [each.account.is_default_trading for each in await store.accounts()]

    async def test_remove_takes_the_account_and_its_token(self, store: AccountStore) -> None:
        gone, left = account_row(), account_row()
        await store.apply([Put(gone), Put(left), Put(token_row(gone)), Put(token_row(left))])
        await store.apply([Remove(gone.id, 1)])
        assert [left.id] == [row.id for row in await store.accounts()]
        assert [left.id] == [row.id for row in await store.token_rows()]

    async def test_remove_leaves_attempts_and_audit_lines(self, store: AccountStore) -> None:
        row = account_row()
        tried, entry = attempt(row.id), audit_entry()
        await store.apply([Put(row), Record(tried), Record(entry)])
        await store.apply([Remove(row.id, 1)])
        assert [tried] == await store.token_attempts({row.id})
        assert [entry] == [line.entry for line in await store.audit()]

    async def test_remove_at_a_version_that_has_passed_is_stale(self, store: AccountStore) -> None:
        row = account_row()
        await store.apply([Put(row), Put(at_version(row, 1))])
        await require_stale(store, Remove(row.id, 1))

    async def test_remove_of_an_account_that_is_gone_is_stale(self, store: AccountStore) -> None:
        await require_stale(store, Remove(account_row().id, 1))

    async def test_accounts_come_in_the_order_of_their_creation(self, store: AccountStore) -> None:
        rows = [account_row() for _ in range(5)]
        await store.apply([Put(row) for row in rows])
        await store.apply([Put(at_version(rows[0], 1)), Put(at_version(rows[3], 1))])
        assert [row.id for row in rows] == [row.id for row in await store.accounts()]

    async def test_accounts_that_were_named_come_without_the_others(self, store: AccountStore) -> None:
        rows = [account_row() for _ in range(4)]
        await store.apply([Put(row) for row in rows])
        wanted = [rows[2].id, rows[1].id]
        assert [rows[1].id, rows[2].id] == [row.id for row in await store.accounts(wanted)]
        assert [] == await store.accounts([])

    async def test_tokens_that_were_named_come_without_the_others(self, store: AccountStore) -> None:
        rows = [account_row() for _ in range(3)]
        await store.apply([change for row in rows for change in (Put(row), Put(token_row(row)))])
        assert {rows[2].id} == {row.id for row in await store.token_rows({rows[2].id})}
        assert [] == await store.token_rows([])

    async def test_ids_that_nobody_knows_are_left_out(self, store: AccountStore) -> None:
        row, unknown = account_row(), account_row()
        await store.apply([Put(row), Put(token_row(row))])
        assert [row.id] == [each.id for each in await store.accounts([unknown.id, row.id])]
        assert [row.id] == [each.id for each in await store.token_rows([unknown.id, row.id])]
