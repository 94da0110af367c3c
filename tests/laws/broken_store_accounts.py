"""Account stores that mix up whose attempts are wanted. Each breaks the laws that it names, and keeps all others."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, TypeAlias
from uuid import UUID

from tests.laws._store_base import Broken, Right, laws
from tigercore.ports import AttemptStatistics, TokenAttempt

Ids: TypeAlias = Collection[UUID] | None

_NONE = "test_attempts_of_no_account_are_none test_statistics_of_no_account_are_of_nothing "
_ORDER = "test_attempts_come_of_several_accounts_in_one_order "
_SEVERAL = _ORDER + "test_statistics_are_of_several_accounts "
_THOUSANDS = (
    "test_attempts_come_of_thousands_of_accounts_of_which_most_are_unknown "
    "test_statistics_are_of_thousands_of_accounts_of_which_most_are_unknown "
)


class Mixing(Right):
    """Ask the memory store for the attempts of other accounts."""

    async def token_attempts(self, ids: Ids = None, **asked: Any) -> list[TokenAttempt]:
        return await self.inner.token_attempts(self.mixed(ids), **asked)

    async def attempt_statistics(self, ids: Ids = None, **asked: Any) -> AttemptStatistics:
        return await self.inner.attempt_statistics(self.mixed(ids), **asked)

    def mixed(self, ids: Ids) -> Ids:
        raise NotImplementedError


class TestTakesTheFirstAccountAlone(Broken):
    breaks = laws(_SEVERAL + _THOUSANDS)

    class Driver(Mixing):
        def mixed(self, ids: Ids) -> Ids:
            return ids and list(ids)[:1]


class TestTakesOnePageOfAccounts(Broken):
    breaks = laws(_THOUSANDS)

    class Driver(Mixing):
        def mixed(self, ids: Ids) -> Ids:
            return ids and list(ids)[:500]


class TestTakesAllForNone(Broken):
    breaks = laws(_NONE)

    class Driver(Mixing):
        def mixed(self, ids: Ids) -> Ids:
            return ids or None


class TestTakesOneAccountAfterTheOther(Broken):
    breaks = laws(_ORDER)

    class Driver(Right):
        async def token_attempts(self, ids: Ids = None, *, limit: int = 1000, **asked: Any) -> list[TokenAttempt]:
            if not ids:
                return await self.inner.token_attempts(ids, limit=limit, **asked)
            of_each = [await self.inner.token_attempts([id], limit=limit, **asked) for id in ids]
            return [each for attempts in of_each for each in attempts][:limit]


class TestLimitsTheAttemptsOfEachAccount(Broken):
    breaks = laws(_ORDER)

    class Driver(Right):
        async def token_attempts(self, ids: Ids = None, *, limit: int = 1000, **asked: Any) -> list[TokenAttempt]:
            if not ids:
                return await self.inner.token_attempts(ids, limit=limit, **asked)
            found = [each for id in ids for each in await self.inner.token_attempts([id], limit=limit, **asked)]
            return sorted(found, key=lambda each: each.started_at, reverse=True)
