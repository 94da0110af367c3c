"""An account store that keeps everything in one JSON file: copy it, rename it, make it yours."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import ClassVar, Self, TypeVar, final
from uuid import UUID

import attrs
import trio

from tigercore.model import KeyRing, TokenRefreshStatus
from tigercore.ports import (
    AccountRow,
    AccountStore,
    AttemptStatistics,
    AuditLine,
    Change,
    Delta,
    DriverContext,
    Schema,
    SchemaStatus,
    TokenAttempt,
    TokenRow,
)
from tigercore_template_store.file import JsonFile
from tigercore_template_store.statistics import summed_up
from tigercore_template_store.tables import FORMAT, Tables

T = TypeVar("T")

_LOOK_EVERY, _TRY_EVERY = 0.1, 0.005  # seconds between two looks at the file, and between two tries to lock it


@final
@attrs.frozen
class JsonFileOptions:
    """Where the file is."""

    path: str = "tigercore.json"

    @property
    def file(self) -> JsonFile:
        """Return the file."""
        return JsonFile(Path(self.path).expanduser().absolute())


@final
class JsonFileStore(AccountStore):
    """Keep accounts in a file of JSON, for any number of processes of one host.

    Each read parses all of it and each batch writes all of it: for some hundred accounts.
    """

    Options: ClassVar[type] = JsonFileOptions

    def __init__(self, options: JsonFileOptions, context: DriverContext) -> None:
        super().__init__(options, context)
        self._file = options.file

    @classmethod
    def schema(cls, options: JsonFileOptions) -> Schema:
        """Return the operator's view of the file."""
        return JsonFileSchema(options.file)

    @classmethod
    @asynccontextmanager
    async def open(cls, options: JsonFileOptions, context: DriverContext) -> AsyncIterator[Self]:
        """Look whether the file can be used; each method opens it anew.

        :raises StoreUnavailable: there is no file, others may open it, or it has another format.
        """
        store = cls(options, context)
        await store._load()
        yield store

    async def apply(self, changes: Sequence[Change]) -> int:
        """Carry out all changes in their order, or none, and return the store's revision after them."""
        return await self._update(lambda tables: tables.apply(changes))

    async def accounts(self, ids: Collection[UUID] | None = None) -> list[AccountRow]:
        """Return these accounts, or all, in the order in which they were first put."""
        return [row for row in (await self._load()).accounts.values() if ids is None or row.id in ids]

    async def token_rows(self, ids: Collection[UUID] | None = None) -> list[TokenRow]:
        """Return the token rows of these accounts, or all."""
        return [row for row in (await self._load()).tokens.values() if ids is None or row.id in ids]

    async def delta(self, after: int = -1) -> Delta:
        """Return what batches with a revision above `after` have left."""
        return (await self._load()).delta(after, self.context.clock.now())

    async def token_attempts(
        self,
        ids: Collection[UUID] | None = None,
        *,
        since: datetime | None = None,
        before: UUID | None = None,
        status: TokenRefreshStatus | None = None,
        limit: int = 1000,
    ) -> list[TokenAttempt]:
        """Return attempts, newest first, of these accounts or all."""
        return [
            each
            for each in (await self._load()).attempts_behind(before)
            if (ids is None or each.account_id in ids)
            and (since is None or each.started_at >= since)
            and status in (None, each.status)
        ][:limit]

    async def attempt_statistics(
        self, ids: Collection[UUID] | None = None, *, since: datetime | None = None
    ) -> AttemptStatistics:
        """Sum up attempts, which this store has in its hands anyway; a database counts them itself."""
        return summed_up(await self.token_attempts(ids, since=since, limit=sys.maxsize))

    async def claim_due_tokens(self, owner: str, lease: float, limit: int) -> list[TokenRow]:
        """Mark up to `limit` due tokens REFRESHING for `owner`, and return them; the clock is the host's."""
        if not (await self._load()).due(self.context.clock.now(), limit):  # who finds nothing locks and writes nothing
            return []

        def claim(tables: Tables) -> list[TokenRow]:
            now = self.context.clock.now()
            return tables.claim(now, limit, owner, now + timedelta(seconds=lease))

        return await self._update(claim)

    async def key_ring(self) -> KeyRing | None:
        """Return the key ring, None if there is none."""
        return (await self._load()).ring

    async def audit(self, *, after: int = 0, limit: int = 1000) -> list[AuditLine]:
        """Return audit lines; the number of a line is its place, for none is ever removed."""
        lines = enumerate((await self._load()).audit, start=1)
        return [AuditLine(number, entry) for number, entry in lines if number > after][:limit]

    async def wait_for_change(self, after: int) -> int:
        """Look at the file until its revision is above `after`, and return it."""
        while True:
            with await trio.to_thread.run_sync(self._file.open) as file:
                seen = self._file.stamp(file)  # before it is read: a write in between is seen as one
                revision = (await trio.to_thread.run_sync(self._file.decode, file)).revision
                if revision > after:
                    return revision
                while seen == await trio.to_thread.run_sync(self._file.stamp):  # noqa: ASYNC110  (others write too)
                    await trio.sleep(_LOOK_EVERY)

    async def _load(self) -> Tables:
        return await trio.to_thread.run_sync(self._file.load)

    async def _update(self, change: Callable[[Tables], T]) -> T:
        return await _patiently(lambda: self._file.update(change))


@final
class JsonFileSchema(Schema):
    """Make the file, or remove it. There is one format; the second one will be made of the first in `migrate`."""

    def __init__(self, file: JsonFile) -> None:
        self._file = file

    async def status(self) -> SchemaStatus:
        """Tell which format the file has, None if there is no file."""
        if not await trio.to_thread.run_sync(lambda: self._file.is_there):
            return SchemaStatus(None, str(FORMAT), (str(FORMAT),))
        await self.check()
        return SchemaStatus(str(FORMAT), str(FORMAT))

    async def migrate(self) -> SchemaStatus:
        """Create the file if there is none."""
        await _patiently(self._file.create)
        return await self.status()

    async def rollback(self) -> SchemaStatus:
        """Remove the file, and all that is stored."""
        await self.check()  # of another program's file nothing is taken back
        await _patiently(self._file.remove)
        return await self.status()

    async def check(self) -> list[str]:
        """Name the rules that the file breaks."""
        return list((await trio.to_thread.run_sync(self._file.load)).broken_rules())

    async def purge(self) -> list[str]:
        """Write the file anew, over what a writer who was killed has left, and say where else old bytes are."""
        await _patiently(lambda: self._file.update(lambda _: None))
        return [
            f"Every batch has written {self._file.path} anew: blocks of older ones are free, but not overwritten.",
            "Backups, copies and snapshots hold what was stored when they were made: delete those that are older.",
        ]


async def _patiently(write: Callable[[], T]) -> T:
    """Write in a thread when nobody else does. Who waits can be cancelled; what has begun is done to its end."""
    while True:
        with suppress(BlockingIOError):
            return await trio.to_thread.run_sync(write)
        await trio.sleep(_TRY_EVERY)
