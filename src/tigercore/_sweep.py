"""One change to every account, a page at a time, beside other writers and other sweeps."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import final
from uuid import UUID

import trio

from tigercore._snapshot import Snapshot
from tigercore.audit import AuditLog
from tigercore.errors import AccountManagerError, StaleVersion
from tigercore.model import AuditSeverity
from tigercore.ports import Put

PAGE = 250  # accounts in one transaction, about 20 ms for which other writers wait
_TRIES = 20  # writes of others that the change of one account may meet

Progress = Callable[[int, int], None]
"""Told how many accounts are done, and of how many."""


def silent(done: int, total: int) -> None:
    """Show nothing."""


@final
class Sweep:
    """Work out changes for every account and write them; what others have written meanwhile is worked out again."""

    def __init__(self, snapshot: Snapshot, audit: AuditLog, rng: random.Random) -> None:
        self._snapshot = snapshot
        self._audit = audit
        self._rng = rng

    async def run(
        self,
        change: Callable[[UUID], Sequence[Put]],
        action: str,
        *,
        rate: float | None = None,
        progress: Progress = silent,
    ) -> None:
        """Write `change` of each account, none where it is empty; at most `rate` accounts in a second.

        :raises AccountManagerError: an account is written by others all the time.
        :raises StoreUnavailable: the store cannot be reached; what is done is done, and it is safe to run again.
        """
        accounts, done = self._anywhere(), 0
        progress(0, len(accounts))
        for at in range(0, len(accounts), PAGE):
            page, began = accounts[at : at + PAGE], trio.current_time()
            await self._page(page, change, action)
            done += len(page)
            progress(done, len(accounts))
            await trio.sleep_until(began + (len(page) / rate if rate else 0))

    def _anywhere(self) -> list[UUID]:
        """Return all accounts from anywhere in the middle on, so that several sweeps seldom meet."""
        accounts = list(self._snapshot.rows)
        start = self._rng.randrange(len(accounts)) if accounts else 0
        return accounts[start:] + accounts[:start]

    async def _page(self, page: Sequence[UUID], change: Callable[[UUID], Sequence[Put]], action: str) -> None:
        for _ in range(_TRIES):
            changes = self._changes(page, change)
            if not changes:
                return
            try:
                await self._audit.commit(
                    changes, action, str(page[0]), severity=AuditSeverity.MEDIUM, rows=str(len(changes))
                )
            except StaleVersion:
                await self._snapshot.load()
            else:
                return
            if len(page) > 1:  # half of it meets half as many others
                middle = len(page) // 2
                await self._page(page[:middle], change, action)
                await self._page(page[middle:], change, action)
                return
        raise AccountManagerError(f"{page[0]} is being changed by others all the time; try again")

    def _changes(self, page: Sequence[UUID], change: Callable[[UUID], Sequence[Put]]) -> list[Put]:
        """Return the changes of a page, rows of one kind beside each other: a store may write those at one go."""
        there = (account_id for account_id in page if account_id in self._snapshot.rows)
        return sorted((each for account_id in there for each in change(account_id)), key=_kind)


def _kind(change: Put) -> str:
    return type(change.row).__name__
