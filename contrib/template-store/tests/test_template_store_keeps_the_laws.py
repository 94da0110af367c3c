from __future__ import annotations

import itertools
import json
from base64 import b85decode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tigercore.testing.clock import driver_context
from tigercore.testing.stateful import store_machine
from tigercore.testing.store import DurableStoreContract, StoreMaker
from tigercore_template_store import JsonFileOptions, JsonFileStore

SETTINGS = settings(
    max_examples=15, stateful_step_count=20, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


class TestJsonFileStoreKeepsTheLaws(DurableStoreContract):
    @pytest.fixture
    def store_maker(self, options: JsonFileOptions) -> StoreMaker:
        return lambda: JsonFileStore.open(options, driver_context())

    @pytest.fixture
    def break_backend(self, options: JsonFileOptions) -> Callable[[], None]:
        return options.file.path.unlink

    @pytest.fixture
    def raw_bytes(self, options: JsonFileOptions) -> Callable[[], bytes]:
        def read() -> bytes:
            stored = json.loads(options.file.path.read_bytes())
            rows = [*stored["accounts"].values(), *stored["tokens"].values()]
            return b"".join(b85decode(row["sealed"] or "") for row in rows)

        return read


def test_it_behaves_as_the_memory_store(tmp_path: Path) -> None:
    numbers = itertools.count()

    @asynccontextmanager
    async def opened() -> AsyncIterator[JsonFileStore]:
        options = JsonFileOptions(str(tmp_path / f"{next(numbers)}.json"))
        await JsonFileStore.schema(options).migrate()
        async with JsonFileStore.open(options, driver_context()) as store:
            yield store

    run_state_machine_as_test(store_machine(opened), settings=SETTINGS)


def test_it_is_found_by_its_name() -> None:
    (found,) = entry_points(group="tigercore.stores", name="json_file")
    assert JsonFileStore is found.load()
