"""KeyManager: the key ring of an installation, its rotation, its roots, and the emergency stop."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from typing import final
from uuid import UUID

import attrs
import trio

from tigercore import _refresh as refresh
from tigercore import _rotation as rotation
from tigercore._snapshot import Snapshot
from tigercore._sweep import PAGE, Progress, Sweep, silent
from tigercore._vault import Vault
from tigercore.audit import AuditLog
from tigercore.errors import DecryptionFailed, KeyUnavailable, StaleVersion
from tigercore.model import (
    AccountStatus,
    AuditSeverity,
    KeyRing,
    KeyRingStatus,
    KeyStatus,
    TokenState,
    Verification,
)
from tigercore.ports import AccountRow, Cipher, Put, TokenRow

_TRIES = 20  # writes of other processes that one step may meet
_ROUNDS = 20  # times that everything is sealed again because others go on sealing with an older key


@final
class KeyManager:
    """Turn the key ring. Each step is written with its audit line, and can be taken again after a crash."""

    def __init__(self, snapshot: Snapshot, vault: Vault, cipher: Cipher, audit: AuditLog, sweep: Sweep) -> None:
        self._snapshot = snapshot
        self._vault = vault
        self._cipher = cipher
        self._audit = audit
        self._sweep = sweep

    # -- look --------------------------------------------------------------------------------------------------

    def status(self) -> KeyRingStatus:
        """Return where the ring stands, and how many rows each of its keys has sealed."""
        ring, rows = self._snapshot.ring, Counter(row.kek for row in self._snapshot.rows.values())
        rows += Counter(row.kek for row in self._snapshot.tokens.values() if row.sealed is not None)
        keys = tuple(
            KeyStatus(k.version, k.state, k.created_at, tuple(slot.provider for slot in k.slots), rows[k.version])
            for k in ring.keys
        )
        return KeyRingStatus(ring.id, ring.active, ring.min_decrypt, ring.frozen, ring.epoch, ring.recovery, keys)

    async def verify(self, progress: Progress = silent) -> Verification:
        """Read every row from the store and open what is sealed in it; name those that do not open.

        :raises StoreUnavailable: the store cannot be reached.
        """
        await self._snapshot.load()
        accounts, faults, rows = list(self._snapshot.rows), list[str](), 0
        for at, account_id in enumerate(accounts):
            if at % PAGE == 0:
                await trio.lowlevel.checkpoint()
                progress(at, len(accounts))
            for row in self._rows_of(account_id):
                rows += 1
                faults.extend(self._faults(row))
        progress(len(accounts), len(accounts))
        return Verification(rows, tuple(faults))

    def _rows_of(self, account_id: UUID) -> list[AccountRow | TokenRow]:
        """Return what is in memory of an account now, which fits the ring in use now; others write meanwhile."""
        if account_id not in self._snapshot.rows:
            return []
        return [self._snapshot.row(account_id), self._snapshot.token(account_id)]

    def _faults(self, row: AccountRow | TokenRow) -> Iterator[str]:
        try:
            self._vault.verify(row)
        except (DecryptionFailed, KeyUnavailable) as error:
            yield f"{type(row).__name__} {row.id}: {error}"

    async def require_good(self) -> Verification:
        """Pass if every row opens. Errors as `verify`.

        :raises DecryptionFailed: some do not.
        """
        found = await self.verify()
        if found.faults:
            raise DecryptionFailed(
                f"{len(found.faults)} of {found.rows} rows do not open, among them {found.faults[0]}; restore them "
                "from a backup, or delete these accounts; `tigercore cipher verify` names all"
            )
        return found

    # -- rotate ------------------------------------------------------------------------------------------------

    async def rotate(
        self, *, keep_old: bool = False, rate: float | None = None, progress: Progress = silent
    ) -> KeyRingStatus:
        """Make a new key, seal everything again with it, check that all of it opens, and retire the older keys.

        It is safe beside programs that read and write, beside another rotation, and to run again after a crash: a
        rotation that was begun is finished first. `rate` is in accounts per second; with `keep_old` nothing is retired.

        :raises DecryptionFailed: rows do not open; everything else is sealed with the new key, and nothing is retired.
        :raises KeyUnavailable: the root cannot be reached, or other processes go on sealing with an older key.
        :raises AccountManagerError: others write one account all the time.
        :raises StoreUnavailable: the store cannot be reached.
        """
        await self._turn(self._staged, "keyring.stage")
        await self._turn(_at_once(rotation.activated), "keyring.activate")
        for _ in range(_ROUNDS):
            await self.rewrap(rate=rate, progress=progress)
            if keep_old:
                await self.require_good()
            if keep_old or await self.retire():
                return self.status()
        raise KeyUnavailable(
            f"others go on sealing with a key older than {self._snapshot.ring.active}: restart the programs that use "
            "this store, then run it again"
        )

    async def rewrap(self, *, rate: float | None = None, progress: Progress = silent) -> None:
        """Seal again, with the active key, what an older one has sealed. Rows that do not open are left as they are."""
        await self._sweep.run(self._rewrapped, "keyring.rewrap", rate=rate, progress=progress)

    async def retire(self) -> bool:
        """Let only the active key open anything; return False if rows are still sealed with an older one.

        :raises DecryptionFailed: rows do not open; nothing is retired.
        """
        await self.require_good()
        try:
            await self._turn(_at_once(rotation.retired), "keyring.retire", tries=1)
        except StaleVersion:
            await self._snapshot.load()
            return rotation.retired(self._snapshot.ring) is None
        return True

    async def destroy(self) -> bool:
        """Drop what is left of retired keys; return whether there was anything. Errors as `rotate`."""
        return await self._turn(_at_once(rotation.destroyed), "keyring.destroy")

    # -- roots -------------------------------------------------------------------------------------------------

    async def rekey_root(self, other: Cipher, *, keep_old: bool = False) -> None:
        """Wrap the keys under the root of another cipher, and drop the roots of before but the recovery recipients.

        Programs that are open go on; who opens anew needs the new root.

        :raises KeyUnavailable: a root does not do its part, or rows do not open with this ring; nothing was written.
        """
        await self.require_good()

        async def shared(ring: KeyRing) -> KeyRing:
            ring = await self._cipher.share(ring, other)
            return ring if keep_old else rotation.only_with_roots(ring, {rotation.newest_root(ring), *ring.recovery})

        await self._turn(shared, "keyring.rekey_root")

    async def add_recovery(self, other: Cipher) -> None:
        """Wrap the keys, and all that are made from now on, for a recovery recipient, whose cipher is `other`.

        :raises KeyUnavailable: a root does not do its part, or new keys cannot be wrapped for it without its secret.
        """

        async def shared(ring: KeyRing) -> KeyRing:
            ring = rotation.with_recovery(await self._cipher.share(ring, other))
            await self._cipher.create_key(ring)  # dropped: it shows that the next rotation can do it
            return ring

        await self._turn(shared, "keyring.add_recovery")

    async def remove_recovery(self, recipient: str) -> bool:
        """Let a recovery recipient open the ring no more; return whether there was one. It knows the keys of before.

        :raises KeyUnavailable: a key that is in use would be lost.
        """
        removed = _at_once(lambda ring: rotation.without_recovery(ring, recipient))
        return await self._turn(removed, "keyring.remove_recovery")

    # -- emergency ---------------------------------------------------------------------------------------------

    async def freeze(self) -> None:
        """Let no process sign anything any more, and kill every API key. Effective as fast as processes see changes."""
        await self._turn(_at_once(rotation.frozen), "keyring.freeze")

    async def unfreeze(self) -> None:
        """Let accounts sign again, but those whose key is known to be compromised."""
        await self._turn(_at_once(rotation.thawed), "keyring.unfreeze")

    async def condemn(self, progress: Progress = silent) -> None:
        """Mark the key of every account as compromised: it signs nothing until it has another. Errors as `rewrap`."""
        await self._sweep.run(self._condemned, "account.condemn", progress=progress)

    def export(self) -> KeyRing:
        """Return the ring as it stands. It holds nothing that opens without one of its roots."""
        return self._snapshot.ring

    # -- within ------------------------------------------------------------------------------------------------

    async def _turn(
        self, change: Callable[[KeyRing], Awaitable[KeyRing | None]], action: str, tries: int = _TRIES
    ) -> bool:
        """Change the ring and write it; if somebody was faster, look again. Return whether anything was to be done."""
        for left in reversed(range(tries)):
            changed = await change(self._snapshot.ring)
            if changed is None:
                return False
            ready = await self._cipher.authenticate(changed)
            try:
                await self._audit.commit([Put(ready)], action, str(ready.id), severity=AuditSeverity.HIGH)
            except StaleVersion:
                if not left:
                    raise
                await self._snapshot.load()
            else:
                return True
        raise AssertionError("the loop ends by return or raise")

    async def _staged(self, ring: KeyRing) -> KeyRing | None:
        return None if rotation.is_rotating(ring) else rotation.staged(ring, await self._cipher.create_key(ring))

    def _rewrapped(self, account_id: UUID) -> list[Put]:
        active, row, token_row = (
            self._snapshot.ring.active,
            self._snapshot.row(account_id),
            self._snapshot.token(account_id),
        )
        try:
            changes: list[Put] = [Put(self._vault.reseal(row))] if row.kek < active else []
            if token_row.sealed is not None and token_row.kek < active:
                changes.append(Put(self._vault.reseal_token(token_row)))
        except (DecryptionFailed, KeyUnavailable):  # `verify` names it, and nothing is retired
            return []
        return changes

    def _condemned(self, account_id: UUID) -> list[Put]:
        row, token_row = self._snapshot.row(account_id), self._snapshot.token(account_id)
        changes: list[Put] = []
        if row.account.status is not AccountStatus.COMPROMISED:
            changes.append(Put(attrs.evolve(row, account=attrs.evolve(row.account, status=AccountStatus.COMPROMISED))))
        if token_row.state not in (TokenState.NOT_REQUIRED, TokenState.DISABLED):
            changes.append(Put(refresh.settled(token_row, TokenState.DISABLED, None)))
        return changes


def _at_once(rule: Callable[[KeyRing], KeyRing | None]) -> Callable[[KeyRing], Awaitable[KeyRing | None]]:
    async def change(ring: KeyRing) -> KeyRing | None:
        return rule(ring)

    return change
