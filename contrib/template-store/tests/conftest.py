from __future__ import annotations

from pathlib import Path

import pytest
import trio

from tigercore_template_store import JsonFileOptions, JsonFileStore


@pytest.fixture
def options(tmp_path: Path) -> JsonFileOptions:
    """Return the options of a new and empty store."""
    options = JsonFileOptions(str(tmp_path / "store.json"))
    trio.run(JsonFileStore.schema(options).migrate)
    return options
