"""Account stores whose purge does harm. Each breaks the laws that it names, and keeps all others."""

from __future__ import annotations

from typing import Any

from tests.laws._store_base import Broken, Right, RightSchema, laws
from tigercore.ports import Schema
from tigercore.testing._memory_tables import MemoryTables


class TestPurgesWhatStands(Broken):
    breaks = laws("test_a_purge_keeps_everything_that_is_stored test_a_store_that_is_open_goes_on_after_a_purge")

    class Driver(Right):
        @classmethod
        def schema(cls, options: Any) -> Schema:
            return Emptying(options)


class TestNamesCodesInsteadOfSentences(Broken):
    breaks = laws("test_a_purge_says_in_sentences_what_is_out_of_reach")

    class Driver(Right):
        @classmethod
        def schema(cls, options: Any) -> Schema:
            return Terse(options)


class Emptying(RightSchema):
    async def purge(self) -> list[str]:
        self.options.backend.commit(MemoryTables())
        return []


class Terse(RightSchema):
    async def purge(self) -> list[str]:
        return ["backups"]
