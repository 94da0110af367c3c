"""Laws of what only grows: attempts and audit lines; and of claims."""

from __future__ import annotations

from datetime import timedelta

import attrs
import trio

from tigercore.model import RefreshTrigger, TokenRefreshStatus, TokenState
from tigercore.ports import AccountStore, Put, Record, TokenRow
from tigercore.testing._store_laws import StoreLaws, StoreMaker
from tigercore.testing._store_samples import (
    FAR_AWAY,
    LONG_AGO,
    NOON,
    account_row,
    attempt,
    audit_entry,
    full_audit_entry,
    token_row,
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


class ClaimLaws(StoreLaws):
    """Laws of `claim_due_tokens`."""

    async def test_a_claim_takes_what_is_due_and_no_more(self, store: AccountStore) -> None:
        due = await _put_token(store, next_at=LONG_AGO)
        await _put_token(store, next_at=FAR_AWAY)
        await _put_token(store, next_at=None)
        assert [due.id] == [row.id for row in await store.claim_due_tokens("me", 60, 10)]

    async def test_a_claim_takes_valid_tokens_only(self, store: AccountStore) -> None:
        for state in TokenState:
            await _put_token(store, next_at=LONG_AGO, state=state)
        valid = [row.id for row in await store.token_rows() if row.state is TokenState.VALID]
        assert valid == [row.id for row in await store.claim_due_tokens("me", 60, 10)]

    async def test_a_claim_takes_the_soonest_expiry_first(self, store: AccountStore) -> None:
        never = await _put_token(store, next_at=LONG_AGO)
        late = await _put_token(store, next_at=LONG_AGO, expires_at=NOON + _HOUR)
        soon = await _put_token(store, next_at=LONG_AGO, expires_at=NOON)
        claims = [await store.claim_due_tokens("me", 60, 2), await store.claim_due_tokens("me", 60, 2)]
        assert [[soon.id, late.id], [never.id]] == [[row.id for row in claim] for claim in claims]

    async def test_a_claim_takes_up_to_the_limit(self, store: AccountStore) -> None:
        for _ in range(3):
            await _put_token(store, next_at=LONG_AGO)
        assert 2 == len(await store.claim_due_tokens("me", 60, 2))

    async def test_a_claim_marks_the_token_and_counts_its_version(self, store: AccountStore) -> None:
        await _put_token(store, next_at=LONG_AGO, sealed=b"s", sealing=2, failures=3, expires_at=NOON)
        before = (await store.token_rows())[0]
        claimed = (await store.claim_due_tokens("me", 60, 1))[0]
        marked = attrs.evolve(before, state=TokenState.REFRESHING, owner="me", version=before.version + 1)
        assert marked == attrs.evolve(claimed, lease_until=None)

    async def test_a_claim_is_what_stands(self, store: AccountStore) -> None:
        await _put_token(store, next_at=LONG_AGO)
        assert await store.claim_due_tokens("me", 60, 1) == await store.token_rows()

    async def test_a_claim_leaves_the_revision_as_it_is(self, store: AccountStore) -> None:
        await _put_token(store, next_at=LONG_AGO)
        before = await store.wait_for_change(-1)
        await store.claim_due_tokens("me", 60, 1)
        assert before == await store.wait_for_change(-1)

    async def test_a_lease_lasts_as_long_as_was_asked(self, store: AccountStore) -> None:
        ends = []
        for lease in (60.0, 7260.5):
            await _put_token(store, next_at=LONG_AGO)
            ends += [row.lease_until for row in await store.claim_due_tokens("me", lease, 1)]
        short, long = (end for end in ends if end is not None)
        assert abs((long - short).total_seconds() - 7200.5) < 30  # both began within half a minute

    async def test_no_token_is_claimed_twice(self, store: AccountStore, store_maker: StoreMaker) -> None:
        for _ in range(12):
            await _put_token(store, next_at=LONG_AGO)
        claimed: list[TokenRow] = []

        async def claim(handle: AccountStore, owner: str) -> None:
            while len(claimed) <= 12 and (rows := await handle.claim_due_tokens(owner, 60, 2)):
                claimed.extend(rows)

        async with store_maker() as other, trio.open_nursery() as nursery:
            for number, handle in enumerate([store, other] * 3):
                nursery.start_soon(claim, handle, f"worker {number}")
        assert 12 == len(claimed) == len({row.id for row in claimed})


async def _put_token(store: AccountStore, **fields: object) -> TokenRow:
    account = account_row()
    row = token_row(account, **fields)
    await store.apply([Put(account), Put(row)])
    return row
