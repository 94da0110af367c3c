"""Alarms for tokens that come near their end, because nobody could refresh them: after it only a person can help."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import final
from uuid import UUID

from tigercore import _refresh as rules
from tigercore._agenda import Agenda
from tigercore._duetimes import DueTimes
from tigercore._gatewayclock import GatewayClock
from tigercore._plugins import Hooks
from tigercore._snapshot import Snapshot
from tigercore.model import Authentication, TokenState
from tigercore.ports import TokenRow

_log = logging.getLogger("tigercore.tokens")
_LEVELS = (timedelta(days=7), timedelta(days=3), timedelta(days=1), timedelta(hours=6))
_WATCHED = (TokenState.VALID, TokenState.REFRESHING, TokenState.UNCERTAIN)


@final
class Alarms:
    """Tell the hooks and the log, once for each level and token in a process."""

    def __init__(self, snapshot: Snapshot, gateway: GatewayClock, due: DueTimes, hooks: Hooks) -> None:
        self._snapshot = snapshot
        self._gateway = gateway
        self._due = due
        self._hooks = hooks
        self._agenda = Agenda()

    def set(self, row: TokenRow) -> None:
        """Watch a row as it stands now."""
        self._agenda.put(row.id, self._next(row) if self._is_watched(row) else None)

    def forget(self, account_id: UUID) -> None:
        """Watch an account no more."""
        self._agenda.take(account_id)

    def first(self) -> float | None:
        """Return when the next level is reached, in seconds of the store's time."""
        first = self._agenda.first()
        return first and first[1]

    def ring(self) -> None:
        """Sound what is due, and wait for the next level of each."""
        now = self._snapshot.now().timestamp()
        while (first := self._agenda.first()) is not None and first[1] <= now:
            row = self._snapshot.tokens.get(first[0])
            self._agenda.take(first[0])
            if row is not None:
                self._tell(row)
                self.set(row)

    def _tell(self, row: TokenRow) -> None:
        late = row.next_at is not None and row.next_at <= self._snapshot.now()
        if row.expires_at is None or not (late or row.failures or row.state is not TokenState.VALID):
            return
        account = self._snapshot.row(row.id).account
        seconds = (row.expires_at - self._gateway.now()).total_seconds()
        _log.warning(
            "the token of %s ends in %.1f hours, and no refresh succeeds", account.account_name, seconds / 3600
        )
        self._hooks.notify("tigercore_token_expiring", account=account, expires_at=row.expires_at, seconds=seconds)

    def _is_watched(self, row: TokenRow) -> bool:
        """Say whether this row leads its family, and holds a token that dies at its end."""
        account = self._snapshot.row(row.id).account
        if row.state not in _WATCHED or account.authentication is Authentication.OAUTH2:
            return False
        if row.state is TokenState.VALID:
            return row.next_at is not None  # which the leader alone has
        return rules.leader(self._snapshot.token_family(account)) == row.id

    def _next(self, row: TokenRow) -> datetime | None:
        """Return when the next level is reached."""
        if row.expires_at is None:
            return None
        now = self._gateway.now()
        coming = (row.expires_at - level for level in _LEVELS if row.expires_at - level > now)
        moment = min(coming, default=None)
        return moment and self._due.in_store_time(moment)
