import hashlib
from collections.abc import Iterator
from contextlib import closing, contextmanager

import attrs
import psycopg
import pytest
import trio

import tigercore_postgres.purge
from tigercore.errors import StoreUnavailable
from tigercore.ports import AccountRow, AccountStore, Put, Remove
from tigercore.testing._store_samples import account_row, at_version
from tigercore.testing.clock import driver_context
from tigercore_postgres import PostgresOptions, PostgresStore

pytestmark = pytest.mark.postgres

ROUNDS = 8
FILES = """
SELECT pg_read_binary_file(folder || '/' || name, 0, 1 << 24, true) FROM
(SELECT 'base/' || oid AS folder FROM pg_database WHERE datname = current_database()) AS ours, pg_ls_dir(folder) AS name
"""
IN_WAY = "other programs are in the way of purging the database .*: stop them, or try again when it is quiet"


def _sealed(*named: object, size: int) -> bytes:
    """Return bytes that occur nowhere else, and that no page boundary or compression hides all of."""
    marks = [hashlib.sha256(repr((named, number)).encode()).digest() for number in range(size // 32)]
    return b"".join(marks)


def _found(options: PostgresOptions, sealed: list[bytes]) -> int:
    """Count those of which a part lies in the files of the database, once they are written out."""
    with psycopg.connect(options.dsn, autocommit=True) as connection:
        connection.execute("CHECKPOINT")
        files = connection.execute(FILES).fetchall()
    raw = b"".join(content for (content,) in files if content)
    return sum(any(part in raw for part in (each[:32], each[-32:])) for each in sealed)


@contextmanager
def _other(options: PostgresOptions, *statements: str) -> Iterator[None]:
    """Be another program, in the middle of a transaction."""
    with closing(psycopg.connect(options.dsn)) as connection:
        for statement in statements:
            connection.execute(statement.encode())
        yield


async def _worn(options: PostgresOptions, store: AccountStore) -> tuple[list[bytes], list[bytes]]:
    """Replace sealed bytes of all sizes many times, and remove some rows; return what went, and what stands."""
    rows = [account_row(sealed=_sealed(n, 0, size=128 + 704 * n)) for n in range(8)]
    await store.apply([*map(Put, rows)])
    with psycopg.connect(options.dsn, autocommit=True) as the_server_itself:
        the_server_itself.execute("ANALYZE tc_account")  # keeps a sample of the values
    gone = []
    for version in range(1, ROUNDS):
        gone += [row.sealed for row in rows]
        rows = [_rewritten(row, n, version) for n, row in enumerate(rows)]
        await store.apply([*map(Put, rows)])
    await store.apply([Remove(row.id, ROUNDS) for row in rows[::2]])
    return gone + [row.sealed for row in rows[::2]], [row.sealed for row in rows[1::2]]


def _rewritten(row: AccountRow, number: int, version: int) -> AccountRow:
    return at_version(attrs.evolve(row, sealed=_sealed(number, version, size=128 + 704 * number)), version)


async def test_no_replaced_or_removed_bytes_are_left_in_the_files_after_a_purge(options: PostgresOptions) -> None:
    async with PostgresStore.open(options, driver_context()) as store:
        gone, stands = await _worn(options, store)
        assert _found(options, gone) > 0  # the control: they are there before
        await PostgresStore.schema(options).purge()
        assert (0, len(stands)) == (_found(options, gone), _found(options, stands))
        assert len(stands) == len(await store.accounts())


WRITING = ("UPDATE tc_meta SET revision = revision + 1",)
READING = ("SELECT count(*) FROM tc_account",)
LOOKING_ELSEWHERE = ("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", "SELECT 1")
TRANSACTIONS = pytest.mark.parametrize("statements", [WRITING, READING], ids=["writes", "reads"])


@TRANSACTIONS
async def test_a_purge_while_another_program_is_at_work_asks_to_try_again(
    options: PostgresOptions, statements: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tigercore_postgres.purge, "_PATIENCE", 0.1)
    hasty = attrs.evolve(options, lock_timeout=0.1)
    async with PostgresStore.open(options, driver_context()) as store:
        await store.apply([Put(account_row())])
        with _other(options, *statements), pytest.raises(StoreUnavailable, match=IN_WAY):
            await PostgresStore.schema(hasty).purge()
        assert 1 == len(await store.accounts())
        await PostgresStore.schema(hasty).purge()


@TRANSACTIONS
async def test_a_purge_waits_for_a_quiet_moment(options: PostgresOptions, statements: tuple[str, ...]) -> None:
    ended = trio.Event()

    async def purge() -> None:
        await PostgresStore.schema(options).purge()
        ended.set()

    async with trio.open_nursery() as nursery:
        with _other(options, *statements):
            nursery.start_soon(purge)
            with trio.move_on_after(0.5):
                await ended.wait()
            assert not ended.is_set()
        with trio.fail_after(10):
            await ended.wait()


async def test_a_purge_is_not_done_while_somebody_still_sees_what_was_replaced(
    options: PostgresOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tigercore_postgres.purge, "_PATIENCE", 0.1)
    row = account_row(sealed=_sealed("old", size=128))
    async with PostgresStore.open(options, driver_context()) as store:
        await store.apply([Put(row)])
        with _other(options, *LOOKING_ELSEWHERE):
            await store.apply([Put(at_version(attrs.evolve(row, sealed=b"new"), 1))])
            with pytest.raises(StoreUnavailable, match=IN_WAY):
                await PostgresStore.schema(options).purge()
        await PostgresStore.schema(options).purge()
        assert 0 == _found(options, [row.sealed])


async def test_a_purge_is_given_up_when_its_task_is_cancelled(options: PostgresOptions) -> None:
    with _other(options, *READING), trio.fail_after(3), trio.move_on_after(0.3) as scope:
        await PostgresStore.schema(options).purge()
    assert scope.cancelled_caught


async def test_the_tables_of_others_are_left_alone(options: PostgresOptions) -> None:
    with psycopg.connect(options.dsn, autocommit=True) as other:
        other.execute("CREATE TABLE theirs (id INTEGER)")
        before = other.execute("SELECT pg_relation_filenode('theirs')").fetchone()
        await PostgresStore.schema(options).purge()
        assert before == other.execute("SELECT pg_relation_filenode('theirs')").fetchone()
