"""The audit log: what was done to which account, by whom, and how it ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from tigercore._plugins import Hooks
from tigercore._snapshot import Snapshot
from tigercore.clock import Clock
from tigercore.model import AuditEntry, AuditResult, AuditSeverity
from tigercore.ports import AccountStore, AuditLine, Change, Record


@final
class AuditLog:
    """Write audit lines together with the change that they tell of, and read them back."""

    def __init__(self, store: AccountStore, snapshot: Snapshot, hooks: Hooks, clock: Clock, initiator: str) -> None:
        self._store = store
        self._snapshot = snapshot
        self._hooks = hooks
        self._clock = clock
        self._initiator = initiator

    async def commit(
        self,
        changes: Sequence[Change],
        action: str,
        target: str,
        *,
        result: AuditResult = AuditResult.SUCCESS,
        severity: AuditSeverity = AuditSeverity.LOW,
        **details: str,
    ) -> None:
        """Carry out the changes and record the action, both or neither. Errors as `AccountStore.apply`."""
        entry = AuditEntry(self._clock.now(), self._initiator, action, target, result, severity, details)
        await self._snapshot.commit([*changes, Record(entry)])
        self._hooks.notify("tigercore_audit", entry=entry)

    async def entries(self, *, after: int = 0, limit: int = 1000) -> list[AuditLine]:
        """Return lines with a number above `after`, oldest first.

        :raises StoreUnavailable: the store cannot be reached.
        """
        return await self._store.audit(after=after, limit=limit)
