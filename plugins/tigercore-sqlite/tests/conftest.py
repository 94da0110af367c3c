from pathlib import Path

import pytest

from tigercore_sqlite import SqliteOptions, SqliteStore


@pytest.fixture
async def options(tmp_path: Path) -> SqliteOptions:
    options = SqliteOptions(str(tmp_path / "tigercore.db"))
    await SqliteStore.schema(options).migrate()
    return options
