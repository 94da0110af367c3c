"""One write of an account as the patient: create, update or delete, each with its token row and its audit line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TypeAlias

from tests.torture.installation import given, integrity, opened, prepare, token, unopened
from tests.torture.ledger import Ledger, violate
from tests.torture.patient import Patient
from tigercore import Tigercore
from tigercore.errors import TigerCoreError

_STAYS, _CHANGES, _GOES, _COMES = "10000001", "10000002", "10000003", "10000004"
_OLD, _NEW = "old", "new"

Picture: TypeAlias = dict[str, list[str | None]]
"""By number: the description, the developer's id, the private key, the second secret and the token."""

Write: TypeAlias = Callable[[Tigercore], Awaitable[object]]


def _written(number: str, secret: str) -> list[str | None]:
    account = given(number)
    return [f"{secret} description", account["tiger_id"], account["private_key"], f"{secret} secret", token(0)]


async def _create(tiger: Tigercore, number: str = _COMES) -> None:
    await tiger.accounts.create_account(
        **given(number), description=f"{_OLD} description", secret_key=f"{_OLD} secret", token=token(0)
    )


async def _update(tiger: Tigercore, number: str = _CHANGES) -> None:
    changes = {"description": f"{_NEW} description", "secret_key": f"{_NEW} secret"}
    await tiger.accounts.update_account(tiger.accounts.find(number).id, changes)


async def _delete(tiger: Tigercore, number: str = _GOES) -> None:
    await tiger.accounts.delete_account(tiger.accounts.find(number).id)


BEFORE: Picture = {number: _written(number, _OLD) for number in (_STAYS, _CHANGES, _GOES)}
_AFTER: dict[str, Picture] = {
    "account.create": {**BEFORE, _COMES: _written(_COMES, _OLD)},
    "account.update": {**BEFORE, _CHANGES: _written(_CHANGES, _NEW)},
    "account.delete": {number: each for number, each in BEFORE.items() if number != _GOES},
}


async def _make(folder: Path) -> None:
    await prepare(folder, [])
    async with opened(folder) as tiger:
        for number in BEFORE:
            await _create(tiger, number)


async def _change(folder: Path, action: str, write: Write) -> None:
    ledger = Ledger(folder, 0)
    async with opened(folder) as tiger:
        ledger.begin(action, True)
        await write(tiger)
        ledger.acknowledge(action, True)


async def _recover(folder: Path, case: str, action: str) -> None:
    """See that the write is there as a whole or not at all, there if it was acknowledged, and that the next succeed."""
    if (verdict := integrity(folder)) != "ok":
        violate(folder, f"{case}: integrity_check: {verdict}")
    written: list[bool] = [bool(each) for each in Ledger(folder, 0).allowed(action)]
    states = [(_AFTER[action] if each else BEFORE, _trail(action, each)) for each in written]
    async with opened(folder) as tiger:
        found = await picture(tiger), await _actions(tiger)
        if found not in states:
            violate(folder, f"{case}: {action}: {_shown(found)} stands; right is one of {[_shown(s) for s in states]}")
        for fault in unopened(tiger):
            violate(folder, f"{case}: {fault}")
    try:
        await _go_on(folder, found[0])
    except TigerCoreError as error:
        violate(folder, f"{case}: the next write failed: {error}")


def _trail(action: str, written: bool) -> Counter[str]:
    return Counter({"account.create": len(BEFORE)}) + Counter({action: int(written)})


async def picture(tiger: Tigercore) -> Picture:
    """Return every account as it opens, past the caches; a token row without its account is in it too."""
    snapshot, vault = tiger.accounts._snapshot, tiger.accounts._vault
    found: Picture = {str(each): [] for each in snapshot.tokens.keys() - snapshot.rows.keys()}
    for row in snapshot.rows.values():
        secrets = vault.open(row)
        held = vault.open_token(snapshot.tokens[row.id]) if row.id in snapshot.tokens else None
        others = [secrets.tiger_id, secrets.private_key, secrets.secret_key, held and held.value]
        texts = [None if each is None else each.reveal() for each in others]
        found[row.account.account_number] = [row.account.description, *texts]
    return found


async def _actions(tiger: Tigercore) -> Counter[str]:
    lines = [line.entry.action for line in await tiger.audit.entries()]
    return Counter(action for action in lines if action.startswith("account."))


async def _go_on(folder: Path, found: Picture) -> None:
    """Create, update and delete another account, and see from a new program that this is what was done."""
    async with opened(folder) as tiger:
        await _create(tiger, "10000005")
        await _update(tiger, "10000005")
        await _delete(tiger, _STAYS)
    async with opened(folder) as tiger:
        expected = {**{n: each for n, each in found.items() if n != _STAYS}, "10000005": _written("10000005", _NEW)}
        if expected != await picture(tiger):
            violate(folder, "what was written next is not there")


def _shown(state: tuple[Picture, Counter[str]]) -> str:
    picture, actions = state
    return f"{ {n: [str(text)[:20] for text in each] for n, each in picture.items()} } {dict(actions)}"


def _patient(action: str, write: Write) -> Patient:
    return Patient(_make, partial(_change, action=action, write=write), partial(_recover, action=action))


CREATE = _patient("account.create", _create)
UPDATE = _patient("account.update", _update)
DELETE = _patient("account.delete", _delete)
