"""What else than tigercore may write into the file: it is told in one line, and never stops a freeze."""

import sqlite3
from contextlib import closing

import attrs
import pytest

from tigercore.errors import StaleVersion, StoreUnavailable
from tigercore.ports import Put, Record
from tigercore.testing._memory_tables import MemoryTables
from tigercore.testing._store_samples import LONG_AGO, account_row, attempt, audit_entry, key, key_ring, token_row
from tigercore.testing.clock import driver_context
from tigercore_sqlite import SqliteOptions, SqliteStore

pytestmark = pytest.mark.sqlite

ACCOUNT = account_row(kek=2)
TOKEN = token_row(ACCOUNT, sealed=b"token", kek=2, next_at=LONG_AGO)
RING = key_ring(min_decrypt=2, keys=(key(2),))

CANARY = "canary"
TOO_LATE = 2**62
DEEP = "printf('%.*c', 200000, '[')"
NO_BLOBS = (f"'{CANARY}'", "1000000000000", "1.5")
NO_TIMES = (f"'{CANARY}'", str(TOO_LATE), str(-TOO_LATE), "1.5")
NO_WORDS = (f"'{CANARY}'", "'\"canary\"'", "'{}'", "'[1]'", "'[[\"canary\"]]'", "'5'", "''", "X'00'", DEEP)

RING_DAMAGE = [
    *(("tc_key_ring", "recovery", value) for value in NO_WORDS),
    *(("tc_key_ring", column, value) for column in ("mac", "hash_key") for value in NO_BLOBS),
    *(("tc_key_ring", column, f"'{CANARY}'") for column in ("active", "min_decrypt", "epoch", "version")),
    *(("tc_kek", "created_at", value) for value in NO_TIMES),
    *(("tc_kek", "check_value", value) for value in NO_BLOBS),
    *(("tc_kek", "state", value) for value in (f"'{CANARY}'", "''", "X'00'")),
    *(("tc_kek_slot", "blob", value) for value in NO_BLOBS),
    ("tc_kek_slot", "provider", "X'00'"),
]
ACCOUNT_DAMAGE = [
    *((column, value) for column in ("market_permissions", "tags") for value in NO_WORDS),
    ("market_permissions", "'[\"canary\"]'"),
    *((column, value) for column in ("created_at", "updated_at") for value in NO_TIMES),
    *(
        (column, value)
        for column in ("account_type", "environment", "license", "status")
        for value in (f"'{CANARY}'", "''", "X'00'")
    ),
    *(("sealed", value) for value in NO_BLOBS),
    *((column, f"'{CANARY}'") for column in ("kek", "sealing", "version", "error_count", "weight")),
    *((column, "X'00'") for column in ("account_name", "account_number", "description", "developer", "server_url")),
]
TOKEN_DAMAGE = [
    *(("state", value) for value in (f"'{CANARY}'", "''", "X'00'")),
    *(("sealed", value) for value in NO_BLOBS),
    *((column, value) for column in ("issued_at", "expires_at", "next_at", "lease_until") for value in NO_TIMES),
    *((column, f"'{CANARY}'") for column in ("kek", "sealing", "version", "failures")),
    ("owner", "X'00'"),
]


@pytest.fixture
async def filled(options: SqliteOptions) -> SqliteOptions:
    entries = [Record(attempt(ACCOUNT.id)), Record(audit_entry())]
    async with SqliteStore.open(options, driver_context()) as store:
        await store.apply([Put(ACCOUNT), Put(account_row(kek=2)), Put(TOKEN), Put(RING), *entries])
    return options


def _damage(options: SqliteOptions, table: str, column: str, value: str, where: str = "TRUE") -> None:
    """Write as anybody can who may write the file: SQLite's own checks can be switched off."""
    with closing(sqlite3.connect(options.path, isolation_level=None)) as connection:
        connection.execute("PRAGMA ignore_check_constraints=ON")
        assert connection.execute(f"UPDATE {table} SET {column} = {value} WHERE {where}").rowcount


async def _told(options: SqliteOptions, method: str, *given: object) -> str:
    async with SqliteStore.open(options, driver_context()) as store:
        with pytest.raises(StoreUnavailable) as told:
            await getattr(store, method)(*given)
    assert (None, None) == (told.value.__cause__, told.value.__context__)
    assert CANARY not in str(told.value)
    return str(told.value)


@pytest.mark.parametrize(("table", "column", "value"), RING_DAMAGE)
async def test_a_damaged_ring_is_told_with_the_way_to_restore_it(
    filled: SqliteOptions, table: str, column: str, value: str
) -> None:
    _damage(filled, table, column, value)
    assert (
        f"tc_key_ring {RING.id} was changed by something else than tigercore: "
        "delete it, and restore it with `tigercore cipher import`"
    ) == await _told(filled, "key_ring")


