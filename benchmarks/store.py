"""Row group 9: what the SQL stores cost, next to plain SQLAlchemy Core that writes and reads the same rows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import final

import attrs
import trio
from sqlalchemy import Engine, insert, select

from benchmarks.backends import Backend, backends, plain_engine
from benchmarks.installation import PRIVATE_KEY, install, installed, migrate
from benchmarks.measure import FULL, Row, Scale, beside_once
from benchmarks.world import make_fleet
from tigercore._plugins import choose
from tigercore._sweep import PAGE
from tigercore.clock import SystemClock
from tigercore.model import AuditEntry, AuditResult, AuditSeverity
from tigercore.ports import AccountRow, AccountStore, Put, Record, TokenRow
from tigercore.testing._scripted_client import ScriptedTigerClient
from tigercore.testing.clock import driver_context
from tigercore_sql.rows import Values, account_values, audit_values, token_values
from tigercore_sql.tables import ACCOUNT, AUDIT, TOKEN

_INSERTS = tuple(insert(table) for table in (ACCOUNT, TOKEN, AUDIT))
_SELECT = select(ACCOUNT)
_TASKS = 50
_SHARE = 0.7  # of what plain Core does in a second
_LIST, _DELTA = 6.0, 0.1  # times the floor


@final
@attrs.frozen
class _Account:
    """A new account as `create_account` writes it: to the store, and as the same columns of three plain inserts."""

    row: AccountRow
    token: TokenRow
    line: AuditEntry
    values: tuple[Values, Values, Values]


@final
@attrs.frozen
class _Sides:
    """A store, plain Core on a database of the same kind, and accounts that neither of them has yet."""

    store: AccountStore
    plain: Engine
    new: Iterator[_Account]


_Subject = Callable[[AccountStore, Sequence[_Account]], Awaitable[None]]
_Floor = Callable[[Engine, Sequence[_Account]], None]


async def rows(scale: Scale) -> AsyncIterator[Row]:
    """Write and read the same accounts on both sides in turn, on SQLite and on PostgreSQL."""
    with backends() as found:
        for backend in found:
            for row in await _rows(backend.name, backend, scale):
                yield row


async def _rows(name: str, backend: Backend, scale: Scale) -> list[Row]:
    count, rounds, size = (10_000, 9, 100) if scale is FULL else (2_500, 5, 100)
    async with _sides(backend, count + 3 * rounds * size) as sides:
        write = partial(_written, name, sides)
        return [
            await write(f"create, {PAGE} in a batch", _insert_page, _apply_page, PAGE, count // PAGE),
            await write("create, one by one", _insert, _one_by_one, size, rounds),
            await write(f"create, {_TASKS} tasks", _insert, _create_at_once, size, rounds),
            await write(f"audit lines, {_TASKS} tasks", _insert_lines, _record_at_once, size, rounds, 1.0),
            *await _read(name, sides, rounds),
        ]


@asynccontextmanager
async def _sides(backend: Backend, count: int) -> AsyncIterator[_Sides]:
    context, url = driver_context(SystemClock()), backend.new()
    async with AsyncExitStack() as stack:
        place = Path(stack.enter_context(TemporaryDirectory()))
        choice = choose(await install(place, backend.new()))
        await migrate(installed(place, url))
        store = await stack.enter_async_context(choice.store.open(context))
        cipher = await stack.enter_async_context(choice.cipher.open(context))
        fleet = await make_fleet(count, cipher, ScriptedTigerClient(), PRIVATE_KEY)
        ring, *_ = fleet.puts()
        await store.apply([ring])
        yield _Sides(store, stack.enter_context(plain_engine(url)), map(_account, fleet.accounts, fleet.tokens))


def _account(row: AccountRow, token: TokenRow) -> _Account:
    row, token = attrs.evolve(row, account=attrs.evolve(row.account, version=0)), attrs.evolve(token, version=0)
    line = AuditEntry(
        row.account.created_at, "bench", "account.create", str(row.id), AuditResult.SUCCESS, AuditSeverity.LOW, {}
    )
    values = {**account_values(row), "revision": 1}, {**token_values(token), "revision": 1}, audit_values(line)
    return _Account(row, token, line, values)


# -- writing ----------------------------------------------------------------------------------------------------


async def _written(
    name: str,
    sides: _Sides,
    what: str,
    floor: _Floor,
    subject: _Subject,
    size: int,
    rounds: int,
    share: float = _SHARE,
) -> Row:
    """Give both sides the same accounts, so many in a round. The floor has a thread of its own in each round."""
    given = [list(islice(sides.new, size)) for _ in range(rounds)]
    plain, ours = iter(given), iter(given)

    async def insert_next() -> None:
        await trio.to_thread.run_sync(floor, sides.plain, next(plain))

    async def write_next() -> None:
        await subject(sides.store, next(ours))

    least, took = await beside_once(insert_next, write_next, rounds)
    rate, most = size / took, size / least
    against = "Core, executemany" if floor is _insert_page else "Core, one thread"
    target = f"≥ {share:.0%} of Core"
    return Row("store", f"{name}: {what}", "1/s", rate, most, against, rate / most, share, target, at_least=True)


async def _apply_page(store: AccountStore, page: Sequence[_Account]) -> None:
    rows = [Put(each.row) for each in page] + [Put(each.token) for each in page]
    await store.apply([*rows, *(Record(each.line) for each in page)])


async def _one_by_one(store: AccountStore, accounts: Sequence[_Account]) -> None:
    for each in accounts:
        await store.apply([Put(each.row), Put(each.token), Record(each.line)])


async def _tell(store: AccountStore, accounts: Sequence[_Account]) -> None:
    for each in accounts:
        await store.apply([Record(each.line)])


async def _create_at_once(store: AccountStore, accounts: Sequence[_Account]) -> None:
    await _shared(_one_by_one, store, accounts)


async def _record_at_once(store: AccountStore, accounts: Sequence[_Account]) -> None:
    await _shared(_tell, store, accounts)


async def _shared(work: _Subject, store: AccountStore, accounts: Sequence[_Account]) -> None:
    async with trio.open_nursery() as nursery:
        for first in range(_TASKS):
            nursery.start_soon(work, store, accounts[first::_TASKS])


def _insert_page(engine: Engine, page: Sequence[_Account]) -> None:
    with engine.begin() as connection:
        for statement, values in zip(_INSERTS, zip(*(each.values for each in page), strict=True), strict=True):
            connection.execute(statement, values)


def _insert(engine: Engine, accounts: Sequence[_Account]) -> None:
    for each in accounts:
        with engine.begin() as connection:
            for statement, values in zip(_INSERTS, each.values, strict=True):
                connection.execute(statement, values)


def _insert_lines(engine: Engine, accounts: Sequence[_Account]) -> None:
    for each in accounts:
        with engine.begin() as connection:
            connection.execute(insert(AUDIT), each.values[-1])


# -- reading ----------------------------------------------------------------------------------------------------


async def _read(name: str, sides: _Sides, rounds: int) -> list[Row]:
    store, revision = sides.store, (await sides.store.delta()).revision
    [first] = await store.accounts([(await store.accounts())[0].id])
    await store.apply([Put(first)])
    count = len(await store.accounts())

    async def select_all() -> None:
        await trio.to_thread.run_sync(_select_all, sides.plain)

    listed = await beside_once(select_all, store.accounts, rounds)
    delta = await beside_once(store.delta, partial(store.delta, revision), rounds)
    return [
        _taken(f"{name}: list {count:,} accounts", listed, "Core, SELECT", _LIST),
        _taken(f"{name}: delta of one row of {count:,}", delta, "the full delta", _DELTA),
    ]


def _taken(name: str, times: tuple[float, float], against: str, most: float) -> Row:
    least, took = (seconds * 1e3 for seconds in times)
    return Row("store", name, "ms", took, least, against, took / least, most, f"≤ {most} ×")


def _select_all(engine: Engine) -> None:
    with engine.connect() as connection:
        connection.execute(_SELECT).all()
