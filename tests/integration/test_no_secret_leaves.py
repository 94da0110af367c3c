"""A run at DEBUG, with failures in every layer, leaves no byte of a secret in any file or log."""

from __future__ import annotations

import base64
import io
import logging
import sqlite3
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.conftest import Opener
from tigercore import OperationType, TigerCoreError
from tigercore_simulator import Fault, Kind, Simulator

TRADE = {
    "symbol": "AAPL",
    "sec_type": "STK",
    "currency": "USD",
    "action": "BUY",
    "order_type": "MKT",
    "total_quantity": 1,
}
FAULTS = [Kind.HTTP_429, Kind.CODE_4, Kind.HTTP_5XX, Kind.RESET_AFTER, Kind.CUT, Kind.NOT_JSON, Kind.NESTED_CODE]


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Catch everything that any logger says at DEBUG, with tracebacks."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


def with_locals(error: TigerCoreError) -> Iterator[str]:
    """Format a traceback as a careless error reporter does: with the locals of every frame, but for this test's."""
    trace = traceback.TracebackException.from_exception(error, capture_locals=True)
    for each in (trace, trace.__cause__, trace.__context__):
        for frame in (each and each.stack) or ():
            frame.locals = None if frame.filename == __file__ else frame.locals
    return trace.format()


async def live(opener: Opener, gateway: Simulator, portal: list[Path], log: io.StringIO) -> list[str]:
    """Use every part of tigercore, well and badly; return the secrets that were in play."""
    secrets: list[str] = []
    async with opener() as tiger:
        for folder in portal:
            account = await tiger.accounts.create_account_from_properties(folder)
            credentials = await tiger.accounts.decrypt_credentials(account)
            secrets += [credentials["tiger_id"].reveal(), credentials["private_key"].reveal()]
            for kind in FAULTS:
                gateway.faults.add(Fault(kind, method="place_order", count=1))
                for operation, params in ((OperationType.PLACE_ORDER, TRADE), (OperationType.QUOTE, {})):
                    try:
                        await tiger.execute(operation, params, account=account)
                    except TigerCoreError as error:
                        log.writelines(with_locals(error))
        holder = next(a for a in await tiger.accounts.list_accounts() if a.needs_token)
        for _ in range(2):
            token = await tiger.tokens.token_for(holder)
            assert token is not None
            secrets.append(token.value.reveal())
            await tiger.tokens.refresh_token(holder)
    return secrets


def forms(secret: str) -> list[bytes]:
    """Return the ways in which a secret may lie somewhere: as it is, in hex, in base64, in UTF-16, and a key's body."""
    raw = secret.encode()
    body = raw[40:80] if len(raw) > 100 else raw
    return [raw, body, body.hex().encode(), base64.b64encode(body).rstrip(b"=")[:-1], body.decode().encode("utf-16-le")]


async def test_no_byte_of_a_secret_is_found_in_any_file_or_log(
    opener: Opener, gateway: Simulator, portal: list[Path], log: io.StringIO, tmp_path: Path
) -> None:
    held_open = sqlite3.connect(tmp_path / "tigercore.db")  # keeps the WAL on the disk when tigercore closes
    held_open.execute("select * from tc_account").fetchall()
    secrets = await live(opener, gateway, portal, log)
    files = {path.name: path.read_bytes() for path in sorted(tmp_path.glob("tigercore.db*"))}  # noqa: ASYNC240
    held_open.close()
    assert {"tigercore.db", "tigercore.db-wal"} <= set(files)
    assert len(files["tigercore.db-wal"]) > 10_000
    heaps = {**files, "log": log.getvalue().encode()}
    assert len(heaps["log"]) > 10_000
    found = [
        (name, secrets.index(s)) for name, heap in heaps.items() for s in secrets for form in forms(s) if form in heap
    ]
    assert [] == found


async def test_the_hunt_finds_a_secret_that_does_leak(log: io.StringIO) -> None:
    logging.getLogger("anything").debug("token is %s", "abc-20150001-def")
    assert forms("20150001")[0] in log.getvalue().encode()
