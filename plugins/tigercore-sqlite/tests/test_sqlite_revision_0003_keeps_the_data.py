"""Revision 0003 goes up and down under a store in use: what stands is read as it was, by every version."""

from collections.abc import Sequence

import pytest

from tigercore.errors import StoreUnavailable
from tigercore.model import Authentication
from tigercore.ports import AccountStore, Change, Put, Record, Remove
from tigercore.testing._store_samples import account_row, at_version, attempt, audit_entry, key_ring, token_row
from tigercore.testing.clock import driver_context
from tigercore_sqlite import SqliteOptions, SqliteStore

pytestmark = pytest.mark.sqlite

DEFAULT, OTHER, GONE = account_row(is_default_trading=True), account_row(), account_row()
STORED: Sequence[Sequence[Change]] = (
    [Put(DEFAULT), Put(OTHER), Put(GONE)],
    [Put(token_row(DEFAULT, sealed=b"sealed")), Put(key_ring()), Put(at_version(OTHER, 1, error_count=3))],
    [Record(attempt(DEFAULT.id)), Record(audit_entry("a")), Remove(GONE.id, 1)],
)


async def _move_down_and_up(options: SqliteOptions) -> None:
    schema = SqliteStore.schema(options)
    assert ["0003", "0002"] == [(await schema.rollback()).current for _ in range(2)]
    assert "0004" == (await schema.migrate()).current


async def _fill(store: AccountStore) -> None:
    for batch in STORED:
        await store.apply(batch)


async def _rows(store: AccountStore) -> tuple[object, ...]:
    logs = await store.token_attempts(), await store.audit()
    return await store.accounts(), await store.token_rows(), *logs, await store.key_ring()


async def test_what_is_stored_stays_as_it_is(options: SqliteOptions) -> None:
    async with SqliteStore.open(options, driver_context()) as store:
        await _fill(store)
        before = await _rows(store)
    await _move_down_and_up(options)
    async with SqliteStore.open(options, driver_context()) as store:
        assert before == await _rows(store)
        assert all(before)


async def test_the_schema_is_the_one_of_the_models_again(options: SqliteOptions) -> None:
    async with SqliteStore.open(options, driver_context()) as store:
        await _fill(store)
    await _move_down_and_up(options)
    assert [] == await SqliteStore.schema(options).check()


async def test_every_row_is_told_after_it_was_moved(options: SqliteOptions) -> None:
    async with SqliteStore.open(options, driver_context()) as store:
        await _fill(store)
    await _move_down_and_up(options)
    async with SqliteStore.open(options, driver_context()) as store:
        delta = await store.delta(0)
        assert [DEFAULT.id, OTHER.id] == [row.id for row in delta.accounts]
        assert [DEFAULT.id] == [row.id for row in delta.tokens]


async def test_what_is_put_after_the_move_is_told_alone(options: SqliteOptions) -> None:
    async with SqliteStore.open(options, driver_context()) as store:
        await _fill(store)
    await _move_down_and_up(options)
    async with SqliteStore.open(options, driver_context()) as store:
        before = await store.wait_for_change(-1)
        await store.apply([Put(at_version(OTHER, 2, error_count=4))])
        assert [OTHER.id] == [row.id for row in (await store.delta(before)).accounts]


async def test_an_account_that_lives_by_consent_is_not_taken_back(options: SqliteOptions) -> None:
    async with SqliteStore.open(options, driver_context()) as store:
        await store.apply([Put(account_row(authentication=Authentication.OAUTH2))])
        before = await store.accounts()
    with pytest.raises(StoreUnavailable, match="delete it first"):
        await SqliteStore.schema(options).rollback()
    async with SqliteStore.open(options, driver_context()) as store:
        assert before == await store.accounts()
