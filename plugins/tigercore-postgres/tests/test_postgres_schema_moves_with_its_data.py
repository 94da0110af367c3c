import psycopg
import pytest
import trio

from tigercore.errors import StoreUnavailable
from tigercore.model import Authentication
from tigercore.ports import Put, SchemaStatus
from tigercore.testing._store_laws import everything
from tigercore.testing._store_samples import account_row, key_ring, token_row
from tigercore.testing.clock import driver_context
from tigercore_postgres import PostgresOptions, PostgresStore

pytestmark = pytest.mark.postgres

AT_HEAD = SchemaStatus("0004", "0004", (), "0003")
AT_THIRD = SchemaStatus("0003", "0004", ("0004",), "0002")
AT_SECOND = SchemaStatus("0002", "0004", ("0003", "0004"), "0001")
AT_FIRST = SchemaStatus("0001", "0004", ("0002", "0003", "0004"))
EMPTY = SchemaStatus(None, "0004", ("0001", "0002", "0003", "0004"))


def _execute(options: PostgresOptions, statement: str) -> None:
    with psycopg.connect(options.dsn, autocommit=True) as connection:
        connection.execute(statement.encode())


async def test_a_database_that_was_not_migrated_is_an_empty_schema(empty: PostgresOptions) -> None:
    assert EMPTY == await PostgresStore.schema(empty).status()


async def test_a_migrated_schema_is_the_one_of_the_models(options: PostgresOptions) -> None:
    schema = PostgresStore.schema(options)
    assert (AT_HEAD, []) == (await schema.status(), await schema.check())


async def test_rollback_takes_the_last_revision_back_and_migrate_brings_it_again(options: PostgresOptions) -> None:
    schema = PostgresStore.schema(options)
    assert [AT_THIRD, AT_SECOND, AT_FIRST, EMPTY] == [await schema.rollback() for _ in range(4)]
    assert (AT_HEAD, []) == (await schema.migrate(), await schema.check())


async def test_taking_the_last_revision_back_and_migrating_again_keeps_the_data(options: PostgresOptions) -> None:
    row = account_row()
    async with PostgresStore.open(options, driver_context()) as store:
        await store.apply([Put(row), Put(token_row(row)), Put(key_ring())])
        before = await everything(store)
    await PostgresStore.schema(options).rollback()
    await PostgresStore.schema(options).migrate()
    async with PostgresStore.open(options, driver_context()) as store:
        assert before == await everything(store)


async def test_an_account_that_lives_by_consent_is_not_taken_back(options: PostgresOptions) -> None:
    async with PostgresStore.open(options, driver_context()) as store:
        await store.apply([Put(account_row(authentication=Authentication.OAUTH2))])
        before = await everything(store)
    with pytest.raises(StoreUnavailable, match="delete it first"):
        await PostgresStore.schema(options).rollback()
    async with PostgresStore.open(options, driver_context()) as store:
        assert before == await everything(store)


async def test_there_is_nothing_to_take_back_from_an_empty_store(empty: PostgresOptions) -> None:
    with pytest.raises(StoreUnavailable, match="no revision to take back"):
        await PostgresStore.schema(empty).rollback()


async def test_migrations_that_run_at_once_do_not_disturb_each_other(empty: PostgresOptions) -> None:
    schemas = [PostgresStore.schema(empty) for _ in range(4)]
    async with trio.open_nursery() as nursery:
        for schema in schemas:
            nursery.start_soon(schema.migrate)
    assert [AT_HEAD] * 4 == [await schema.status() for schema in schemas]


async def test_a_migration_that_finds_a_table_in_use_leaves_all_as_it_was(options: PostgresOptions) -> None:
    hasty = PostgresStore.schema(PostgresOptions(dsn=options.dsn, lock_timeout=0.1))
    with psycopg.connect(options.dsn) as other:
        other.execute("SELECT count(*) FROM tc_account")
        refused = pytest.raises(StoreUnavailable, match="others were in the way, and nothing was written: try again")
        with trio.fail_after(10), refused:
            await hasty.rollback()
    assert AT_HEAD == await hasty.status()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("DROP INDEX tc_account_account_number", "missing index tc_account_account_number"),
        ("ALTER TABLE tc_account ADD COLUMN colour TEXT", "not ours: column tc_account.colour"),
        ("CREATE TABLE tc_other (id INTEGER)", "not ours: table tc_other"),
        ("ALTER TABLE tc_meta DROP CONSTRAINT tc_meta_slot_one", "missing check tc_meta.tc_meta_slot_one"),
        ("DELETE FROM tc_meta", "missing row of tc_meta, which counts revisions"),
        ("ALTER TABLE tc_account ALTER developer DROP NOT NULL", "differs: nullable tc_account.developer"),
        ("ALTER TABLE tc_account ALTER sealed TYPE TEXT USING ''", "differs: type tc_account.sealed"),
        ("ALTER TABLE tc_token DROP CONSTRAINT tc_token_account", "missing fk tc_token_account"),
        (
            "DROP INDEX tc_account_one_default_data; CREATE UNIQUE INDEX tc_account_one_default_data "
            "ON tc_account (is_default_data) WHERE error_count < 0",
            "differs: condition of index tc_account_one_default_data",
        ),
        (
            "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; "
            "CREATE TRIGGER x BEFORE INSERT ON tc_audit FOR EACH ROW EXECUTE FUNCTION f()",
            "not ours: trigger tc_audit.x",
        ),
        (
            "ALTER TABLE tc_meta DROP CONSTRAINT tc_meta_slot_one; "
            "ALTER TABLE tc_meta ADD CONSTRAINT tc_meta_slot_one CHECK (slot > 0)",
            "differs: check tc_meta.tc_meta_slot_one",
        ),
    ],
)
async def test_check_names_what_differs(options: PostgresOptions, change: str, expected: str) -> None:
    _execute(options, change)
    assert [expected] == await PostgresStore.schema(options).check()


async def test_check_leaves_the_tables_of_others_alone(options: PostgresOptions) -> None:
    _execute(options, "CREATE TABLE theirs (id INTEGER)")
    assert [] == await PostgresStore.schema(options).check()


async def test_moving_the_schema_prints_nothing(empty: PostgresOptions, capfd: pytest.CaptureFixture[str]) -> None:
    schema = PostgresStore.schema(empty)
    await schema.migrate()
    await schema.check()
    await schema.purge()
    await schema.rollback()
    assert ("", "") == capfd.readouterr()
