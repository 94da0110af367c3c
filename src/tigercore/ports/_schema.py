"""The shape of a store, for the operator."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import final

import attrs


@final
@attrs.frozen
class SchemaStatus:
    """The schema that a store has and the one that this program needs, by revision name; None means: empty.

    `previous` is what a rollback would leave.
    """

    current: str | None
    head: str
    pending: tuple[str, ...] = ()
    previous: str | None = None


class Schema(ABC):
    """The shape of a store, for the operator. Every method opens and closes the backend by itself."""

    @abstractmethod
    async def status(self) -> SchemaStatus:
        """Tell which revision stands and which are pending.

        :raises StoreUnavailable: the backend cannot be reached.
        """

    @abstractmethod
    async def migrate(self) -> SchemaStatus:
        """Bring the store to the head revision, keeping its data; do nothing if it is there.

        :raises StoreUnavailable: the backend cannot be reached.
        """

    @abstractmethod
    async def rollback(self) -> SchemaStatus:
        """Take the last revision back; data that it alone holds is lost.

        :raises StoreUnavailable: the backend cannot be reached, or there is nothing to take back.
        """

    @abstractmethod
    async def check(self) -> list[str]:
        """Name every difference between the store and the models; an empty list is good.

        :raises StoreUnavailable: the backend cannot be reached.
        """

    @abstractmethod
    async def purge(self) -> list[str]:
        """Overwrite what replaced and removed rows left behind, and name in sentences what is out of reach.

        What is stored stays as it is, for programs that have the store open too.

        :raises StoreUnavailable: the backend cannot be reached, or a program is in the way; it is safe to try again.
        """
