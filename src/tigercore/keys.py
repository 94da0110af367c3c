"""KeyManager: the key ring of an installation, its rotation, its roots, and the emergency stop."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import final
from uuid import UUID

import attrs

from tigercore import _refresh as refresh
from tigercore import _rotation as rotation
from tigercore._snapshot import Snapshot
from tigercore._sweep import Progress, Sweep, silent
from tigercore._vault import Vault
from tigercore._verification import verify
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
        """Read every secret from the store and open it; name those that do not open.

        :raises StoreUnavailable: the store cannot be reached.
        """
        return await verify(self._snapshot, self._vault, progress)

    async def require_good(self) -> Verification:
        """Pass if every secret opens. Errors as `verify`.

        :raises DecryptionFailed: some do not.
        """
        found = await self.verify()
        if found.faults:
            raise DecryptionFailed(
                f"{len(found.faults)} of {found.rows} secrets do not open, among them {found.faults[0]}; restore them "
                "from a backup, or delete these accounts; `tigercore cipher verify` names all"
            )
        return found

    # -- rotate ------------------------------------------------------------------------------------------------

    async def rotate(
        self,
        *,
        keep_old: bool = False,
        fresh: bool = False,
        rate: float | None = None,
        progress: Progress = silent,
    ) -> KeyRingStatus:
        """Make a new key, seal everything again with it, check that all of it opens, and retire the older keys.

        It is safe beside programs that read and write, beside another rotation, and to run again after a crash: a
        rotation that was begun is finished, and with `fresh` followed by one that begins now. `rate` is in accounts per
        second; with `keep_old` nothing is retired.

        :raises DecryptionFailed: rows do not open; everything else is sealed with the new key, and nothing is retired.
        :raises KeyUnavailable: the root cannot be reached, or other processes go on sealing with an older key.
        :raises AccountManagerError: others write one account all the time.
        :raises StoreUnavailable: the store cannot be reached.
        """
        if fresh and rotation.is_rotating(self._snapshot.ring):
            await self.rotate(rate=rate, progress=progress)
        begun = rotation.has_staged if keep_old else rotation.is_rotating
        await self._turn(partial(self._staged, begun), "keyring.stage")
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

        :raises KeyUnavailable: a root does not do its part, or no secret opens with this ring; nothing was written.
        """
        found = await self.verify()
        if found.rows and len(found.faults) == found.rows:  # a ring that was planted opens nothing
            raise KeyUnavailable("no secret of this store opens with its key ring: restore the ring from a backup")

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
        for _ in range(_ROUNDS):  # accounts may be made meanwhile
            await self._sweep.run(self._condemned, "account.condemn", progress=progress)
            await self._snapshot.load()
            if all(row.account.status is AccountStatus.COMPROMISED for row in self._snapshot.rows.values()):
                return

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

    async def _staged(self, begun: Callable[[KeyRing], bool], ring: KeyRing) -> KeyRing | None:
        return None if begun(ring) else rotation.staged(ring, await self._cipher.create_key(ring))

    def _rewrapped(self, account_id: UUID) -> list[Put]:
        row, token_row = self._snapshot.row(account_id), self._snapshot.token(account_id)
        changes: list[Put] = []
        with suppress(DecryptionFailed, KeyUnavailable):  # `verify` names it, and nothing is retired
            if self._is_old(row):
                changes.append(Put(self._vault.reseal(row)))
        with suppress(DecryptionFailed, KeyUnavailable):
            if token_row.sealed is not None and self._is_old(token_row):
                changes.append(Put(self._vault.reseal_token(token_row)))
        return changes

    def _is_old(self, row: AccountRow | TokenRow) -> bool:
        """Say whether another key than the active one has sealed a row, or the row says so."""
        return {row.kek, self._vault.key_of(row)} != {self._snapshot.ring.active}

    def _condemned(self, account_id: UUID) -> list[Put]:
        row, token_row = self._snapshot.row(account_id), self._snapshot.token(account_id)
        changes = [] if row.account.status is AccountStatus.COMPROMISED else [Put(self._marked(row))]
        if token_row.state not in (TokenState.NOT_REQUIRED, TokenState.DISABLED):
            kek = max(token_row.kek, self._snapshot.ring.min_decrypt)
            changes.append(Put(attrs.evolve(refresh.released([token_row], TokenState.DISABLED, None)[0], kek=kek)))
        return changes

    def _marked(self, row: AccountRow) -> AccountRow:
        marked = attrs.evolve(row.account, status=AccountStatus.COMPROMISED)
        try:
            return self._vault.reseal(row, marked)
        except (DecryptionFailed, KeyUnavailable):  # it signs nothing as it is; it is marked, and stays as unreadable
            return attrs.evolve(row, account=marked, kek=max(row.kek, self._snapshot.ring.min_decrypt))


def _at_once(rule: Callable[[KeyRing], KeyRing | None]) -> Callable[[KeyRing], Awaitable[KeyRing | None]]:
    async def change(ring: KeyRing) -> KeyRing | None:
        return rule(ring)

    return change
