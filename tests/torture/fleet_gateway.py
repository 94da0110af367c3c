"""The gateway of a tortured fleet, in a process that nobody kills; in it sit the witness and the person.

The witness looks whether the store ever says of a dead token that it lives. The person brings a new token for each that
was lost. The gateway itself counts what it has executed.
"""

from __future__ import annotations

import json
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias, final

import attrs
import trio

from tests.torture.backends import Backend
from tests.torture.fleet_installation import ACCOUNTS, LIFE, SETTINGS, TIMEOUT, opened
from tests.torture.ledger import count, received, violate
from tigercore import Settings, Tigercore
from tigercore.errors import StoreUnavailable, TigerCoreError
from tigercore.model import RefreshTrigger, Token, TokenRefreshStatus, TokenState
from tigercore.ports import AccountStore, TokenRow
from tigercore_simulator import UNLIMITED, Fault, Kind, Simulator, open_simulator
from tigercore_simulator.developers import Developer

Tally: TypeAlias = Counter[tuple[TokenRefreshStatus, bool]]
_METHOD = "user_token_refresh"
_LOOK = 0.1
_REST = 20.0  # seconds in which everything must have come to rest once nobody is killed any more
_OLDER = "a newer token was there already"  # so a token may go that was received
_FAULTS = (  # kind, how likely, and for how long at most in timeouts
    (Kind.RESET_BEFORE, 0.02, 0.0),
    (Kind.RESET_AFTER, 0.03, 0.0),
    (Kind.HTTP_5XX, 0.02, 0.0),
    (Kind.NOT_JSON, 0.02, 0.0),
    (Kind.DELAY, 0.03, 2.0),
    (Kind.DELAY_BEFORE, 0.03, 2.0),
    (Kind.DELAY_BEFORE, 0.05, 0.5),
)


