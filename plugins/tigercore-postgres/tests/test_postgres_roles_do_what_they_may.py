"""The README's roles: its SQL is what is run here."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import attrs
import psycopg
import pytest
import trio
from sqlalchemy import text

from tests.servers.postgres import PostgresServer
from tigercore.errors import StoreUnavailable
from tigercore.ports import Put, Record
from tigercore.testing._store_claim_laws import ClaimLaws
from tigercore.testing._store_delta_laws import RemovedLaws
from tigercore.testing._store_record_laws import RecordLaws
from tigercore.testing._store_ring_laws import RingLaws
from tigercore.testing._store_row_laws import RowLaws
from tigercore.testing._store_samples import account_row, audit_entry
from tigercore.testing.clock import driver_context
from tigercore.testing.store import StoreMaker
from tigercore_postgres import PostgresOptions, PostgresStore
from tigercore_postgres.engine import store_runner

pytestmark = pytest.mark.postgres

README = Path(__file__).parents[1] / "README.md"


@attrs.frozen
class Roles:
    """The names of the owner, the application, and a database that the one has made for the other."""

    server: PostgresServer
    database: str
    owner: str
    app: str

    def sql(self, number: int) -> list[str]:
        """Return the statements of a block of the README, for these names."""
        block = re.findall(r"```sql\n(.*?)```", README.read_text(), re.DOTALL)[number]
        renamed = block.replace("tigercore_owner", self.owner).replace("tigercore_app", self.app)
        return [line.replace("DATABASE tigercore ", f"DATABASE {self.database} ") for line in renamed.splitlines()]

    def options(self, role: str, database: str) -> PostgresOptions:
        return PostgresOptions(dsn=self.server.url(database, role))

    def execute(self, role: str, database: str, statement: str) -> None:
        with psycopg.connect(self.server.url(database, role), autocommit=True) as connection:
            connection.execute(statement.encode())


@pytest.fixture(scope="module")
def roles(server: PostgresServer) -> Iterator[Roles]:
    names = [f"tc_{kind}_{uuid4().hex}" for kind in ("roles", "owner", "app")]
    made = Roles(server, *names)
    for statement in made.sql(0):
        server.run(statement)
    trio.run(PostgresStore.schema(made.options(made.owner, made.database)).migrate)
    made.execute(made.owner, made.database, "".join(made.sql(1)))
    yield made
    server.drop_database(made.database)
    server.run(f"DROP ROLE {made.owner}, {made.app}")


@pytest.fixture
def granted(roles: Roles) -> Iterator[str]:
    """Return the name of a new database of theirs."""
    name = f"tc_test_{uuid4().hex}"
    roles.server.create_database(name, roles.database)
    yield name
    roles.server.drop_database(name)


@pytest.fixture
def app(roles: Roles, granted: str) -> PostgresOptions:
    return roles.options(roles.app, granted)


class TestTheApplicationSRoleKeepsTheLaws(RowLaws, RingLaws, RecordLaws, ClaimLaws, RemovedLaws):
    @pytest.fixture
    def store_maker(self, app: PostgresOptions) -> StoreMaker:
        return lambda: PostgresStore.open(app, driver_context())

    @pytest.fixture
    def break_backend(self) -> Callable[[], None]:
        raise NotImplementedError


@pytest.mark.parametrize("change", ["UPDATE tc_audit SET action = 'x'", "DELETE FROM tc_audit", "TRUNCATE tc_audit"])
async def test_the_application_s_role_changes_no_line_of_the_log(app: PostgresOptions, change: str) -> None:
    async with PostgresStore.open(app, driver_context()) as store, store_runner(app) as runner:
        await store.apply([Put(account_row()), Record(audit_entry())])
        with pytest.raises(StoreUnavailable, match="42501; the role may not do this: grant it what the README"):
            await runner.write(lambda connection: connection.execute(text(change)))
        assert 1 == len(await store.audit())


@pytest.mark.parametrize(
    "change",
    ["UPDATE tc_schema SET version_num = '0001'", "DROP TABLE tc_audit", "CREATE TABLE tc_mine (id int)"],
)
async def test_the_application_s_role_does_not_touch_the_schema(app: PostgresOptions, change: str) -> None:
    async with store_runner(app) as runner:
        with pytest.raises(StoreUnavailable, match="42501"):
            await runner.write(lambda connection: connection.execute(text(change)))
    assert [] == await PostgresStore.schema(app).check()


async def test_the_application_s_role_cannot_purge(app: PostgresOptions) -> None:
    with pytest.raises(StoreUnavailable, match="purge as the role that has migrated them"):
        await PostgresStore.schema(app).purge()


async def test_the_owner_of_the_database_purges_the_samples_too(roles: Roles) -> None:
    assert 4 == len(await PostgresStore.schema(roles.options(roles.owner, roles.database)).purge())


async def test_the_owner_of_the_tables_alone_is_told_of_the_samples(roles: Roles, granted: str) -> None:
    told = await PostgresStore.schema(roles.options(roles.owner, granted)).purge()
    assert "let the owner of the database run VACUUM FULL pg_statistic." in told[-1]


async def test_the_application_s_role_cannot_migrate(roles: Roles, granted: str) -> None:
    await PostgresStore.schema(roles.options(roles.owner, granted)).rollback()
    with pytest.raises(StoreUnavailable, match="42501"):
        await PostgresStore.schema(roles.options(roles.app, granted)).migrate()
