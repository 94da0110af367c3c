"""A gate for each developer: calls that write, and refreshes of the token they carry, keep out of each other's way."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import final

import trio


@final
class Gate:
    """Let calls through while no refresh is under way, and a refresh begin once no call is."""

    def __init__(self) -> None:
        self._inside: Counter[str] = Counter()
        self._empty: dict[str, trio.Event] = {}
        self._shut: dict[str, trio.Event] = {}

    @asynccontextmanager
    async def passed(self, developer: str) -> AsyncIterator[None]:
        """Hold the developer's refreshes back for the time of the block; wait until none is under way."""
        while (shut := self._shut.get(developer)) is not None:
            await shut.wait()
        self._inside[developer] += 1
        try:
            yield
        finally:
            self._leave(developer)

    async def drained(self, developer: str, seconds: float) -> bool:
        """Wait until no call is under way; say whether that was so within so many seconds."""
        with trio.move_on_after(seconds):
            while self._inside[developer]:
                await self._empty.setdefault(developer, trio.Event()).wait()
        return not self._inside[developer]

    @contextmanager
    def shut(self, developer: str) -> Iterator[None]:
        """Let no call in for the time of the block."""
        shut = self._shut[developer] = trio.Event()
        try:
            yield
        finally:
            del self._shut[developer]
            shut.set()

    def _leave(self, developer: str) -> None:
        self._inside[developer] -= 1
        if not self._inside[developer]:
            del self._inside[developer]
            empty = self._empty.pop(developer, None)
            if empty is not None:
                empty.set()