@final
@attrs.frozen
class Gateway:
    """Serve until the folder says that it is over, then wait until all is at rest, and judge."""

    folder: Path
    backend: Backend
    lenient: bool
    faulty: bool = True

    async def __call__(self) -> None:
        async with open_simulator(
            developers=ACCOUNTS,
            licenses=("TBHK",),
            limits=UNLIMITED,
            token_lifetime=LIFE,
            token_lenient=self.lenient,
            token_grace=0.0,
        ) as simulator:
            self._write(simulator)
            while not (self.folder / "ready").exists():  # noqa: ASYNC110  (another process makes the file)
                await trio.sleep(0.01)
            async with opened(self.folder, self.backend, settings=_still()) as tiger, trio.open_nursery() as nursery:
                self._trouble(simulator)
                nursery.start_soon(self._witness, tiger, simulator)
                nursery.start_soon(self._person, tiger, simulator)
                while not (self.folder / "over").exists():  # noqa: ASYNC110  (another process makes the file)
                    await trio.sleep(_LOOK)
                simulator.faults.clear()
                await self._rest(tiger)
                await self._judge(tiger, simulator)
                nursery.cancel_scope.cancel()

    def _write(self, simulator: Simulator) -> None:
        given = [_given(each, simulator) for each in simulator.developers]
        scratch = self.folder / "gateway.new"
        scratch.write_text(json.dumps(given))
        scratch.rename(self.folder / "gateway.json")

    def _trouble(self, simulator: Simulator) -> None:
        for kind, likely, timeouts in _FAULTS if self.faulty else ():
            delay = round(timeouts * TIMEOUT * 1000)
            simulator.faults.add(Fault(kind, method=_METHOD, count=None, probability=likely, delay_ms=delay))

    async def _witness(self, tiger: Tigercore, simulator: Simulator) -> None:
        """See whether a row that says VALID holds a token that the gateway takes."""
        store, by_id = _store(tiger), await self._by_id(tiger, simulator)
        newest: dict[object, int] = {}
        while True:
            for row in await _patient(store):
                if row.issued_at is not None:
                    born = round(row.issued_at.timestamp() * 1000)
                    if born < newest.get(row.id, 0):
                        violate(self.folder, f"{row.id}: an older token has come back")
                    newest[row.id] = max(born, newest.get(row.id, 0))
                if row.state is TokenState.VALID and not _lives(tiger, row, by_id[row.id], simulator):
                    again = [each for each in await _patient(store) if each.id == row.id]
                    if again == [row]:
                        violate(
                            self.folder,
                            f"{row.id}: it says VALID, and its token is dead: {_shown(row)}",
                        )
                count(self.folder, "looks of the witness")
            await trio.sleep(_LOOK)

    async def _person(self, tiger: Tigercore, simulator: Simulator) -> None:
        """Bring a new token wherever one is needed; a token that lives must not have been given up."""
        by_id = await self._by_id(tiger, simulator)
        while True:
            await trio.sleep(_LOOK)
            for row in await _patient(_store(tiger)):
                if row.state is not TokenState.NEEDS_REAUTH:
                    continue
                if _lives(tiger, row, by_id[row.id], simulator):
                    violate(self.folder, f"{row.id}: a token that lives was given up")
                fresh = simulator.rotate_token(by_id[row.id])
                with suppress(TigerCoreError):  # else the next round brings another
                    await tiger.accounts.update_tokens(row.id, fresh)
                    count(self.folder, "tokens that a person brought")

    async def _rest(self, tiger: Tigercore) -> None:
        """Wait until nothing is in doubt and no attempt is open; a scheduler of a process that stays helps."""
        await tiger.tokens.stop_background_tasks()
        await tiger.tokens._source._refresher._keeper.adopt()  # what those who were killed have left
        with trio.move_on_after(_REST):
            while True:
                await trio.sleep(_LOOK)
                await tiger.tokens._source._refresher.end_lost_attempts()
                for row in tiger.tokens._snapshot.tokens.values():
                    if row.state not in (TokenState.VALID, TokenState.NEEDS_REAUTH):
                        account = await tiger.accounts.get_account_by_id(row.id)
                        with suppress(TigerCoreError):  # too early
                            await tiger.tokens._source._refresher.settle(account)
                rows = await _patient(_store(tiger))
                opened_attempts = await _store(tiger).token_attempts(status=TokenRefreshStatus.STARTED)
                if all(row.state is TokenState.VALID for row in rows) and not opened_attempts:
                    return
        violate(self.folder, f"no rest: {[row for row in rows if row.state is not TokenState.VALID]} {opened_attempts}")

    async def _judge(self, tiger: Tigercore, simulator: Simulator) -> None:
        """Hold what the gateway has executed against what the store says."""
        by_id, safe = await self._by_id(tiger, simulator), received(self.folder)
        for row in await _patient(_store(tiger)):
            done = simulator.oracle.refreshes[by_id[row.id].tiger_id]
            attempts = await _store(tiger).token_attempts({row.id}, limit=100_000)
            told = Counter((each.status, each.trigger is RefreshTrigger.ERROR) for each in attempts)
            count_all(self.folder, told)
            count(self.folder, "refreshes that the gateway accepted", len(done.generations))
            if done.max_concurrent_refreshes > 1:
                violate(self.folder, f"{row.id}: {done.max_concurrent_refreshes} refreshes at one moment")
            self._account_for(row, len(done.generations), told)
            for each in attempts:
                if each.status is TokenRefreshStatus.LOST and str(each.id) in safe and each.detail != _OLDER:
                    violate(self.folder, f"{row.id}: a token that was received is lost: {each}")
            if not _lives(tiger, row, by_id[row.id], simulator):
                violate(self.folder, f"{row.id}: at the end its token is dead")

    def _account_for(self, row: TokenRow, accepted: int, told: Tally) -> None:
        """See that whatever was accepted was stored, or is told as lost.

        A recovery begins with a token that is dead: if its reply is lost nobody can know whether it was accepted, and a
        strict gateway accepts none.
        """
        kept = told[TokenRefreshStatus.SUCCEEDED, False] + told[TokenRefreshStatus.SUCCEEDED, True]
        lost, perhaps = told[TokenRefreshStatus.LOST, False], told[TokenRefreshStatus.LOST, True]
        alive = told[TokenRefreshStatus.OLD_ALIVE, False] + told[TokenRefreshStatus.OLD_ALIVE, True]
        most = kept + lost + (perhaps + alive if self.lenient else 0)
        if not kept + lost <= accepted <= most:
            violate(self.folder, f"{row.id}: {accepted} accepted, {kept} stored, {lost} lost: {dict(told)}")

    async def _by_id(self, tiger: Tigercore, simulator: Simulator) -> dict[object, Developer]:
        by_number = {each.prime_account: each for each in simulator.developers}
        return {each.id: by_number[each.account_number] for each in await tiger.accounts.list_accounts()}


def count_all(folder: Path, told: Tally) -> None:
    """Count each status as often as it was."""
    for (status, is_recovery), times in told.items():
        count(folder, f"{'recoveries' if is_recovery else 'attempts'} that were {status}", times)


def _still() -> Settings:
    return attrs.evolve(SETTINGS, tokens=attrs.evolve(SETTINGS.tokens, auto_refresh=False))


def _store(tiger: Tigercore) -> AccountStore:
    return tiger.tokens._store


async def _patient(store: AccountStore) -> list[TokenRow]:
    while True:
        try:
            return await store.token_rows()
        except StoreUnavailable:
            await trio.sleep(_LOOK)


def _lives(tiger: Tigercore, row: TokenRow, developer: Developer, simulator: Simulator) -> bool:
    token = tiger.tokens._vault.open_token(row)
    return token is not None and token.value.reveal() == simulator.token(developer)


def _shown(row: TokenRow) -> TokenRow:
    return attrs.evolve(row, sealed=None)


def _given(developer: Developer, simulator: Simulator) -> dict[str, str]:
    return {
        "account_name": developer.prime_account,
        "account_number": developer.prime_account,
        "tiger_id": developer.tiger_id,
        "private_key": developer.private_key_pk8,
        "license": "TBHK",
        "environment": "sandbox",
        "server_url": simulator.url,
        "token": Token.parse(simulator.token(developer)).value.reveal(),
    }
