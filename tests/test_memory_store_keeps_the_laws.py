from collections.abc import Callable

import pytest

from tigercore.testing.clock import ManualClock, driver_context
from tigercore.testing.store import AccountStoreContract, MemoryAccountStore, MemoryBackend, MemoryOptions, StoreMaker


class TestMemoryStoreKeepsTheLaws(AccountStoreContract):
    @pytest.fixture
    def backend(self) -> MemoryBackend:
        return MemoryBackend()

    @pytest.fixture
    def store_maker(self, backend: MemoryBackend) -> StoreMaker:
        return lambda: MemoryAccountStore.open(MemoryOptions(backend), driver_context())

    @pytest.fixture
    def break_backend(self, backend: MemoryBackend) -> Callable[[], None]:
        return lambda: setattr(backend, "broken", True)


async def test_the_time_of_a_memory_store_is_that_of_its_clock() -> None:
    clock = ManualClock()
    async with MemoryAccountStore.open(MemoryOptions(), driver_context(clock)) as store:
        clock.advance(90)
        assert clock.now() == (await store.delta()).now


async def test_a_memory_store_is_always_at_the_head_of_its_schema() -> None:
    schema = MemoryAccountStore.schema(MemoryOptions())
    status = await schema.migrate()
    assert (status.head, ()) == (status.current, status.pending)
    assert [] == await schema.check()
