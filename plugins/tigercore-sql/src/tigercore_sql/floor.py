"""The floor of a batch: nothing that is sealed may be below the ring's `min_decrypt`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from sqlalchemy import Connection, Table, bindparam, exists, select
from sqlalchemy.sql import Select

from tigercore.errors import StaleVersion
from tigercore.model import KeyRing
from tigercore.ports import AccountRow, TokenRow
from tigercore_sql.tables import ACCOUNT, KEY_RING, TOKEN

_FLOOR = select(KEY_RING.c.min_decrypt).with_for_update(read=True)  # no ring is written until this batch has ended


def _below(table: Table) -> Select[tuple[bool]]:
    return select(exists().where(table.c.sealed.is_not(None), table.c.kek < bindparam("floor")))


_BELOW = {table: _below(table) for table in (ACCOUNT, TOKEN)}


@final
class Floor:
    """What the rows of a batch are held to: read once, and again where the batch itself has put the ring."""

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
        """Hold what stands, and the rest of the batch, to the floor of a ring that was just written.

        :raises StaleVersion: a row that stands is sealed with a key below it.
        """
        self._floor = ring.min_decrypt
        for table, below in _BELOW.items():
            if self._connection.scalar(below, {"floor": ring.min_decrypt}):
                raise StaleVersion(
                    f"rows of {table.name} are sealed with keys below {ring.min_decrypt}: seal them anew"
                )

    def _least(self) -> int:
        if self._floor is None:
            self._floor = self._connection.scalar(_FLOOR) or 0
        return self._floor
