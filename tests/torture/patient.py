"""What the processes of one case do: make an installation, rotate and be hurt, recover."""

from __future__ import annotations

import ctypes
import os
from contextlib import closing
from pathlib import Path
from typing import Any

import trio

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
from tigercore import Tigercore
from tigercore.errors import TigerCoreError
from tigercore_sql import Runner

NUMBERS = [str(10_000_000 + at) for at in range(10)]
_ANY_TRACER = 0x59616D61, ctypes.c_ulong(-1)  # PR_SET_PTRACER, PR_SET_PTRACER_ANY


async def make(folder: Path) -> None:
    """Make an installation whose accounts have a token and another secret each."""
    await prepare(folder, NUMBERS)
    async with opened(folder) as tiger:
        for at, account in enumerate(await tiger.accounts.list_accounts()):
            await tiger.accounts.update_account(account.id, {"secret_key": f"secret {account.account_number}"})
            await tiger.accounts.update_tokens(account.id, token(at))


async def rotate(folder: Path, go: int) -> None:
    """Rotate once told to go, with all SQL in one thread, so that one counter counts all calls; note what it says."""
    ctypes.CDLL(None).prctl(*_ANY_TRACER, 0, 0, 0)
    os.read(go, 1)
    _use_one_thread()
    try:
        async with opened(folder) as tiger:
            await tiger.keys.rotate()
    except TigerCoreError as error:
        (folder / "told").write_text(f"{type(error).__name__}: {error}")


def _use_one_thread() -> None:
    turn, init = trio.CapacityLimiter(1), Runner.__init__

    def alone(self: Runner, engine: Any, name: str, **_: Any) -> None:
        init(self, engine, name, writers=turn, readers=turn)

    Runner.__init__ = alone  # type: ignore[method-assign]


async def recover(folder: Path, case: str) -> None:
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
