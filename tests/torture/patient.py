"""Who is hurt at its system calls: what makes an installation, what changes it, and who looks at what is left."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, final

import attrs
import trio

from tests.torture.zygote import allow_tracing
from tigercore.errors import TigerCoreError
from tigercore_sql import Runner


@final
@attrs.frozen
class Patient:
    """Each of the three runs in a process of its own; `recover` is told which case it comes after.

    A `long` change makes so many calls that even the kills are drawn.
    """

    make: Callable[[Path], Awaitable[None]]
    change: Callable[[Path], Awaitable[None]]
    recover: Callable[[Path, str], Awaitable[None]]
    long: bool = False

    async def suffer(self, folder: Path, go: int) -> None:
        """Change once told to go, and note what it says; all SQL is in one thread, so that one counter counts all."""
        allow_tracing()
        os.read(go, 1)
        _use_one_thread()
        try:
            await self.change(folder)
        except TigerCoreError as error:
            (folder / "told").write_text(f"{type(error).__name__}: {error}")


def _use_one_thread() -> None:
    turn, init = trio.CapacityLimiter(1), Runner.__init__

    def alone(self: Runner, engine: Any, name: str, **_: Any) -> None:
        init(self, engine, name, writers=turn, readers=turn)

    Runner.__init__ = alone  # type: ignore[method-assign]
