from uuid import UUID

import pytest

from tigercore.ports import Record
from tigercore.testing._store_samples import account_row, attempt
from tigercore.testing.clock import driver_context
from tigercore_postgres import PostgresOptions, PostgresStore

pytestmark = pytest.mark.postgres

MANY = 70_000  # a statement of PostgreSQL has 65,535 parameters at most


async def test_attempts_come_of_more_accounts_than_a_statement_has_parameters(options: PostgresOptions) -> None:
    tried = attempt(account_row().id)
    ids = [*(UUID(int=number) for number in range(MANY)), tried.account_id]
    async with PostgresStore.open(options, driver_context()) as store:
        await store.apply([Record(tried), Record(attempt(account_row().id))])
        assert [tried] == await store.token_attempts(ids)


async def test_statistics_are_of_more_accounts_than_a_statement_has_parameters(options: PostgresOptions) -> None:
    tried = attempt(account_row().id)
    ids = [*(UUID(int=number) for number in range(MANY)), tried.account_id]
    async with PostgresStore.open(options, driver_context()) as store:
        await store.apply([Record(tried), Record(attempt(account_row().id))])
        assert 1 == (await store.attempt_statistics(ids)).attempts
