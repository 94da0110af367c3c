"""Laws of what only grows: attempts and audit lines."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

import attrs

from tigercore.model import RefreshTrigger, TokenRefreshStatus
from tigercore.ports import AccountStore, AuditLine, Change, Put, Record, TokenAttempt
from tigercore.testing._store_laws import StoreLaws, StoreMaker, read_beside
from tigercore.testing._store_samples import (
    FAR_AWAY,
    NOON,
    account_row,
    attempt,
    audit_entry,
    full_audit_entry,
)

_HOUR = timedelta(hours=1)


class LogLaws(StoreLaws):
    """Laws of attempts and audit lines."""

    async def test_an_attempt_comes_back_as_it_was(self, store: AccountStore) -> None:
        trigger, status = RefreshTrigger.ON_DEMAND, TokenRefreshStatus.LOST
        ended = attempt(account_row().id, trigger=trigger, status=status, ended_at=FAR_AWAY, detail="ü 2400")
        await store.apply([Record(ended)])
        assert [ended] == await store.token_attempts()

    async def test_an_attempt_that_is_recorded_again_is_replaced(self, store: AccountStore) -> None:
        begun = attempt(account_row().id)
        ended = attrs.evolve(begun, status=TokenRefreshStatus.SUCCEEDED, ended_at=NOON + _HOUR, detail="done")
        await store.apply([Record(begun)])
        await store.apply([Record(ended)])
        assert [ended] == await store.token_attempts()

    async def test_attempts_come_newest_first(self, store: AccountStore) -> None:
        id = account_row().id
        first, second, third = (attempt(id, NOON + hours * _HOUR) for hours in range(3))
        await store.apply([Record(second), Record(third), Record(first)])
        assert [third, second, first] == await store.token_attempts()

    async def test_attempts_come_of_one_account(self, store: AccountStore) -> None:
        mine, others = attempt(account_row().id), attempt(account_row().id)
        await store.apply([Record(mine), Record(others)])
        assert [mine] == await store.token_attempts(mine.account_id)

    async def test_attempts_come_since_a_moment_and_with_it(self, store: AccountStore) -> None:
        id = account_row().id
        early, late = attempt(id, NOON - timedelta(microseconds=1)), attempt(id, NOON)
        await store.apply([Record(early), Record(late)])
        assert [late] == await store.token_attempts(since=NOON)

    async def test_attempts_come_up_to_the_limit(self, store: AccountStore) -> None:
        id = account_row().id
        tries = [attempt(id, NOON + hours * _HOUR) for hours in range(4)]
        await store.apply([Record(each) for each in tries])
        assert [tries[3], tries[2]] == await store.token_attempts(limit=2)

    async def test_of_attempts_of_one_moment_the_first_recorded_is_the_older(self, store: AccountStore) -> None:
        first, second, third = _attempts_of_one_moment(3)
        await store.apply([Record(first), Record(second)])
        await store.apply([Record(third)])
        await store.apply([Record(first)])
        assert [third, second, first] == await store.token_attempts()

    async def test_attempts_come_by_pages(self, store: AccountStore) -> None:
        await store.apply([Record(each) for each in _seven_attempts()])
        pages = await _pages(store)
        assert [2, 2, 2, 1] == [len(page) for page in pages]
        assert await store.token_attempts() == [each for page in pages for each in page]

    async def test_pages_of_attempts_are_of_one_account(self, store: AccountStore) -> None:
        mine, others = account_row().id, account_row().id
        tries = [attempt(account_id) for account_id in (mine, others, mine, others, mine)]
        await store.apply([Record(each) for each in tries])
        assert [[tries[4], tries[2]], [tries[0]]] == await _pages(store, mine)

    async def test_pages_of_attempts_end_at_a_moment_and_with_it(self, store: AccountStore) -> None:
        id = account_row().id
        tries = [attempt(id, NOON + hours * _HOUR) for hours in range(5)]
        await store.apply([Record(each) for each in tries])
        assert [[tries[4], tries[3]], [tries[2]]] == await _pages(store, since=tries[2].started_at)

    async def test_before_an_attempt_that_nobody_knows_there_are_none(self, store: AccountStore) -> None:
        known, unknown = _attempts_of_one_moment(2)
        await store.apply([Record(known)])
        assert [] == await store.token_attempts(before=unknown.id)

    async def test_an_audit_entry_comes_back_as_it_was(self, store: AccountStore) -> None:
        entry = full_audit_entry()
        await store.apply([Record(entry)])
        assert [entry] == [line.entry for line in await store.audit()]

    async def test_audit_lines_are_numbered_in_their_order(self, store: AccountStore) -> None:
        for actions in ("ab", "c"):
            await store.apply([Record(audit_entry(action)) for action in actions])
        lines = await store.audit()
        assert ["a", "b", "c"] == [line.entry.action for line in lines]
        assert lines == sorted(lines, key=lambda line: line.number)
        assert 3 == len({line.number for line in lines if line.number > 0})

    async def test_audit_lines_come_by_pages(self, store: AccountStore) -> None:
        await store.apply([Record(audit_entry(action)) for action in "abcde"])
        after = 0
        for expected in ("ab", "cd", "e"):
            page = await store.audit(after=after, limit=2)
            assert list(expected) == [line.entry.action for line in page]
            after = page[-1].number
        assert [] == await store.audit(after=after, limit=2)

    async def test_who_follows_the_audit_log_misses_no_line(self, store: AccountStore, store_maker: StoreMaker) -> None:
        followed: list[AuditLine] = []

        async def follow() -> None:
            followed.extend(await store.audit(after=followed[-1].number if followed else 0))

        async def write(handle: AccountStore, number: int) -> None:
            for _ in range(5):
                row: list[Change] = [Put(account_row())] if number % 2 else []
                await handle.apply([*row, Record(audit_entry())])

        async with store_maker() as other:
            handles = (store, store, other, other)
            await read_beside(follow, [partial(write, handle, number) for number, handle in enumerate(handles)])
        assert await store.audit() == followed


def _attempts_of_one_moment(count: int) -> list[TokenAttempt]:
    id = account_row().id
    return [attempt(id) for _ in range(count)]


def _seven_attempts() -> list[TokenAttempt]:
    """Return attempts that were recorded in another order than they began, three of them at one moment."""
    id = account_row().id
    return [attempt(id, NOON + hours * _HOUR) for hours in (2, 0, 1, 1, 3, 1, 0)]


async def _pages(
    store: AccountStore, account_id: UUID | None = None, *, since: datetime | None = None
) -> list[list[TokenAttempt]]:
    """Read pages of two, of which the last has something on it; one that repeats itself ends in time."""
    pages: list[list[TokenAttempt]] = []
    last: UUID | None = None
    while len(pages) < 9 and (page := await store.token_attempts(account_id, since=since, before=last, limit=2)):
        pages.append(page)
        last = page[-1].id
    return pages
