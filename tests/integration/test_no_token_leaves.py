"""A run at DEBUG through every way a token takes leaves no byte of one in any file, log or error."""

from __future__ import annotations

import io
import logging
import os
import sqlite3
import traceback
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs
import httpx2 as httpx
import pytest
import trio

from tests.integration.conftest import Opener
from tests.integration.hunt import found
from tigercore import Settings, TigerAccount, Tigercore, TigerCoreError, open_tigercore
from tigercore.model import Environment, Grant
from tigercore.ports import Prompt
from tigercore.settings import DriverSettings
from tigercore_simulator import Fault, Kind, Simulator, open_simulator

REFRESH = "user_token_refresh"
Secrets = dict[str, str | bytes]


@pytest.fixture
async def gateway() -> AsyncIterator[Simulator]:
    async with open_simulator(developers=1, licenses=("TBHK",)) as simulator:
        yield simulator


@pytest.fixture
def kept_in(tmp_path: Path) -> DriverSettings:
    """Return a store whose files can be read."""
    return DriverSettings(driver="sqlite", options={"path": str(tmp_path / "tigercore.db")})


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Catch everything that any logger says at DEBUG, with tracebacks."""
    stream, root = io.StringIO(), logging.getLogger()
    handler, level = logging.StreamHandler(stream), root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.fixture
def opener(settings: Settings, tmp_path: Path) -> Opener:
    """Return what opens tigercore with a journal that can be read, and short waits."""
    tokens = attrs.evolve(settings.tokens, journal=str(tmp_path / "journal"), per_minute=1000, timeout=1.0)
    return lambda: open_tigercore(attrs.evolve(settings, tokens=tokens))


async def _visit(url: str) -> None:
    async with httpx.AsyncClient(follow_redirects=True, trust_env=False) as browser:
        await browser.get(url)


async def _logged_in(tiger: Tigercore, gateway: Simulator) -> TigerAccount:
    async with trio.open_nursery() as nursery:

        def show(prompt: Prompt) -> None:
            nursery.start_soon(_visit, prompt.url)

        where = {"environment": Environment.SANDBOX, "server_url": gateway.url, "issuer": gateway.issuer.url}
        return (await tiger.logins.log_in(show, **where))[0]


async def _kept(tiger: Tigercore, account: TigerAccount, secrets: Secrets) -> None:
    """Take note of the secrets of a token as it stands now."""
    token = await tiger.tokens.token_for(account)
    assert token is not None
    number = len(secrets)
    try:
        grant = Grant.of(token)
    except ValueError:
        secrets[f"token {number}"] = token.value.reveal()
    else:
        secrets[f"access token {number}"] = grant.access_token.reveal()
        secrets[f"refresh token {number}"] = grant.refresh_token.reveal()


@contextmanager
def _told(log: io.StringIO) -> Iterator[None]:
    """Log an error as a careless reporter does: with the locals of every frame of ours."""
    try:
        yield
    except TigerCoreError as error:
        trace = traceback.TracebackException.from_exception(error, capture_locals=True)
        for frame in trace.stack:
            frame.locals = None if frame.filename == __file__ else frame.locals
        log.writelines(trace.format())


async def _live(tiger: Tigercore, gateway: Simulator, account: TigerAccount, log: io.StringIO) -> Secrets:
    """Refresh well and badly, be refused, and look at what is written about it."""
    secrets = Secrets()
    await _kept(tiger, account, secrets)
    assert (await tiger.tokens.refresh_token(account)).success
    await _kept(tiger, account, secrets)
    for kind in (Kind.HTTP_429, Kind.HTTP_5XX, Kind.RESET_BEFORE, Kind.NOT_JSON):
        gateway.faults.add(Fault(kind, method=REFRESH, count=1))
        with _told(log):
            log.write(f"{await tiger.tokens.refresh_token(account)!r}")
    with _told(log):
        await _kept(tiger, account, secrets)
    log.write(repr(await tiger.tokens.get_token_status_history(account)))
    log.write(repr(await tiger.tokens.get_refresh_statistics()))
    log.write(repr(await tiger.tokens.get_token_status(account)))
    log.write(repr(await tiger.tokens._store.audit()))
    return secrets


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


async def test_no_byte_of_a_token_is_found_in_any_file_log_or_error(
    opener: Opener, gateway: Simulator, log: io.StringIO, tmp_path: Path
) -> None:
    held_open = sqlite3.connect(tmp_path / "tigercore.db")  # keeps the WAL on the disk when tigercore closes
    held_open.execute("select * from tc_account").fetchall()
    async with opener() as tiger:
        developer = gateway.developers[0]
        holder = await tiger.accounts.create_account(
            account_name="holder",
            account_number=developer.prime_account,
            tiger_id=developer.tiger_id,
            private_key=developer.private_key_pk8,
            license="TBHK",
            environment="sandbox",
            server_url=gateway.url,
            token=gateway.token(developer),
        )
        secrets = await _live(tiger, gateway, holder, log)
        await tiger.accounts.delete_account(holder.id)
        person = await _logged_in(tiger, gateway)
        secrets |= {f"{name} of a grant": value for name, value in (await _live(tiger, gateway, person, log)).items()}
        with _told(log):
            await tiger.logins.log_out(person)
        with _told(log):
            await tiger.execute("positions", account=person)
    heaps = _files(tmp_path)
    held_open.close()
    heaps["log"] = log.getvalue().encode()
    assert {"tigercore.db", "tigercore.db-wal"} <= set(heaps)
    assert (True, True) == (len(heaps["log"]) > 10_000, len(secrets) >= 6)
    assert [] == found(secrets, heaps)
    assert found({"what must be found": os.fsencode(holder.account_number)}, heaps)
