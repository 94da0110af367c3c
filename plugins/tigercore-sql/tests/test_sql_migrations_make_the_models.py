from collections.abc import Iterator

import pytest
from sqlalchemy import CheckConstraint, Connection, MetaData, create_engine, text

from tigercore_sql.schema import _compared, _missing_checks, upgrade
from tigercore_sql.sqlite_master import Master, master_differences, read_master
from tigercore_sql.tables import METADATA, VERSION_TABLE


@pytest.fixture
def migrated() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        upgrade(connection)
        yield connection
    engine.dispose()


def _made_by(models: MetaData) -> Master:
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        models.create_all(connection)
        made = read_master(connection)
    engine.dispose()
    return made


def _ours(connection: Connection) -> Master:
    return {key: sql for key, sql in read_master(connection).items() if key[1] != VERSION_TABLE}


def test_the_migrations_make_what_the_models_say(migrated: Connection) -> None:
    assert [] == [*master_differences(_ours(migrated), _made_by(METADATA))]


def test_a_word_that_no_migration_adds_is_found(migrated: Connection) -> None:
    models = MetaData()
    for table in METADATA.sorted_tables:
        table.to_metadata(models)
    status = next(each for each in models.tables["tc_account"].constraints if each.name == "tc_account_status_known")
    assert isinstance(status, CheckConstraint)
    status.sqltext = text("status IN ('ACTIVE', 'NEW')")
    found = [*master_differences(_ours(migrated), _made_by(models))]
    assert "tc_account lacks: CONSTRAINT tc_account_status_known CHECK (status IN ('ACTIVE', 'NEW'))" == found[0]


def test_other_engines_are_compared_by_alembic(migrated: Connection) -> None:
    migrated.exec_driver_sql("ALTER TABLE tc_token DROP COLUMN owner")
    migrated.exec_driver_sql("CREATE TABLE tc_other (id INTEGER)")
    assert ["missing column tc_token.owner", "not ours: table tc_other"] == sorted(_compared(migrated))


def test_on_other_engines_checks_are_compared_by_name(migrated: Connection) -> None:
    migrated.exec_driver_sql("DROP TABLE tc_meta")
    migrated.exec_driver_sql("CREATE TABLE tc_meta (slot INTEGER PRIMARY KEY NOT NULL, revision BIGINT NOT NULL)")
    assert ["missing check tc_meta.tc_meta_slot_one"] == [*_missing_checks(migrated)]
