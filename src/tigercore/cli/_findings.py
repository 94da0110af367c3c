"""What `tigercore doctor` looks at, one function a check."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Sequence
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final, final

import attrs
import trio

from tigercore._plugins import installed
from tigercore.app import Tigercore
from tigercore.cli.plugins import is_loaded
from tigercore.clock import SystemClock
from tigercore.model import KeyRingStatus, KeyState, TigerAccount, TokenState, TokenStatus, TokenValidation
from tigercore.settings import Settings

_SOON: Final = timedelta(days=7)
_OLD: Final = timedelta(days=365)
_DEAD: Final = (TokenState.NOT_REQUIRED, TokenState.NEEDS_REAUTH, TokenState.DISABLED)
_NEW: Final = "make one in the developer portal, then: tigercore account update {} --token-file FILE"


@final
class Level(StrEnum):
    """How well it is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@final
@attrs.frozen
class Finding:
    """What one check has found, and what to do about it."""

    level: Level
    check: str
    text: str


def plugins(settings: Settings) -> Iterator[Finding]:
    """Yield what is loaded, and hooks that are installed and not loaded."""
    loaded = [each for each in installed() if is_loaded(each, settings)]
    names = sorted({f"{each.distribution} {each.version}" for each in loaded})
    yield Finding(Level.OK, "plugins", f"loaded: {', '.join(names)}")
    idle = sorted(
        {each.distribution for each in installed() if each.group == "tigercore.plugins"} - {*settings.plugins}
    )
    if idle:
        yield Finding(Level.WARN, "plugins", f"installed, but not named under plugins: {', '.join(idle)}")
    for name in sorted({*settings.plugins} - {each.distribution for each in loaded}):
        yield Finding(Level.FAIL, "plugins", f"{name} is named under plugins, but offers no hooks here: install it")


def files(settings: Settings) -> Iterator[Finding]:
    """Yield whether others may open the files of the local drivers."""
    named = (("key file", settings.cipher.options.get("key_file")), ("store file", settings.store.options.get("path")))
    for check, name in named:
        if isinstance(name, str) and (file := Path(name).expanduser()).is_file():
            yield _private(check, file)


def _private(check: str, file: Path) -> Finding:
    mode = stat.S_IMODE(file.stat().st_mode)
    if mode & 0o077:
        return Finding(Level.FAIL, check, f"{file} has mode {mode:04o}, others may open it: run chmod 600 {file}")
    return Finding(Level.OK, check, f"{file} has mode {mode:04o}")


def key_ring(found: KeyRingStatus) -> Iterator[Finding]:
    """Yield what is to be done about the keys that seal secrets."""
    if found.frozen:
        yield Finding(
            Level.FAIL, "key ring", "frozen, nothing is signed: see docs/panic.md, then: tigercore cipher unfreeze"
        )
    if not found.recovery:
        text = "nobody could open it if its root were lost: run tigercore cipher add-recovery --recovery-file FILE"
        yield Finding(Level.WARN, "key ring", text)
    if any(key.state in (KeyState.STAGED, KeyState.DECRYPT) for key in found.keys):
        yield Finding(Level.WARN, "key ring", "a rotation was begun and not finished: run tigercore cipher rotate")
    made = next(key.created_at for key in found.keys if key.version == found.active)
    if made is not None and SystemClock().now() - made > _OLD:
        yield Finding(Level.WARN, "key ring", f"its key is from {made:%Y-%m-%d}: run tigercore cipher rotate")


async def tokens(tiger: Tigercore, accounts: Sequence[TigerAccount]) -> list[Finding]:
    """Return which tokens are dead or end soon; those that are well share a line."""
    statuses = [(each, await tiger.tokens.get_token_status(each)) for each in accounts if each.needs_token]
    ill = [finding for account, status in statuses if (finding := _ill(account, status)) is not None]
    well = len(statuses) - len(ill)
    return ill if ill and not well else [Finding(Level.OK, "tokens", f"{well} are needed and well"), *ill]


def _ill(account: TigerAccount, status: TokenStatus) -> Finding | None:
    name, left = account.account_number, None
    if status.expires_at is not None:
        left = status.expires_at - SystemClock().now()
    if status.state in _DEAD or (left is not None and left <= timedelta(0)):
        return Finding(Level.FAIL, "tokens", f"{account.account_name}: no living token: {_NEW.format(name)}")
    if status.state is TokenState.UNCERTAIN:
        return Finding(
            Level.WARN, "tokens", f"{account.account_name}: it is in doubt: run tigercore token refresh {name}"
        )
    if left is not None and left < _SOON:
        end = f"it ends at {status.expires_at:%Y-%m-%d %H:%M} UTC"
        return Finding(Level.WARN, "tokens", f"{account.account_name}: {end}: run tigercore token refresh {name}")
    return None


async def gateways(tiger: Tigercore, accounts: Sequence[TigerAccount], parallel: int) -> list[Finding]:
    """Try each account's key and token with one read, a few at a time; a gateway that takes all has one line."""
    answers: dict[str, list[tuple[TigerAccount, TokenValidation]]] = {}
    limit = trio.CapacityLimiter(parallel)

    async def one(account: TigerAccount) -> None:
        async with limit:
            answer = await tiger.tokens.validate_token(account)
        answers.setdefault(_gateway(account), []).append((account, answer))

    async with trio.open_nursery() as nursery:
        for account in accounts:
            nursery.start_soon(one, account)
    return [finding for gateway in sorted(answers) for finding in _answered(gateway, answers[gateway])]


def _gateway(account: TigerAccount) -> str:
    return account.server_url or f"{account.environment} gateway of {account.license or 'any licence'}"


def _answered(gateway: str, answers: list[tuple[TigerAccount, TokenValidation]]) -> Iterator[Finding]:
    taken = sum(answer.valid for _, answer in answers)
    if taken:
        yield Finding(Level.OK, "gateway", f"{gateway}: took the keys of {taken} of {len(answers)} accounts")
    for account, answer in answers:
        if not answer.valid:
            yield Finding(Level.FAIL, "gateway", f"{gateway}: {account.account_name}: {answer.error}")
