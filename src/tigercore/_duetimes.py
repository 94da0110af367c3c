"""When tokens fall due, in the store's time, which is what leases and claims are measured by."""

from __future__ import annotations

from datetime import datetime
from typing import final
from uuid import UUID

from tigercore import _refresh as rules
from tigercore._gatewayclock import GatewayClock
from tigercore._quiet import after_quiet
from tigercore._snapshot import Snapshot
from tigercore.model import License, Token
from tigercore.ports import TokenRow


@final
class DueTimes:
    """Work out when a token is to be refreshed: at a share of its life, apart from the markets' busiest minutes."""

    def __init__(self, snapshot: Snapshot, gateway: GatewayClock, refresh_at: float) -> None:
        self._snapshot = snapshot
        self._gateway = gateway
        self._refresh_at = refresh_at

    def of(self, account_id: UUID, token: Token, license: License | None) -> datetime | None:
        """Return when a token of this account falls due, None if it has no end."""
        due = rules.due_at(account_id, token, self._gateway.now(), self._refresh_at)
        if due is None or token.expires_at is None:
            return None
        quiet = after_quiet(license, due)
        return self.in_store_time(quiet if quiet <= token.expires_at - rules.AHEAD else due)

    def after_quiet(self, row: TokenRow, license: License | None) -> datetime | None:
        """Return the end of the quiet time that is now, in the store's time; None if nothing has to wait for it."""
        now = self._gateway.now()
        if rules.is_last_call(row, now):
            return None
        end = after_quiet(license, now)
        return None if end == now or rules.is_last_call(row, end) else self.in_store_time(end)

    def in_store_time(self, moment: datetime) -> datetime:
        """Return a moment of the gateway's time as the store's clock will show it."""
        return self._snapshot.now() + (moment - self._gateway.now())
