"""The key ring: a row of its own, its keys, and the slots of each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, bindparam, delete, insert, select

from tigercore.model import KeyRing, KeySlot, KeyState, WrappedKey
from tigercore_sql.damage import converted, fetched, require_kinds
from tigercore_sql.rows import Values, microseconds, moment, words
from tigercore_sql.tables import KEK, KEK_SLOT, KEY_RING

_DROP_KEYS = delete(KEK).where(KEK.c.ring_id == bindparam("read_id"))
_KEYS = select(KEK).where(KEK.c.ring_id == bindparam("read_id")).order_by(KEK.c.version)
_SLOTS = (
    select(KEK_SLOT).where(KEK_SLOT.c.ring_id == bindparam("read_id")).order_by(KEK_SLOT.c.version, KEK_SLOT.c.position)
)


def read_ring(connection: Connection) -> KeyRing | None:
    """Return the key ring with its keys in the order of their versions, None if there is none.

    :raises StoreUnavailable: something else than tigercore has changed it.
    """
    found = fetched(KEY_RING, connection.execute(select(KEY_RING)).one_or_none)
    return (
        None if found is None else converted(KEY_RING, found, lambda ring: _key_ring(ring, _keys(connection, ring.id)))
    )


def ring_values(ring: KeyRing) -> Values:
    """Return the columns of a key ring without its keys, one version further.

    :raises ValueError: it has two keys of one version, or a key has two slots of one provider.
    """
    _require_distinct(ring)
    return {
        "id": ring.id,
        "slot": 1,
        "active": ring.active,
        "min_decrypt": ring.min_decrypt,
        "frozen": ring.frozen,
        "epoch": ring.epoch,
        "recovery": json.dumps(ring.recovery),
        "hash_key": ring.hash_key,
        "mac": ring.mac,
        "version": ring.version + 1,
    }


def replace_keys(connection: Connection, ring: KeyRing) -> None:
    """Write the keys of a ring in the place of those that stand; their slots go with them."""
    connection.execute(_DROP_KEYS, {"read_id": ring.id})
    if ring.keys:
        connection.execute(insert(KEK), [_key_values(ring, key) for key in ring.keys])
    if slots := [values for key in ring.keys for values in _slot_values(ring, key)]:
        connection.execute(insert(KEK_SLOT), slots)


def _require_distinct(ring: KeyRing) -> None:
    if len({key.version for key in ring.keys}) < len(ring.keys):
        raise ValueError(f"key ring {ring.id} has two keys of one version")
    for key in ring.keys:
        if len({slot.provider for slot in key.slots}) < len(key.slots):
            raise ValueError(f"key {key.version} of ring {ring.id} has two slots of one provider")


def _key_values(ring: KeyRing, key: WrappedKey) -> Values:
    return {
        "ring_id": ring.id,
        "version": key.version,
        "state": key.state.value,
        "check_value": key.check,
        "created_at": microseconds(key.created_at),
    }


def _slot_values(ring: KeyRing, key: WrappedKey) -> list[Values]:
    place = {"ring_id": ring.id, "version": key.version}
    return [
        {**place, "provider": slot.provider, "position": position, "blob": slot.blob}
        for position, slot in enumerate(key.slots)
    ]


def _keys(connection: Connection, ring_id: UUID) -> tuple[WrappedKey, ...]:
    keys, slots = (connection.execute(query, {"read_id": ring_id}).all() for query in (_KEYS, _SLOTS))
    of_key: dict[int, list[KeySlot]] = {}
    for slot in slots:
        require_kinds(KEK_SLOT, slot)
        of_key.setdefault(slot.version, []).append(KeySlot(slot.provider, slot.blob))
    return tuple(_wrapped_key(key, of_key.get(key.version, ())) for key in keys)


def _key_ring(found: Row[Any], keys: tuple[WrappedKey, ...]) -> KeyRing:
    return KeyRing(
        id=found.id,
        active=found.active,
        keys=keys,
        min_decrypt=found.min_decrypt,
        frozen=found.frozen,
        epoch=found.epoch,
        recovery=tuple(words(found.recovery)),
        hash_key=found.hash_key,
        mac=found.mac,
        version=found.version,
    )


def _wrapped_key(found: Row[Any], slots: Sequence[KeySlot]) -> WrappedKey:
    require_kinds(KEK, found)
    return WrappedKey(
        version=found.version,
        state=KeyState(found.state),
        check=found.check_value,
        slots=tuple(slots),
        created_at=moment(found.created_at),
    )
