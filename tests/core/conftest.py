"""The yard in which stores are moved."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.conftest import World, add
from tests.core.yard import LOG, Yard, line
from tigercore.ports import Record
from tigercore.testing._gateway import token_text
from tigercore.testing._store_samples import attempt


@pytest.fixture
async def yard(world: World) -> Yard:
    """Return a store with a token, a rotated ring, long logs and attempts of one moment."""
    async with world.open() as tiger:
        holder = await add(tiger, license="TBHK", token=token_text(world.clock.now(), timedelta(days=15)))
        await add(tiger, is_default_trading=True)
        await tiger.keys.rotate()
    await world.store.apply([Record(line(number)) for number in range(LOG)])
    moments = [world.clock.now() - timedelta(seconds=number // 1500) for number in range(LOG)]
    await world.store.apply([Record(attempt(holder.id, moment)) for moment in moments])
    return Yard(world)


@pytest.fixture
async def file(yard: Yard, tmp_path: Path) -> Path:
    """Return a backup of the yard's store."""
    return await yard.backup(tmp_path / "tiger.backup")
