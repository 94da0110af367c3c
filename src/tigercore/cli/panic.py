"""`tigercore panic`: the first minutes after keys were stolen."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import attrs
from cyclopts import Parameter

from tigercore._founding import freeze_ring
from tigercore.app import user
from tigercore.cli._common import COMMON, Common, opened, opened_port
from tigercore.cli._exit import Exit, one_line
from tigercore.cli._input import confirm
from tigercore.cli._output import gauge, show_lines
from tigercore.cli.cipher_roots import Recovery, cipher_of, made_root, opening
from tigercore.clock import SystemClock
from tigercore.errors import KeyUnavailable
from tigercore.model import AuditEntry, AuditSeverity, TigerAccount
from tigercore.ports import AccountStore, Cipher
from tigercore.settings import DriverSettings, Settings

_QUESTION = "stop all signing on every machine, kill all API keys, and mark every account's key as compromised"
_TODO = (
    "in the developer portal make a new key pair, and a token if it has one, and set the IP whitelist; then "
    "tigercore account update {number} --private-key-file FILE"
)


async def panic(
    *,
    to: Annotated[Path | None, Parameter(help="Settings whose [cipher] is a new root: everything moves to it.")] = None,
    recovery_file: Recovery = None,
    yes: Annotated[bool, Parameter(help="Do not ask.", negative=())] = False,
    common: Common = COMMON,
) -> int:
    """Stop all signing, kill all API keys, mark every account's key as compromised, and say what to do for each.

    With --to the key ring also gets a new root and a new key, and everything is sealed again with it. What was stolen
    stays stolen: only new keys from the developer portal end it. `tigercore cipher unfreeze` lets accounts sign again.
    """
    settings = common.settings()
    chosen = cipher_of(settings, to)  # what is wrong with it is said before anything is done
    if not confirm(_QUESTION, yes=yes):
        show_lines(common, {"frozen": False}, "Nothing was done.")
        return Exit.FAILED
    ours = opening(settings, recovery_file)
    try:
        await _freeze(settings, ours.cipher)
    except KeyUnavailable as error:
        if chosen == settings.cipher:
            raise
        ours = attrs.evolve(settings, cipher=chosen)  # a panic that was cut short has moved everything to it already
        try:
            await _freeze(settings, ours.cipher)
        except KeyUnavailable:
            raise error from None
    _say(common, "Frozen: no process signs anything from now on, and every API key is dead.")
    async with opened(ours) as tiger:
        with gauge("marking accounts") as progress:
            await tiger.keys.condemn(progress)
        accounts = await tiger.accounts.list_accounts()
        _say(common, f"Marked the keys of {len(accounts)} accounts as compromised.")
        if to is not None:
            _say(common, made_root(chosen))
            async with opened_port(Cipher, chosen, f"{to}.cipher") as other:
                await tiger.keys.rekey_root(other)
    if to is not None:  # under the new root alone: what a new key is wrapped with must not be what was stolen
        await _rotate(attrs.evolve(settings, cipher=chosen))
        _say(common, "The key ring has a new root and a new key, and everything is sealed with it.")
    todo = list(_list(accounts, to))
    show_lines(common, {"frozen": True, "accounts": accounts, "rerooted": to is not None, "todo": todo}, *todo)
    return Exit.DONE


async def _freeze(settings: Settings, cipher: DriverSettings) -> None:
    async with (
        opened_port(AccountStore, settings.store, "settings.store") as store,
        opened_port(Cipher, cipher, "settings.cipher") as opener,
    ):
        entry = AuditEntry(SystemClock().now(), user(), "keyring.freeze", "panic", severity=AuditSeverity.HIGH)
        await freeze_ring(store, opener, entry)


async def _rotate(settings: Settings) -> None:
    async with opened(settings) as tiger:
        with gauge("sealing again") as progress:
            await tiger.keys.rotate(fresh=True, progress=progress)
        await tiger.keys.destroy()  # the old keys are known to others


def _list(accounts: list[TigerAccount], to: Path | None) -> Iterator[str]:
    for each in accounts:
        yield f"{each.account_name} ({each.account_number}): {_TODO.format(number=each.account_number)}"
    if to is None:
        yield "Then give the key ring a new root: tigercore cipher rekey-root --to FILE, and tigercore cipher rotate"
    else:
        yield f"From now on open this store with the [cipher] of {to}; the old root opens nothing any more."
    yield "Restart every program that uses this store."
    yield "When the accounts have new keys: tigercore cipher unfreeze, then tigercore doctor"
    yield "Then for each account that doctor is content with: tigercore account update NUMBER --status ACTIVE"


def _say(common: Common, line: str) -> None:
    print(one_line(line), file=sys.stderr if common.json else sys.stdout, flush=True)
