"""Moving a store: a copy of it in another store, a backup of it in a file, and back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import final
from uuid import UUID

import attrs
import trio

from tigercore import _backupfile as backupfile
from tigercore import _dump as dump
from tigercore import _refresh as refresh
from tigercore._archive import Archive, ArchiveWriter
from tigercore._dump import Inventory
from tigercore._plugins import Chosen
from tigercore._vault import Vault
from tigercore.errors import DecryptionFailed, KeyUnavailable, PortError, StaleVersion, StoreUnavailable
from tigercore.model import AuditEntry, AuditSeverity, KeyRing, TokenState
from tigercore.ports import AccountStore, Cipher, Delta, DriverContext, Put, Record, TigerClient, TokenRow

_QUIET = 2.5  # seconds without a write; a freeze has reached every program by then, the store's notification or not
_PATIENCE = 30.0  # seconds for which such a moment is waited for
_LONG_AGO = datetime.fromtimestamp(0, UTC)  # of what is due at once, by any clock
_THAW = 10.0  # seconds that undoing a freeze may take, whatever is cancelled around it

Progress = Callable[[str, int], None]
"""Told what is being done, and with how many entries it is done."""


@final
class StoreMover:
    """Move what a store holds. `say` is told what an operator must know when a move has failed."""

    def __init__(
        self,
        cipher: Cipher,
        context: DriverContext,
        initiator: str,
        *,
        progress: Progress = lambda what, done: None,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._cipher = cipher
        self._context = context
        self._initiator = initiator
        self._progress = progress
        self._say = say

    # -- store to store ----------------------------------------------------------------------------------------

    async def copy(self, source: AccountStore, target: Chosen[AccountStore], client: TigerClient) -> Inventory:
        """Copy a store into an empty one, see that both are the same, and leave the source frozen.

        So no program signs or refreshes from two stores. If it fails, the source is as it was before.

        :raises StoreUnavailable: the target holds something, the source does not come to rest, or they differ.
        :raises KeyUnavailable: the source has no ring, or it does not open here.
        :raises DecryptionFailed: a secret of the source does not open.
        """
        vault = Vault(self._cipher, client, self._context.clock)
        ring = await self._unlocked(await source.key_ring())
        _require_opening(vault, await source.delta())
        async with self._emptied(target) as store, self._frozen(source, ring) as frozen:
            rest = await self._at_rest(source)
            _require(rest.ring == frozen, "others have changed the key ring of the source: try again")
            moved = await self._copied(source, store, rest, ring)
            async with target.open(self._context) as reopened:  # as a program will find it
                await self._require_same(source, rest, reopened, ring)
                _require_opening(vault, await reopened.delta())
                await reopened.apply([Record(self._entry("store.copied", str(ring.id), moved, side="target"))])
            await source.apply([Record(self._entry("store.copied", str(ring.id), moved, side="source"))])
        return moved

    async def _at_rest(self, source: AccountStore) -> Delta:
        """Wait until no program writes or refreshes a token any more, and return what the store then holds."""
        self._progress("waiting until no program writes", 0)
        with trio.move_on_after(_PATIENCE):
            while True:
                revision = await source.wait_for_change(-1)
                with trio.move_on_after(_QUIET):
                    await source.wait_for_change(revision)
                rest = await source.delta()
                leased = any(refresh.is_leased(row, rest.now) for row in rest.tokens)
                if rest.revision == revision and not leased:
                    return rest
        raise StoreUnavailable(
            "programs go on writing to the source, or refresh a token: stop them, wait two minutes, and try again"
        )

    async def _copied(self, source: AccountStore, target: AccountStore, rest: Delta, ring: KeyRing) -> Inventory:
        """Write everything; rows and ring last and at one go, so that nobody takes half a copy for a store."""
        moved = Inventory()
        async with aclosing(dump.logs(source)) as pages:
            async for page in pages:
                await target.apply(dump.records(page))
                moved += Inventory.of(page)
                self._progress("copying the logs", moved.attempts + moved.audit_lines)
        rows = dump.rows(rest)
        self._progress("copying accounts and tokens", len(rows))
        await target.apply([*map(Put, rows), *dump.ring_puts(ring)])
        return moved + Inventory.of(rows)

    async def _require_same(self, source: AccountStore, rest: Delta, target: AccountStore, ring: KeyRing) -> None:
        self._progress("comparing", 0)
        now, there = await source.delta(), await target.delta()
        still = now.revision == rest.revision and dump.rows(now) == dump.rows(rest)
        _require(still, "others have written to the source meanwhile: stop the programs that use it, and try again")
        same = there.ring == ring and dump.rows(there) == dump.rows(rest) and await dump.agree(source, target)
        _require(same, "the new store does not hold what the source holds: keep the source, and try another one")

    @asynccontextmanager
    async def _frozen(self, source: AccountStore, ring: KeyRing) -> AsyncIterator[KeyRing]:
        """Let nothing be signed from the source, and give its ring as it stands then; if the block fails, undo it.

        It is no panic: the epoch stays, so that API keys live on.
        """
        if ring.frozen:
            yield ring
            return
        ready = await self._cipher.authenticate(attrs.evolve(ring, frozen=True))
        frozen = attrs.evolve(ready, version=ring.version + 1)
        try:
            await self._freeze(source, ready)
            yield frozen
        except BaseException:
            await self._thaw(source, frozen)
            raise

    async def _freeze(self, source: AccountStore, ready: KeyRing) -> None:
        try:
            await source.apply([Put(ready), Record(self._entry("keyring.freeze", "store.copy"))])
        except StaleVersion:
            raise StoreUnavailable("others are changing the key ring of the source: try again") from None

    async def _thaw(self, source: AccountStore, frozen: KeyRing) -> None:
        """Undo this freeze, and no other: a panic that came meanwhile stays."""
        state = "still frozen: look at `tigercore cipher status`, then run `tigercore cipher unfreeze`"
        with trio.move_on_after(_THAW, shield=True), suppress(PortError):
            there = await source.key_ring()
            if there == frozen:
                ready = await self._cipher.authenticate(attrs.evolve(frozen, frozen=False))
                await source.apply([Put(ready), Record(self._entry("keyring.unfreeze", "store.copy"))])
                there = ready
            if there is not None and not there.frozen:
                state = "not frozen any more"
        self._say(f"The source is {state}. What the new store holds is no copy: delete it.")

    # -- store to file, and back -------------------------------------------------------------------------------

    async def backup(self, store: AccountStore, file: Path) -> Inventory:
        """Write a store to a new file, sealed with the active key of its ring. Programs may go on using the store.

        Accounts, tokens and ring are those of one moment; the logs reach that far, or a little further.

        :raises BackupUnusable: the file is there already, or cannot be written so.
        :raises KeyUnavailable: the store has no ring, or it does not open here.
        """
        backup = UUID(int=self._context.rng.getrandbits(128), version=4)
        with backupfile.created(file) as stream:
            held = await store.delta()
            writer = ArchiveWriter(stream, self._cipher, backup, await self._unlocked(held.ring))
            await store.apply([Record(self._entry("store.backup", str(backup)))])
            async with aclosing(dump.logs(store)) as pages:
                async for page in pages:
                    done = writer.add(page)
                    self._progress("writing the logs", done.attempts + done.audit_lines)
            writer.add(dump.rows(held))
            return writer.finish()

    async def restore(self, file: Path, target: Chosen[AccountStore]) -> Inventory:
        """Write a backup into an empty store. All of the file is opened before anything is written.

        A token that was good is in doubt: the system that the backup is of may have gone on and refreshed it.

        :raises BackupUnusable: the file is no backup, or was damaged or changed.
        :raises StoreUnavailable: the target holds something.
        :raises KeyUnavailable: the ring of the backup does not open here.
        """
        with backupfile.opened(file) as stream:
            archive = Archive(stream, str(file))
            await self._unlocked(archive.ring)
            held = await self._checked(archive)
            async with self._emptied(target) as store:
                await self._restored(archive, held, store)
                async with target.open(self._context) as reopened:  # as a program will find it
                    _require(await reopened.key_ring() == archive.ring, "the new store has kept nothing: name another")
        return held

    async def _checked(self, archive: Archive) -> Inventory:
        held = Inventory()
        for page in archive.pages(self._cipher):
            held += Inventory.of(page)
            self._progress("checking the file", sum(attrs.astuple(held)))
            await trio.lowlevel.checkpoint()
        return held

    async def _restored(self, archive: Archive, held: Inventory, store: AccountStore) -> None:
        rows: list[dump.Row] = []
        done = 0
        for page in archive.pages(self._cipher):
            logs = [entry for entry in page if not isinstance(entry, dump.Row)]
            rows += [_in_doubt(entry) for entry in page if isinstance(entry, dump.Row)]
            if logs:
                await store.apply(dump.records(logs))
            done += len(logs)
            self._progress("restoring the logs", done)
        entry = self._entry("store.restored", str(archive.id), held)
        await store.apply([*map(Put, rows), *dump.ring_puts(archive.ring), Record(entry)])

    # -- both --------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _emptied(self, target: Chosen[AccountStore]) -> AsyncIterator[AccountStore]:
        """Open a store that has to be empty, and make its schema if there is none."""
        schema = target.driver.schema(target.options)
        if (await schema.status()).current is None:
            await schema.migrate()
        async with target.open(self._context) as store:
            _require(await dump.is_empty(store), "the new store is not empty, and was left as it is: name another one")
            yield store

    async def _unlocked(self, ring: KeyRing | None) -> KeyRing:
        if ring is None:
            raise KeyUnavailable("the store has no key ring: restore it with `tigercore cipher import`")
        await self._cipher.unlock(ring)
        return ring

    def _entry(self, action: str, target: str, moved: Inventory | None = None, **details: str) -> AuditEntry:
        counts = {} if moved is None else {name: str(count) for name, count in attrs.asdict(moved).items()}
        at, details = self._context.clock.now(), {**counts, **details}
        return AuditEntry(at, self._initiator, action, target, severity=AuditSeverity.HIGH, details=details)


def _in_doubt(row: dump.Row) -> dump.Row:
    if isinstance(row, TokenRow) and row.state in (TokenState.VALID, TokenState.REFRESHING):
        return attrs.evolve(row, state=TokenState.UNCERTAIN, next_at=_LONG_AGO, owner=None, lease_until=None)
    return row


def _require(good: bool, fault: str) -> None:
    if not good:
        raise StoreUnavailable(fault)


def _require_opening(vault: Vault, delta: Delta) -> None:
    rows: list[dump.Row] = [*delta.accounts, *delta.tokens]
    for row in rows:
        try:
            vault.verify(row)
        except (DecryptionFailed, KeyUnavailable) as error:
            raise DecryptionFailed(
                f"{type(row).__name__} {row.id} does not open: {error}; `tigercore cipher verify` names all that do not"
            ) from None
