from uuid import UUID

import pytest

from tigercore.ports import Record
from tigercore.testing._store_samples import account_row, attempt
from tigercore.testing.clock import driver_context
from tigercore_sqlite import SqliteOptions, SqliteStore

pytestmark = pytest.mark.sqlite

MANY = 260_000  # a statement of SQLite has 250,000 parameters at most, or fewer: it was built so


async def test_attempts_come_of_more_accounts_than_a_statement_has_parameters(options: SqliteOptions) -> None:
    tried = attempt(account_row().id)
    ids = [*(UUID(int=number) for number in range(MANY)), tried.account_id]
    async with SqliteStore.open(options, driver_context()) as store:
        await store.apply([Record(tried), Record(attempt(account_row().id))])
        assert [tried] == await store.token_attempts(ids)
