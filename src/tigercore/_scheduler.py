"""The scheduler: it sleeps until the first token falls due, and looks at no other."""

from __future__ import annotations

import logging
import random
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import final
from uuid import UUID

import attrs
import trio

from tigercore import _refresh as rules
from tigercore._agenda import Agenda
from tigercore._alarms import Alarms
from tigercore._background import supervise
from tigercore._duetimes import DueTimes
from tigercore._exchange import Claim, TokenExchange
from tigercore._flights import Flights
from tigercore._gatewayclock import GatewayClock
from tigercore._keeper import TokenKeeper
from tigercore._outage import Outage
from tigercore._refresher import Refresher
from tigercore._snapshot import Snapshot
from tigercore._vault import Vault
from tigercore.errors import AccountNotFoundError, JournalUnusable, PortError, TokenManagerError
from tigercore.model import RefreshTrigger, SchedulerStatus, TigerAccount, TokenState
from tigercore.ports import AccountStore, TokenRow
from tigercore.settings import TokenSettings

_log = logging.getLogger("tigercore.tokens")
_LOOK_AGAIN = 60.0  # seconds after which the scheduler looks again, should nothing have woken it
_STUCK = 120.0  # seconds without a sign of life, beyond a lease, after which it is started anew
_SOON = timedelta(seconds=1)  # before something that could not be done now is tried again


