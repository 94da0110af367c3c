"""How a store gets its key ring: the first one, or the one that it has lost."""

from __future__ import annotations

import random
from contextlib import suppress
from uuid import UUID

import attrs

from tigercore import _rotation as rotation
from tigercore.errors import KeyUnavailable, StaleVersion
from tigercore.model import AuditEntry, KeyRing
from tigercore.ports import AccountRow, AccountStore, Cipher, Put, Record, TokenRow


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


async def import_ring(store: AccountStore, cipher: Cipher, ring: KeyRing, entry: AuditEntry) -> None:
    """Put an exported ring into a store whose own is lost or damaged, with an audit line.

    :raises KeyUnavailable: the exported ring does not open, is not the one of this store, lacks a key that has sealed
        something here, or the store's own ring is sound.
    """
    there = await store.key_ring()
    rows: list[AccountRow | TokenRow] = [*await store.accounts(), *await store.token_rows()]
    if there is not None and await _is_sound(cipher, there):
        raise KeyUnavailable("the ring of this store opens: there is nothing to restore")
    await cipher.unlock(ring)
    opening = {key.version for key in ring.keys if rotation.opens(key)}
    lacking = sorted({row.kek for row in rows if row.sealed is not None} - opening)
    if lacking or (there is not None and there.id != ring.id):
        what = f"lacks key {lacking[0]}, which has sealed secrets here" if lacking else "is another store's"
        raise KeyUnavailable(f"the ring in this file {what}: give a newer export of this store's ring")
    version = 0 if there is None else there.version
    ready = await cipher.authenticate(attrs.evolve(ring, version=version))
    await store.apply([Put(ready), Record(entry)])


async def _is_sound(cipher: Cipher, ring: KeyRing) -> bool:
    try:
        await cipher.unlock(ring)
    except KeyUnavailable:
        return False
    return True
