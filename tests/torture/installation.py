"""An installation in a folder: one SQLite file, one key file, and accounts, each of a developer of its own.

Store and cipher are the real ones. The client is the scripted one: nothing is sent, and while real RSA keys are
checked, 35 ms each, eight writers would get in nobody's way.
"""

from __future__ import annotations

import base64
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

from tigercore import Tigercore, run_on
from tigercore._rotation import opens
from tigercore.app import Ports
from tigercore.clock import SystemClock
from tigercore.errors import DecryptionFailed, KeyUnavailable
from tigercore.ports import AccountRow, DriverContext, TokenRow
from tigercore.testing._first_balancer import FirstBalancer
from tigercore.testing._scripted_client import ScriptedTigerClient
from tigercore.testing.clock import driver_context
from tigercore_cipher_local import LocalCipher, LocalOptions
from tigercore_sqlite import SqliteOptions, SqliteStore

_PRIVATE_KEY = "KEY " + 1700 * "k"  # as long as a real one

_BELOW = """
SELECT min_decrypt, (SELECT count(*) FROM tc_account WHERE kek < min_decrypt)
                  + (SELECT count(*) FROM tc_token WHERE sealed IS NOT NULL AND kek < min_decrypt)
FROM tc_key_ring"""
_STATES = "SELECT state, count(*) FROM tc_kek GROUP BY state"


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Tigercore]:
    """Open the installation."""
    clock = SystemClock()
    context = driver_context(clock)
    async with drivers(folder, context) as (store, cipher):
        ports = Ports(store, cipher, ScriptedTigerClient(), {"round_robin": FirstBalancer(None, context)})
        async with run_on(ports, clock=clock, initiator="torture") as tiger:
            yield tiger


@asynccontextmanager
async def drivers(folder: Path, context: DriverContext) -> AsyncIterator[tuple[SqliteStore, LocalCipher]]:
    """Open the store and the cipher alone."""
    store, cipher = SqliteStore.open(_store(folder), context), LocalCipher.open(_root(folder), context)
    async with store as opened_store, cipher as opened_cipher:
        yield opened_store, opened_cipher


async def prepare(folder: Path, numbers: Sequence[str]) -> None:
    """Make the database, the root and these accounts."""
    LocalCipher.create_root(_root(folder))
    await SqliteStore.schema(_store(folder)).migrate()
    async with opened(folder) as tiger:
        for number in numbers:
            await tiger.accounts.create_account(**given(number))


def given(number: str) -> dict[str, Any]:
    """Return what makes an account."""
    return {
        "account_name": f"account {number}",
        "account_number": number,
        "tiger_id": tiger_id(number),
        "private_key": _PRIVATE_KEY,
        "environment": "sandbox",
    }


def tiger_id(number: str) -> str:
    """Return the developer of an account: no two share one."""
    return f"20{number}"


def token(at: int) -> str:
    """Return a token that was issued in this millisecond since 2026, and ends far from now."""
    return base64.b64encode(b"%d,%d" % (1767225600000 + at, 4102444800000) + b"0123456789abcdef").decode()


def unopened(tiger: Tigercore, *, suspects: bool = False) -> Iterator[str]:
    """Open everything that this process has in memory, past every cache, and name what does not open.

    With `suspects` only what the ring in memory says cannot open is tried, which costs next to nothing.
    """
    snapshot, vault = tiger.accounts._snapshot, tiger.accounts._vault
    ring = snapshot.ring
    known = {key.version for key in ring.keys if opens(key)} if suspects else set()
    rows: list[AccountRow | TokenRow] = [*snapshot.rows.values(), *snapshot.tokens.values()]
    for row in rows:
        try:
            if row.kek not in known:
                vault.verify(row)
        except (DecryptionFailed, KeyUnavailable) as error:
            yield f"{type(row).__name__} {row.id} v{row.version} kek {row.kek}, ring at v{ring.version}: {error}"


def database(folder: Path, name: str = "tigercore.db") -> sqlite3.Connection:
    """Connect as a program that is not tigercore."""
    return sqlite3.connect(folder / name, timeout=30, isolation_level=None)


def rows_below(connection: sqlite3.Connection) -> tuple[int, int]:
    """Return the ring's `min_decrypt` and how many rows are below it, at one moment."""
    floor, below = connection.execute(_BELOW).fetchone()
    return floor, below


def key_states(connection: sqlite3.Connection) -> dict[str, int]:
    """Return how many keys of the ring are in each state, at one moment."""
    return dict(connection.execute(_STATES).fetchall())


def integrity(folder: Path, name: str = "tigercore.db") -> str:
    """Return SQLite's own verdict: `ok`."""
    with closing(database(folder, name)) as connection:
        verdict: str = connection.execute("PRAGMA integrity_check").fetchone()[0]
        return verdict


def _store(folder: Path) -> SqliteOptions:
    return SqliteOptions(str(folder / "tigercore.db"))


def _root(folder: Path) -> LocalOptions:
    return LocalOptions(key_file=str(folder / "root.key"))