@final
class Scheduler:
    """Refresh tokens as they fall due, a few at a time, and look into those that were left in doubt."""

    def __init__(
        self,
        store: AccountStore,
        snapshot: Snapshot,
        vault: Vault,
        keeper: TokenKeeper,
        exchange: TokenExchange,
        refresher: Refresher,
        flights: Flights,
        outage: Outage,
        gateway: GatewayClock,
        due: DueTimes,
        alarms: Alarms,
        rng: random.Random,
        settings: TokenSettings,
    ) -> None:
        self._store = store
        self._snapshot = snapshot
        self._vault = vault
        self._keeper = keeper
        self._exchange = exchange
        self._refresher = refresher
        self._flights = flights
        self._outage = outage
        self._gateway = gateway
        self._due = due
        self._alarms = alarms
        self._rng = rng
        self._settings = settings
        self._agenda = Agenda()
        self._busy: set[UUID] = set()
        self._wake = trio.Event()
        self._beat: float | None = None
        self._restarts = 0

    def status(self) -> SchedulerStatus:
        """Return whether it lives, and how late the first of its work is."""
        first, now = self._agenda.first(), self._snapshot.now().timestamp()
        late = max(now - first[1], 0.0) if first else 0.0
        return SchedulerStatus(self._beat is not None, late, len(self._agenda), self._restarts, self._outage.is_on)

    async def run(self) -> None:
        """Work for ever; a loop that is stuck is cancelled and begins anew."""
        try:
            while True:
                with trio.CancelScope() as scope:
                    async with trio.open_nursery() as nursery:
                        nursery.start_soon(self._watch, scope)
                        await supervise(self._serve, self._rng, (PortError, JournalUnusable))
                self._restarts += 1
        finally:
            self._beat = None

    async def _watch(self, scope: trio.CancelScope) -> None:
        self._beat = trio.current_time()
        while (left := self._beat + self._settings.lease + _STUCK - trio.current_time()) > 0:  # noqa: ASYNC110  (of a loop that is stuck no event comes)
            await trio.sleep(left)
        _log.error("the refresh scheduler shows no sign of life: it is started anew")
        scope.cancel()

    async def _serve(self) -> None:
        self._busy.clear()
        await self._keeper.adopt()
        await self._refresher.end_lost_attempts()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._listen)
            while True:
                self._beat, self._wake = trio.current_time(), trio.Event()
                self._note_changes()
                self._alarms.ring()
                if not self._vault.is_frozen:  # else nobody could sign, whatever it is that is due
                    await self._begin_what_is_due(nursery)
                with trio.move_on_after(self._pause()):
                    await self._wake.wait()

    async def _listen(self) -> None:
        while True:
            await self._snapshot.changed()
            self._wake.set()

    def _note_changes(self) -> None:
        for account_id in self._snapshot.touched_tokens():
            row = self._snapshot.tokens.get(account_id)
            if row is None:
                self._agenda.take(account_id)
                self._alarms.forget(account_id)
            else:
                self._alarms.set(row)
                if account_id not in self._busy:
                    self._agenda.put(account_id, rules.look_at(row))

    async def _begin_what_is_due(self, nursery: trio.Nursery) -> None:
        while self._free() > 0 and not self._outage.wait():
            first = self._agenda.first()
            if first is None or first[1] > self._snapshot.now().timestamp():
                return
            row = self._snapshot.tokens.get(first[0])
            if row is None:
                self._agenda.take(first[0])
            elif row.state is not TokenState.VALID:
                self._start(nursery, row, None)
            elif not await self._claim(nursery):
                self._put_off(first[0])

    async def _claim(self, nursery: trio.Nursery) -> bool:
        """Let the store choose what is due; others may have been faster."""
        begun = self._exchange.claim()
        rows = await self._store.claim_due_tokens(self._exchange.owner, self._settings.lease, self._free())
        self._snapshot.adopt_claimed(rows)
        for row in rows:
            self._start(nursery, row, attrs.evolve(begun, row=row))
        if not rows:
            await self._snapshot.load()
        return bool(rows)

    def _start(self, nursery: trio.Nursery, row: TokenRow, claim: Claim | None) -> None:
        self._agenda.take(row.id)
        self._busy.add(row.id)
        nursery.start_soon(self._work, row, claim)

    async def _work(self, row: TokenRow, claim: Claim | None) -> None:
        try:
            with suppress(AccountNotFoundError):  # it was deleted
                account = self._snapshot.row(row.id).account
                if claim is None:
                    await self._flights.share(account, "settle", partial(self._refresher.settle, account))
                else:
                    await self._refresh(account, row, claim)
        except TokenManagerError as error:  # its rows say when it is tried again
            _log.warning("account %s got no new token: %s", row.id, error)
        finally:
            self._busy.discard(row.id)
            self._put_off(row.id)
            self._wake.set()

    async def _refresh(self, account: TigerAccount, row: TokenRow, claim: Claim) -> None:
        if (quiet := self._due.after_quiet(row, account.license)) is not None:
            await self._refresher.give_back(account, claim, quiet)
            return
        work = partial(self._refresher.refresh, account, self._trigger(row), claim)
        try:
            await self._flights.share(account, "refresh", work)
        finally:  # unless the flight that was shared was another's
            await self._refresher.give_back(account, claim)

    def _trigger(self, row: TokenRow) -> RefreshTrigger:
        now = self._gateway.now()
        if rules.has_expired(row, now):
            return RefreshTrigger.EXPIRED
        return RefreshTrigger.EXPIRY_SOON if rules.is_last_call(row, now) else RefreshTrigger.SCHEDULED

    def _put_off(self, account_id: UUID) -> None:
        """Look at a row again when it falls due, and not at once."""
        row = self._snapshot.tokens.get(account_id)
        look = row and rules.look_at(row)
        self._agenda.put(account_id, look and max(look, self._snapshot.now() + _SOON))

    def _free(self) -> int:
        return (1 if self._outage.is_on else self._settings.parallel) - len(self._busy)

    def _pause(self) -> float:
        """Return for how many seconds there is nothing to do, unless something changes."""
        if self._vault.is_frozen:
            return _LOOK_AGAIN
        first = self._agenda.first() if self._free() > 0 else None
        moments = [moment for moment in (first and first[1], self._alarms.first()) if moment is not None]
        wait = min(moments) - self._snapshot.now().timestamp() if moments else _LOOK_AGAIN
        return min(max(wait, self._outage.wait(), 0.0), _LOOK_AGAIN)
