"""Laws of what only grows: attempts and audit lines."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from functools import partial
from typing import Any
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
    thousands_of_ids,
)

_HOUR = timedelta(hours=1)
_STARTED, _LOST = TokenRefreshStatus.STARTED, TokenRefreshStatus.LOST


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
        assert [mine] == await store.token_attempts({mine.account_id})

    async def test_attempts_come_of_several_accounts_in_one_order(self, store: AccountStore) -> None:
        mine, yours, others = (account_row().id for _ in range(3))
        tries = [attempt(id, NOON + hours * _HOUR) for hours, id in enumerate((mine, others, yours, mine, others))]
        await store.apply([Record(each) for each in tries])
        assert [[tries[3], tries[2]], [tries[0]]] == await _pages(store, [yours, mine])

    async def test_attempts_of_no_account_are_none(self, store: AccountStore) -> None:
        await store.apply([Record(attempt(account_row().id))])
        assert [] == await store.token_attempts([])

    async def test_attempts_come_of_thousands_of_accounts_of_which_most_are_unknown(self, store: AccountStore) -> None:
        mine, others = attempt(account_row().id), attempt(account_row().id)
        await store.apply([Record(mine), Record(others)])
        assert [mine] == await store.token_attempts(thousands_of_ids(mine.account_id))

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
        assert [[tries[4], tries[2]], [tries[0]]] == await _pages(store, {mine})

    async def test_pages_of_attempts_end_at_a_moment_and_with_it(self, store: AccountStore) -> None:
        id = account_row().id
        tries = [attempt(id, NOON + hours * _HOUR) for hours in range(5)]
        await store.apply([Record(each) for each in tries])
        assert [[tries[4], tries[3]], [tries[2]]] == await _pages(store, since=tries[2].started_at)

    async def test_before_an_attempt_that_nobody_knows_there_are_none(self, store: AccountStore) -> None:
        known, unknown = _attempts_of_one_moment(2)
        await store.apply([Record(known)])
        assert [] == await store.token_attempts(before=unknown.id)

    async def test_attempts_come_of_one_status(self, store: AccountStore) -> None:
        tries = {status: attempt(account_row().id, status=status) for status in TokenRefreshStatus}
        await store.apply([Record(each) for each in tries.values()])
        assert [[each] for each in tries.values()] == [await store.token_attempts(status=each) for each in tries]

    async def test_an_attempt_that_is_recorded_again_is_of_its_new_status(self, store: AccountStore) -> None:
        begun = attempt(account_row().id, status=_STARTED)
        ended = attrs.evolve(begun, status=_LOST)
        await store.apply([Record(begun)])
        await store.apply([Record(ended)])
        assert [[], [ended]] == [await store.token_attempts(status=each) for each in (_STARTED, _LOST)]

    async def test_attempts_of_one_status_come_of_one_account_and_since_a_moment(self, store: AccountStore) -> None:
        mine, others = account_row().id, account_row().id
        wanted = attempt(mine, NOON, status=_LOST)
        early, another = attempt(mine, NOON - _HOUR, status=_LOST), attempt(mine, NOON, status=_STARTED)
        theirs = attempt(others, NOON, status=_LOST)
        await store.apply([Record(each) for each in (early, wanted, another, theirs)])
        assert [wanted] == await store.token_attempts({mine}, since=NOON, status=_LOST)

    async def test_the_limit_counts_attempts_of_the_status_that_was_asked(self, store: AccountStore) -> None:
        first, _, third, _ = tries = _attempts_of_two_statuses()
        await store.apply([Record(each) for each in tries])
        assert [third, first] == await store.token_attempts(status=_LOST, limit=2)

    async def test_pages_of_attempts_are_of_one_status(self, store: AccountStore) -> None:
        tries = [*_attempts_of_two_statuses(), *_attempts_of_two_statuses()]
        await store.apply([Record(each) for each in tries])
        lost = [each for each in await store.token_attempts() if each.status is _LOST]
        assert [lost[:2], lost[2:]] == await _pages(store, status=_LOST)

    async def test_a_page_of_one_status_may_stand_behind_an_attempt_of_another(self, store: AccountStore) -> None:
        first, second, third, fourth = tries = _attempts_of_two_statuses()
        await store.apply([Record(each) for each in tries])
        pages = [await store.token_attempts(status=_LOST, before=each.id) for each in (fourth, second)]
        assert [[third, first], [first]] == pages

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


def _attempts_of_two_statuses() -> list[TokenAttempt]:
    """Return four attempts, oldest first: LOST, STARTED, LOST, STARTED."""
    id = account_row().id
    return [attempt(id, NOON + hours * _HOUR, status=(_LOST, _STARTED)[hours % 2]) for hours in range(4)]


def _seven_attempts() -> list[TokenAttempt]:
    """Return attempts that were recorded in another order than they began, three of them at one moment."""
    id = account_row().id
    return [attempt(id, NOON + hours * _HOUR) for hours in (2, 0, 1, 1, 3, 1, 0)]


async def _pages(store: AccountStore, ids: Collection[UUID] | None = None, **asked: Any) -> list[list[TokenAttempt]]:
    """Read pages of two, of which the last has something on it; one that repeats itself ends in time."""
    pages: list[list[TokenAttempt]] = []
    last: UUID | None = None
    while len(pages) < 9 and (page := await store.token_attempts(ids, **asked, before=last, limit=2)):
        pages.append(page)
        last = page[-1].id
    return pages
