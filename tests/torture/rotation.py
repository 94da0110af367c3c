"""A rotation as the patient: ten accounts, and every row sealed with the newest key at the end."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from tests.torture.installation import (
    database,
    integrity,
    key_states,
    opened,
    prepare,
    rows_below,
    tiger_id,
    token,
    unopened,
)
from tests.torture.ledger import violate
from tests.torture.patient import Patient
from tigercore import Tigercore

NUMBERS = [str(10_000_000 + at) for at in range(10)]


async def _make(folder: Path) -> None:
    """Make an installation whose accounts have a token and another secret each."""
    await prepare(folder, NUMBERS)
    async with opened(folder) as tiger:
        for at, account in enumerate(await tiger.accounts.list_accounts()):
            await tiger.accounts.update_account(account.id, {"secret_key": f"secret {account.account_number}"})
            await tiger.accounts.update_tokens(account.id, token(at))


async def _rotate(folder: Path) -> None:
    async with opened(folder) as tiger:
        await tiger.keys.rotate()


async def _recover(folder: Path, case: str) -> None:
    """See that nothing was lost, bring the rotation to its end, and see it again."""
    if (verdict := integrity(folder)) != "ok":
        violate(folder, f"{case}: integrity_check: {verdict}")
    async with opened(folder) as tiger:
        await _check(tiger, folder, f"{case}, then")
        status = await tiger.keys.rotate()
        await _check(tiger, folder, f"{case}, at the end")
        if [0] * (len(status.keys) - 1) != [key.rows for key in status.keys[:-1]]:
            violate(folder, f"{case}: rows are not sealed with the newest key: {status.keys}")
    with closing(database(folder)) as connection:
        states = key_states(connection)
        if states.get("active") != 1 or not states.keys() <= {"active", "retired"} or rows_below(connection)[1]:
            violate(folder, f"{case}: the ring's keys are {states}")


async def _check(tiger: Tigercore, folder: Path, when: str) -> None:
    found = await tiger.keys.verify()
    for fault in (*found.faults, *unopened(tiger)):
        violate(folder, f"{when}: {fault}")
    if found.rows != 2 * len(NUMBERS):
        violate(folder, f"{when}: {found.rows} rows are left")
    for at, number in enumerate(NUMBERS):
        account = tiger.accounts.find(number)
        credentials, held = await tiger.accounts.decrypt_credentials(account), await tiger.tokens.token_for(account)
        secrets = [
            each and each.reveal() for each in (credentials.tiger_id, credentials.secret_key, held and held.value)
        ]
        if secrets != [tiger_id(number), f"secret {number}", token(at)]:
            violate(folder, f"{when}: {number} has other secrets than it was given")


ROTATION = Patient(_make, _rotate, _recover)