@pytest.mark.parametrize(("column", "value"), ACCOUNT_DAMAGE)
async def test_a_damaged_account_is_told_among_others(filled: SqliteOptions, column: str, value: str) -> None:
    _damage(filled, "tc_account", column, value, where=f"id = '{ACCOUNT.id.hex}'")
    assert (
        f"tc_account {ACCOUNT.id} was changed by something else than tigercore: restore the row from a backup"
    ) == await _told(filled, "accounts")


async def test_a_damaged_account_leaves_the_others_readable_by_their_ids(filled: SqliteOptions) -> None:
    _damage(filled, "tc_account", "sealed", "'x'", where=f"id = '{ACCOUNT.id.hex}'")
    async with SqliteStore.open(filled, driver_context()) as store:
        await store.apply([Put(other := account_row(kek=2))])
        assert [other.id] == [row.id for row in await store.accounts([other.id])]


@pytest.mark.parametrize(("column", "value"), TOKEN_DAMAGE)
async def test_a_damaged_token_is_told(filled: SqliteOptions, column: str, value: str) -> None:
    _damage(filled, "tc_token", column, value)
    assert (
        f"tc_token {TOKEN.id} was changed by something else than tigercore: restore the row from a backup"
    ) == await _told(filled, "token_rows")


async def test_a_damaged_token_is_not_claimed(filled: SqliteOptions) -> None:
    _damage(filled, "tc_token", "sealed", "'canary'")
    assert f"tc_token {TOKEN.id} was changed" in await _told(filled, "claim_due_tokens", "owner", 60, 10)


@pytest.mark.parametrize(
    ("table", "method"), [("tc_account", "accounts"), ("tc_token", "token_rows"), ("tc_key_ring", "key_ring")]
)
@pytest.mark.parametrize("value", ["'canary'", "X'00'", "7"])
async def test_an_id_that_is_none_is_told_by_its_table(
    filled: SqliteOptions, table: str, method: str, value: str
) -> None:
    _damage(filled, table, "id", value, where="rowid = 1")
    assert f"{table} (a row with no valid id) was changed" in await _told(filled, method)


@pytest.mark.parametrize(
    ("table", "column", "value", "method"),
    [
        ("tc_audit", "details", "'[]'", "audit"),
        ("tc_audit", "details", "'{\"a\": 1}'", "audit"),
        ("tc_audit", "at", str(TOO_LATE), "audit"),
        ("tc_audit", "severity", "'canary'", "audit"),
        ("tc_token_attempt", "status", "'canary'", "token_attempts"),
        ("tc_token_attempt", "ended_at", "'canary'", "token_attempts"),
        ("tc_token_attempt", "status", "'canary'", "attempt_statistics"),
        ("tc_token_attempt", "trigger_word", "'canary'", "attempt_statistics"),
    ],
)
async def test_a_damaged_entry_is_told(filled: SqliteOptions, table: str, column: str, value: str, method: str) -> None:
    _damage(filled, table, column, value)
    assert f"{table} " in await _told(filled, method)


async def test_a_damaged_revision_is_told(filled: SqliteOptions) -> None:
    _damage(filled, "tc_meta", "revision", "'canary'")
    assert "tc_meta 1 was changed" in await _told(filled, "wait_for_change", 0)


async def test_nothing_sealed_is_written_while_the_floor_is_unknown(filled: SqliteOptions) -> None:
    _damage(filled, "tc_key_ring", "min_decrypt", "'canary'")
    assert f"tc_key_ring {RING.id} was changed" in await _told(filled, "apply", [Put(account_row(kek=2))])


@pytest.mark.parametrize("table", ["tc_account", "tc_token"])
async def test_a_row_that_others_put_below_the_floor_stops_no_freeze(filled: SqliteOptions, table: str) -> None:
    _damage(filled, table, "kek", "0")
    async with SqliteStore.open(filled, driver_context()) as store:
        await store.apply([Put(attrs.evolve(RING, frozen=True, version=1))])
        assert (ring := await store.key_ring())
        assert ring.frozen


async def test_a_row_that_others_put_below_the_floor_still_stops_its_rise(filled: SqliteOptions) -> None:
    _damage(filled, "tc_account", "kek", "0")
    async with SqliteStore.open(filled, driver_context()) as store:
        with pytest.raises(StaleVersion, match="tc_account are sealed with keys below 3"):
            await store.apply([Put(attrs.evolve(RING, min_decrypt=3, version=1))])


def test_a_row_below_the_floor_stops_no_freeze_in_memory_either() -> None:
    below = attrs.evolve(ACCOUNT, kek=0)
    tables = MemoryTables(accounts={below.id: below}, ring=attrs.evolve(RING, version=1))
    tables.carry_out(Put(attrs.evolve(RING, frozen=True, version=1)))
    assert tables.ring
    assert tables.ring.frozen
