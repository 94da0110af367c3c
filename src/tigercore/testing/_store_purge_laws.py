"""Laws of the schema's `purge`."""

from __future__ import annotations

from tigercore.ports import AccountStore, Put, Record, Schema
from tigercore.testing._store_laws import StoreLaws, everything
from tigercore.testing._store_samples import account_row, at_version, attempt, audit_entry, key_ring, token_row


class PurgeLaws(StoreLaws):
    """Laws of `purge`: it takes nothing that stands, and says what it leaves."""

    async def test_a_purge_keeps_everything_that_is_stored(self, store: AccountStore) -> None:
        row = account_row(sealed=b"a")
        await store.apply([Put(row), Put(account_row()), Put(token_row(row, sealed=b"t")), Put(key_ring())])
        await store.apply([Put(at_version(row, 1)), Record(attempt(row.id)), Record(audit_entry())])
        before = await everything(store)
        await _schema(store).purge()
        assert before == await everything(store)

    async def test_a_store_that_is_open_goes_on_after_a_purge(self, store: AccountStore) -> None:
        row = account_row()
        await store.apply([Put(row)])
        await _schema(store).purge()
        await store.apply([Put(at_version(row, 1, error_count=7))])
        assert [7] == [each.account.error_count for each in await store.accounts()]

    async def test_a_purge_says_in_sentences_what_is_out_of_reach(self, store: AccountStore) -> None:
        told = await _schema(store).purge()
        assert [True] * len(told) == [sentence[:1].isupper() and sentence[-1:] == "." for sentence in told]


def _schema(store: AccountStore) -> Schema:
    return type(store).schema(store.options)
