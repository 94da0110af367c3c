import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import LargeBinary
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from tigercore_sql.floor import _FLOOR
from tigercore_sql.revision import REVISIONS
from tigercore_sql.rows import microseconds, moment
from tigercore_sql.tables import ACCOUNT, AUDIT, METADATA, TOKEN

SEALED = {"tc_account.sealed", "tc_token.sealed"}
"""What a rotation seals anew."""

RING = {"tc_key_ring.hash_key", "tc_key_ring.mac", "tc_kek.check_value", "tc_kek_slot.blob"}
"""What the ring is made of, which the cipher writes anew with every ring."""

HASHES = {"tc_intent.request_hash", "tc_api_key.hash", "tc_api_key.former_hash"}
"""What tells that something is the same, and not what it is."""

POSTGRES = postgresql.dialect()  # type: ignore[no-untyped-call]


def test_the_revisions_that_are_known_are_the_migrations_in_their_order() -> None:
    config = Config()
    config.set_main_option("script_location", "tigercore_sql:migrations")
    config.set_main_option("path_separator", "os")
    scripts = ScriptDirectory.from_config(config).walk_revisions()
    assert list(REVISIONS) == [script.revision for script in scripts][::-1]


def test_every_table_carries_our_prefix() -> None:
    assert [] == [name for name in METADATA.tables if not name.startswith("tc_")]


def test_every_column_of_bytes_is_marked_as_sealed_or_part_of_the_ring() -> None:
    columns = [column for table in METADATA.sorted_tables for column in table.columns]
    binary = {str(column) for column in columns if isinstance(column.type, LargeBinary)}
    sealed = {str(column) for column in columns if column.info.get("sealed")}
    assert (SEALED, RING | HASHES) == (sealed, binary - sealed)


def test_every_row_with_something_sealed_names_its_key() -> None:
    tables = [table for table in METADATA.sorted_tables if any(each.info.get("sealed") for each in table.columns)]
    assert [True, True] == ["kek" in table.columns for table in tables]


def test_on_postgres_the_floor_is_read_with_a_lock_that_writers_share() -> None:
    assert str(_FLOOR.compile(dialect=POSTGRES)).endswith("FOR SHARE")


def test_numbers_on_postgres_are_given_by_a_sequence() -> None:
    assert "number BIGSERIAL NOT NULL" in str(CreateTable(AUDIT).compile(dialect=POSTGRES))


def test_ids_and_sealed_bytes_on_postgres_are_its_own_types() -> None:
    ddl = str(CreateTable(TOKEN).compile(dialect=POSTGRES))
    assert (True, True) == ("id UUID NOT NULL" in ddl, "sealed BYTEA" in ddl)


@pytest.mark.parametrize("kind", ["trading", "data"])
def test_one_default_is_a_partial_index_on_postgres(kind: str) -> None:
    index = next(each for each in ACCOUNT.indexes if each.name == f"tc_account_one_default_{kind}")
    expected = f"CREATE UNIQUE INDEX {index.name} ON tc_account (is_default_{kind}) WHERE is_default_{kind}"
    assert expected == str(CreateIndex(index).compile(dialect=POSTGRES))


@given(st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=8)), timezone(timedelta(hours=-5))])))
def test_a_moment_comes_back_to_the_microsecond(when: datetime) -> None:
    if 1 < when.year < 9999:  # an offset may carry the others out of what a datetime holds
        assert when == moment(microseconds(when))


def test_a_naive_moment_is_refused() -> None:
    with pytest.raises(TypeError):
        microseconds(datetime(2026, 1, 1))


def test_the_store_does_not_import_alembic() -> None:
    check = "import sys, tigercore_sql; sys.exit('alembic' in sys.modules)"
    assert 0 == subprocess.run([sys.executable, "-c", check], check=False).returncode
