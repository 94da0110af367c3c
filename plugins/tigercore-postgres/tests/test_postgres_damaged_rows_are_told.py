"""What else than tigercore may write into the tables: it is told in one line that shows no value."""

import psycopg
import pytest

from tigercore.errors import StoreUnavailable
from tigercore.ports import Put, Record
from tigercore.testing._store_samples import LONG_AGO, account_row, attempt, audit_entry, key, key_ring, token_row
from tigercore.testing.clock import driver_context
from tigercore_postgres import PostgresOptions, PostgresStore

pytestmark = pytest.mark.postgres

ACCOUNT = account_row(kek=2)
CANARY = "canary"
TOO_LATE = str(2**62)
DEEP = "repeat('[', 200000)"
NO_WORDS = (f"'{CANARY}'", "'\"canary\"'", "'{}'", "'[1]'", "''", DEEP)

DAMAGE = [
    *(("tc_key_ring", "recovery", value, "key_ring") for value in NO_WORDS),
    ("tc_kek", "created_at", TOO_LATE, "key_ring"),
    *(("tc_account", "tags", value, "accounts") for value in NO_WORDS),
    ("tc_account", "market_permissions", "'[\"canary\"]'", "accounts"),
    ("tc_account", "created_at", TOO_LATE, "accounts"),
    ("tc_token", "expires_at", TOO_LATE, "token_rows"),
    ("tc_token", "expires_at", TOO_LATE, "delta"),
    ("tc_audit", "details", "'[]'", "audit"),
    ("tc_audit", "at", TOO_LATE, "audit"),
    ("tc_token_attempt", "ended_at", TOO_LATE, "token_attempts"),
]


@pytest.mark.parametrize(("table", "column", "value", "method"), DAMAGE)
async def test_a_damaged_row_is_told_by_its_table(
    options: PostgresOptions, table: str, column: str, value: str, method: str
) -> None:
    ring = key_ring(min_decrypt=2, keys=(key(2),))
    entries = [Record(attempt(ACCOUNT.id)), Record(audit_entry())]
    async with PostgresStore.open(options, driver_context()) as store:
        await store.apply([Put(ACCOUNT), Put(token_row(ACCOUNT, kek=2, next_at=LONG_AGO)), Put(ring), *entries])
        with psycopg.connect(options.dsn) as other:
            other.execute(f"UPDATE {table} SET {column} = {value}".encode())
        with pytest.raises(
            StoreUnavailable, match=r"^tc_\w+ \S+ was changed by something else than tigercore: "
        ) as told:
            await getattr(store, method)()
    assert (None, None) == (told.value.__cause__, told.value.__context__)
    assert CANARY not in str(told.value)
