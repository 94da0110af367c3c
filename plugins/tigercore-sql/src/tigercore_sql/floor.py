"""The floor of a batch: nothing that is sealed may be below the ring's `min_decrypt`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

from sqlalchemy import Connection, Table, bindparam, exists, select
from sqlalchemy.sql import Select

from tigercore.errors import StaleVersion
from tigercore.model import KeyRing
from tigercore.ports import AccountRow, TokenRow
from tigercore_sql.damage import converted, fetched
from tigercore_sql.tables import ACCOUNT, KEY_RING, TOKEN

# no ring is written by others until this batch has ended
_FLOOR: Select[Any] = select(KEY_RING.c.id, KEY_RING.c.min_decrypt).with_for_update(read=True)


def _below(table: Table) -> Select[tuple[bool]]:
    return select(exists().where(table.c.sealed.is_not(None), table.c.kek < bindparam("floor")))


_BELOW = {table: _below(table) for table in (ACCOUNT, TOKEN)}


@final
class Floor:
    """What the rows of a batch are held to: read once, then what the batch itself puts."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._floor: int | None = None

    def admit(self, rows: Sequence[AccountRow | TokenRow]) -> None:
        """Pass if none of these rows is sealed with a key below the floor.

        :raises StaleVersion: one is: its writer has not seen the ring that stands.
        """
        lowest = min((row.kek for row in rows if row.sealed is not None), default=None)
        if lowest is not None and lowest < self._least():
            raise StaleVersion(f"key {lowest} has sealed this, and the key ring opens less: read the ring again")

    def move(self, ring: KeyRing) -> None:
        """Hold the rest of the batch to the floor of a ring that is about to be written; if it rises, what stands, too.

        Where it does not rise, a row that others have put below it keeps no ring from being written: not a freeze.

        :raises StaleVersion: the floor rises above the key of a row that stands.
        """
        before, self._floor = self._least(), ring.min_decrypt
        if before < ring.min_decrypt:
            self._require_nothing_below(ring)

    def _require_nothing_below(self, ring: KeyRing) -> None:
        for table, below in _BELOW.items():
            if self._connection.scalar(below, {"floor": ring.min_decrypt}):
                raise StaleVersion(
                    f"rows of {table.name} are sealed with keys below {ring.min_decrypt}: seal them anew"
                )

    def _least(self) -> int:
        if self._floor is None:
            self._floor = _stored(self._connection)
        return self._floor


def _stored(connection: Connection) -> int:
    ring = fetched(KEY_RING, connection.execute(_FLOOR).one_or_none)
    return 0 if ring is None else converted(KEY_RING, ring, lambda found: int(found.min_decrypt))
