"""Whether every secret of the store opens."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import trio

from tigercore._snapshot import Snapshot
from tigercore._sweep import PAGE, Progress
from tigercore._vault import Vault
from tigercore.errors import DecryptionFailed, KeyUnavailable
from tigercore.model import Verification
from tigercore.ports import AccountRow, TokenRow


async def verify(snapshot: Snapshot, vault: Vault, progress: Progress) -> Verification:
    """Read every secret from the store, not from memory, and open it. Errors as `KeyManager.verify`."""
    await snapshot.load()  # the ring, too
    sealed = [row for row in _both(await snapshot.stored()) if row.sealed is not None]
    faults: list[str] = []
    for at, row in enumerate(sealed):
        if at % PAGE == 0:
            await trio.lowlevel.checkpoint()
            progress(at, len(sealed))
        if _fault(vault, row) is not None:
            faults.extend(await _faults(snapshot, vault, row))
    progress(len(sealed), len(sealed))
    return Verification(len(sealed), tuple(faults))


async def _faults(snapshot: Snapshot, vault: Vault, row: AccountRow | TokenRow) -> list[str]:
    """Look at a row that did not open until it stays as it is: others write, and turn the ring, meanwhile."""
    while True:
        await snapshot.load()
        again = [each for each in _both(await snapshot.stored([row.id])) if type(each) is type(row)]
        found = [fault for each in again if (fault := _fault(vault, each)) is not None]
        if not found or again == [row]:
            return found
        row = again[0]


def _fault(vault: Vault, row: AccountRow | TokenRow) -> str | None:
    try:
        vault.verify(row)
    except (DecryptionFailed, KeyUnavailable) as error:
        return f"{type(row).__name__} {row.id}: {error}"
    return None


def _both(found: tuple[Sequence[AccountRow], Sequence[TokenRow]]) -> list[AccountRow | TokenRow]:
    return list(chain(*found))
