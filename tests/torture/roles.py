"""Who takes part in a storm. Every role runs in a process of its own until it is killed, or the storm is over."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any, final

import attrs
import trio

from tests.torture.installation import (
    database,
    given,
    key_states,
    opened,
    rows_below,
    tiger_id,
    token,
    unopened,
)
from tests.torture.ledger import Ledger, count, violate
from tigercore import MarketPermission, Tigercore
from tigercore.errors import AccountManagerError, AccountNotFoundError, AccountValidationError, KeyUnavailable

OWN = 3  # accounts that one writer alone writes to
SHARED = "99999999"  # the account that all of them write to
_PAUSE = 0.1  # seconds, at most, between two writes of a writer


def numbers(slot: int) -> list[str]:
    """Return the numbers of the accounts that a writer owns."""
    return [f"{10_000_000 + 1000 * slot + at}" for at in range(OWN)]


def passing(slot: int) -> str:
    """Return the number of the account that a writer makes and deletes again and again."""
    return f"{10_000_900 + 1000 * slot}"


def is_over(folder: Path) -> bool:
    """Say whether the storm is over: who is not killed ends by itself."""
    return (folder / "over").exists()


async def standing(tiger: Tigercore, slot: int, place: str) -> Any:
    """Return what stands at a place, past every cache of what was opened; None if nothing was ever written there."""
    what, _, number = place.partition(" ")
    if what == "passing":
        return tiger.accounts._snapshot.numbered(number) is not None
    account = tiger.accounts.find(number)
    if what == "market":
        return list(MarketPermission)[slot] in account.market_permissions
    if what == "description":
        return account.description or None
    if what == "token":
        held = await tiger.tokens.token_for(account)
        return held and held.value.reveal()
    secret = tiger.accounts._vault.open(tiger.accounts._snapshot.row(account.id)).secret_key
    return secret and secret.reveal()


async def compare(tiger: Tigercore, folder: Path, ledger: Ledger, slot: int, who: str) -> None:
    """Hold what stands against the history of a writer."""
    for place in ledger.places():
        found, allowed = await standing(tiger, slot, place), ledger.allowed(place)
        if found not in allowed and not (found is False and None in allowed):
            violate(folder, f"{who} {slot}: lost at {place}: {found!r} stands, and {allowed!r} was acknowledged")


@final
@attrs.frozen
class Writer:
    """Write to accounts, note what was acknowledged, and look each time whether all of that is still there."""

    folder: Path
    slot: int
    rng: random.Random

    async def __call__(self) -> None:
        ledger = Ledger(self.folder, self.slot)
        async with opened(self.folder) as tiger:
            while not is_over(self.folder):
                await compare(tiger, self.folder, ledger, self.slot, "writer")
                place = self._place()
                value = await self._next(tiger, ledger, place)
                ledger.begin(place, value)
                try:
                    await self._write(tiger, place, value)
                except (AccountNotFoundError, AccountValidationError):  # they would be an AccountManagerError
                    raise
                except AccountManagerError:  # others were faster ten times: it says that one may try again
                    count(self.folder, "writes that were told to try again")
                else:
                    ledger.acknowledge(place, value)
                    count(self.folder, "writes acknowledged")
                await trio.sleep(self.rng.uniform(0, _PAUSE))

    def _place(self) -> str:
        what = self.rng.choice(["description", "secret", "token", "passing", "market"])
        if what == "passing":
            return f"passing {passing(self.slot)}"
        if what == "market" and self.slot < len(MarketPermission):
            return f"market {SHARED}"
        return f"{'description' if what == 'market' else what} {self.rng.choice(numbers(self.slot))}"

    async def _next(self, tiger: Tigercore, ledger: Ledger, place: str) -> Any:
        if place.startswith(("passing", "market")):
            return not await standing(tiger, self.slot, place)
        at = ledger.begun + 1
        return token(at) if place.startswith("token") else f"{self.slot}-{at}"

    async def _write(self, tiger: Tigercore, place: str, value: Any) -> None:
        what, _, number = place.partition(" ")
        accounts = tiger.accounts
        if what == "passing" and value:
            await accounts.create_account(**given(number))
            return
        account = accounts.find(number)
        if what == "passing":
            await accounts.delete_account(account.id)
        elif what == "market":
            turn = accounts.add_market_permissions if value else accounts.remove_market_permissions
            await turn(account.id, [list(MarketPermission)[self.slot]])
        elif what == "token":
            await accounts.update_tokens(account.id, value)
        else:
            await accounts.update_account(account.id, {"secret_key" if what == "secret" else what: value})


@final
@attrs.frozen
class Rewrapper:
    """Rotate again and again, while this process too opens everything that it has in memory."""

    folder: Path
    rng: random.Random

    async def __call__(self) -> None:
        async with opened(self.folder) as tiger, trio.open_nursery() as nursery:
            nursery.start_soon(look, tiger, self.folder, "rewrapper")
            while not is_over(self.folder):
                await self._rotate(tiger)
                await open_all(tiger, self.folder, "rewrapper")
            nursery.cancel_scope.cancel()

    async def _rotate(self, tiger: Tigercore) -> None:
        before = tiger.keys.status().min_decrypt
        try:
            status = await tiger.keys.rotate()
        except KeyUnavailable as error:  # it says: run it again
            if "run it again" not in str(error):
                raise
            count(self.folder, "rotations that were told to run again")
            return
        except AccountNotFoundError:  # it would be an AccountManagerError
            raise
        except AccountManagerError:  # an account that others change all the time: it says: try again
            count(self.folder, "rotations that were told to try again")
            return
        count(self.folder, "calls of rotate that returned")
        if status.min_decrypt <= before:
            violate(self.folder, f"rotate returned, and min_decrypt is {status.min_decrypt} as before")
        if self.rng.random() < 0.2:
            await tiger.keys.destroy()


@final
@attrs.frozen
class Veteran:
    """Be the program that was opened before everything: every row opens for it, in the store and in its memory."""

    folder: Path
    rng: random.Random

    async def __call__(self) -> None:
        async with opened(self.folder) as tiger, trio.open_nursery() as nursery:
            (self.folder / "veteran").touch()
            nursery.start_soon(look, tiger, self.folder, "veteran")
            while not is_over(self.folder):
                await open_all(tiger, self.folder, "veteran")
                await self._hand_out(tiger)
            nursery.cancel_scope.cancel()

    async def _hand_out(self, tiger: Tigercore) -> None:
        """Ask for the secrets of one account as an application does."""
        account = self.rng.choice(await tiger.accounts.list_accounts())
        try:
            credentials = await tiger.accounts.decrypt_credentials(account)
            await tiger.tokens.token_for(account)
            tiger.accounts.signer(account)
        except AccountNotFoundError:  # somebody deleted it
            return
        if credentials.tiger_id.reveal() != tiger_id(account.account_number):
            violate(self.folder, f"veteran: {account.account_number} has the secrets of another account")


@final
@attrs.frozen
class Newcomer:
    """Be a program that starts now, opens every row, and ends."""

    folder: Path

    async def __call__(self) -> None:
        async with opened(self.folder) as tiger:
            await open_all(tiger, self.folder, "newcomer")


@final
@attrs.frozen
class Watcher:
    """Look at the tables from outside: nothing stands below `min_decrypt`, and one key is active, at every moment."""

    folder: Path

    async def __call__(self) -> None:
        with closing(database(self.folder)) as connection:
            while not is_over(self.folder):
                floor, below = rows_below(connection)
                states = key_states(connection)
                if below:
                    violate(self.folder, f"watcher: {below} rows are below min_decrypt {floor}")
                if states.get("active") != 1:
                    violate(self.folder, f"watcher: the ring's keys are {states}")
                count(self.folder, "looks at the tables")
                await trio.sleep(0.005)


async def look(tiger: Tigercore, folder: Path, who: str) -> None:
    """See, for ever, whenever anything in memory has changed, that all of it opens."""
    while True:
        for fault in unopened(tiger, suspects=True):
            violate(folder, f"{who}, in memory: {fault}")
        await tiger.accounts._snapshot.changed()


async def open_all(tiger: Tigercore, folder: Path, who: str) -> None:
    """Open every row, as it stands in the store and as it is in memory."""
    found = await tiger.keys.verify()
    for fault in (*found.faults, *unopened(tiger)):
        violate(folder, f"{who}: {fault}")
    count(folder, f"times that {who} opened every row")


Role = Callable[[], Awaitable[None]]
