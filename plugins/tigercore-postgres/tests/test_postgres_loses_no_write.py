import threading

import attrs
import psycopg
import pytest
import trio

from tigercore.errors import StaleVersion
from tigercore.ports import AccountRow, AccountStore, Put, Record
from tigercore.testing._store_samples import LONG_AGO, account_row, audit_entry, token_row
from tigercore.testing.clock import driver_context
from tigercore_postgres import PostgresOptions, PostgresStore

pytestmark = pytest.mark.postgres

HOSTS = 4
ROUNDS = 10


async def _add_one(store: AccountStore) -> None:
    """Read, add one and write, again until nobody else was faster."""
    while True:
        row = (await store.accounts())[0]
        try:
            await store.apply([Put(_counted(row)), Record(audit_entry())])
        except StaleVersion:
            continue
        return


def _counted(row: AccountRow) -> AccountRow:
    return attrs.evolve(row, account=attrs.evolve(row.account, error_count=row.account.error_count + 1))


async def _count(options: PostgresOptions) -> None:
    async with PostgresStore.open(options, driver_context()) as store:
        for _ in range(ROUNDS):
            await _add_one(store)


async def test_hosts_that_read_and_write_lose_no_update(options: PostgresOptions) -> None:
    async with PostgresStore.open(options, driver_context()) as store:
        await store.apply([Put(account_row())])
    threads = [threading.Thread(target=trio.run, args=(_count, options)) for _ in range(HOSTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        await trio.to_thread.run_sync(thread.join)
    async with PostgresStore.open(options, driver_context()) as store:
        row, lines = (await store.accounts())[0], await store.audit()
        assert (HOSTS * ROUNDS, HOSTS * ROUNDS) == (row.account.error_count, len(lines))


async def test_a_token_that_another_program_has_locked_is_left_to_it(options: PostgresOptions) -> None:
    rows = [account_row(), account_row()]
    async with PostgresStore.open(options, driver_context()) as store:
        await store.apply([*map(Put, rows), *(Put(token_row(row, next_at=LONG_AGO)) for row in rows)])
        with psycopg.connect(options.dsn) as other:
            other.execute("SELECT id FROM tc_token WHERE id = %s FOR UPDATE", [rows[0].id])
            claimed = await store.claim_due_tokens("me", 60, 10)
    assert [rows[1].id] == [row.id for row in claimed]
