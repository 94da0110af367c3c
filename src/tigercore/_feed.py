"""The store's change feed: that others have written, and whether they have frozen the key ring."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

from tigercore._snapshot import Snapshot
from tigercore.model import KeyRing
from tigercore.ports import AccountStore

PATIENCE = 2.0
"""Seconds between two looks at a store that is gone, at most: a freeze must be seen soon after it is back."""


@final
class Feed:
    """Listen to the store apart from reading it: nothing that does not open stands in the way of a freeze."""

    def __init__(self, store: AccountStore, snapshot: Snapshot, heed: Callable[[KeyRing], None]) -> None:
        self._store = store
        self._snapshot = snapshot
        self._heed = heed
        self._seen = snapshot.revision

    async def listen(self) -> None:
        """Let a freeze be heeded at once, and everything be read that others have written; for ever.

        :raises StoreUnavailable: the store is gone; nothing is missed if this is called again.
        """
        while True:
            revision = await self._store.wait_for_change(self._seen)
            if revision > self._snapshot.revision:
                ring = await self._store.key_ring()
                if ring is not None:
                    self._heed(ring)
                self._snapshot.fall_behind()
            self._seen = revision
