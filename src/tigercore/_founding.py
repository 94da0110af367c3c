"""How a store gets its key ring: the first one, or the one that it has lost."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from uuid import UUID

import attrs

from tigercore import _rotation as rotation
from tigercore.errors import KeyUnavailable, StaleVersion
from tigercore.model import AuditEntry, KeyRing
from tigercore.ports import AccountRow, AccountStore, Cipher, Put, Record, TokenRow

_TRIES = 20  # writes of other processes that a freeze may meet
_FREEZES = 10_000  # that may lie between an export of the ring and its import
_HIGHEST = 2**53  # a ring's version, far below what a column holds: so there is always a next one


async def found_ring(store: AccountStore, cipher: Cipher, rng: random.Random) -> None:
    """Give an empty store its key ring, sealed under the root that the operator has made.

    :raises KeyUnavailable: the store has accounts and no ring, or the root cannot be reached.
    """
    if await store.key_ring() is not None:
        return
    if await store.accounts():
        raise KeyUnavailable("the store has accounts but no key ring: restore it with `tigercore cipher import`")
    ring = KeyRing(UUID(int=rng.getrandbits(128), version=4), 1)
    ring = attrs.evolve(ring, keys=(await cipher.create_key(ring),))
    with suppress(StaleVersion):  # another process was first: its ring is the ring
        await store.apply([Put(await cipher.authenticate(ring))])


async def freeze_ring(store: AccountStore, cipher: Cipher, entry: AuditEntry) -> None:
    """Let no process sign anything any more, with an audit line. No account is looked at: not one can stand in the way.

    :raises KeyUnavailable: there is no ring, or it does not open here.
    :raises StaleVersion: others write the ring all the time.
    """
    for left in reversed(range(_TRIES)):
        ring = await store.key_ring()
        if ring is None:
            raise KeyUnavailable("the store has no key ring: restore it with `tigercore cipher import`")
        await cipher.unlock(ring)
        try:
            await store.apply([Put(await cipher.authenticate(rotation.frozen(ring))), Record(entry)])
        except StaleVersion:
            if not left:
                raise
        else:
            return


async def import_ring(
    store: AccountStore, cipher: Cipher, ring: KeyRing, entry: AuditEntry, *, force: bool = False
) -> None:
    """Put an exported ring into a store whose own is lost or damaged, with an audit line.

    A freeze of the store's own ring stays. `force` says that a ring which does not open here is damaged.

    :raises KeyUnavailable: the exported ring does not open, is not the one of this store, lacks a key that has sealed
        something here; or the store's own ring is sound, or is perhaps another root's.
    """
    there = await store.key_ring()
    if there is not None:
        await _require_damaged(cipher, there, force=force)
    await cipher.unlock(ring)
    await _require_enough(store, there, ring)
    if there is not None:
        ring = _joined(there, ring)
    first = 0 if there is None else there.version
    last = max(first, ring.version)  # programs that are open believe no lower version
    ready = await cipher.authenticate(attrs.evolve(ring, version=last))
    steps = (Put(attrs.evolve(ring, version=version)) for version in range(first, last))
    await store.apply([*steps, Put(ready), Record(entry)])


async def _require_damaged(cipher: Cipher, there: KeyRing, *, force: bool) -> None:
    if await _passes(cipher.unlock, there):
        raise KeyUnavailable("the ring of this store opens: there is nothing to restore")
    if not force and not await _passes(cipher.authenticate, there):
        raise KeyUnavailable(
            "the ring of this store does not open here, but it may with another root, or later: give that one, or add "
            "--force if it is damaged"
        )


def _joined(there: KeyRing, ring: KeyRing) -> KeyRing:
    """Return the exported ring with what the store's own still says of an emergency.

    Anybody may have written that. So an epoch counts as far as freezes can have driven it, and no further.

    :raises KeyUnavailable: no ring can be written over the one that stands.
    """
    if not 0 <= there.version <= _HIGHEST:
        raise KeyUnavailable(
            "no ring can follow the one of this store, its version is planted: restore the store from a backup"
        )
    epoch = min(max(ring.epoch, there.epoch), ring.epoch + _FREEZES)
    return attrs.evolve(ring, frozen=ring.frozen or there.frozen, epoch=epoch)


async def _passes(ask: Callable[[KeyRing], Awaitable[object]], ring: KeyRing) -> bool:
    try:
        await ask(ring)
    except KeyUnavailable:
        return False
    return True


async def _require_enough(store: AccountStore, there: KeyRing | None, ring: KeyRing) -> None:
    rows: list[AccountRow | TokenRow] = [*await store.accounts(), *await store.token_rows()]
    opening = {key.version for key in ring.keys if rotation.opens(key)}
    lacking = sorted({row.kek for row in rows if row.sealed is not None} - opening)
    if lacking or (there is not None and there.id != ring.id):
        what = f"lacks key {lacking[0]}, which has sealed secrets here" if lacking else "is another store's"
        raise KeyUnavailable(f"the ring in this file {what}: give a newer export of this store's ring")
