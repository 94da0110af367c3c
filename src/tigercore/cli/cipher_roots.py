"""What wraps the key ring, and copies of it: the half of `tigercore cipher` that touches roots."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import attrs
from cyclopts import Parameter

from tigercore._environ import secret_names, take
from tigercore._founding import import_ring
from tigercore._plugins import choose_driver
from tigercore._ringfile import dump, parse
from tigercore.app import Tigercore, user
from tigercore.cli._common import COMMON, Common, opened, opened_port
from tigercore.cli._exit import UsageError
from tigercore.cli._input import STDIN, read_text
from tigercore.cli._output import show_fields, show_lines
from tigercore.clock import SystemClock
from tigercore.model import AuditEntry, AuditSeverity
from tigercore.ports import AccountStore, Cipher
from tigercore.settings import DriverSettings, Settings, load_settings

_NEW = ("NEW_ENCRYPTION_MASTER_KEY", "NEW_TIGERCORE_")  # variables that belong to the settings of --to

Recovery = Annotated[Path | None, Parameter(help="Open the ring with this recovery identity, not with its root.")]


async def rekey_root(
    *,
    to: Annotated[Path | None, Parameter(help="Settings whose [cipher] is the new root; their secrets: NEW_….")] = None,
    recovery_file: Recovery = None,
    keep_old: Annotated[bool, Parameter(help="Let the root of before open the ring too.", negative=())] = False,
    common: Common = COMMON,
) -> None:
    """Wrap the keys under another root; no secret is sealed again, and programs that are open go on.

    With --recovery-file the new root is that of the settings, unless --to names another. Secrets of the settings of
    --to come from variables that begin with NEW_, such as NEW_ENCRYPTION_MASTER_KEY.
    """
    if to is None and recovery_file is None:
        raise UsageError("name the new root with --to FILE, or the lost one's substitute with --recovery-file FILE")
    settings = common.settings()
    chosen = cipher_of(settings, to)
    if chosen.driver == "recovery":
        raise UsageError("the settings open the ring with a recovery identity: name its new root with --to FILE")
    made = made_root(chosen)
    async with opened(opening(settings, recovery_file)) as tiger, opened_port(Cipher, chosen, "cipher") as other:
        await tiger.keys.rekey_root(other, keep_old=keep_old)
        found = tiger.keys.status()
    show_lines(common, found, made, f"The keys are wrapped by {', '.join(found.keys[-1].roots)}.", *_next(to))


async def add_recovery(
    *,
    recipient: Annotated[str | None, Parameter(help="The recipient, age1…, of an identity in a safe.")] = None,
    recovery_file: Annotated[Path | None, Parameter(help="Or: make an identity here, to be moved to a safe.")] = None,
    common: Common = COMMON,
) -> None:
    """Let one more recovery identity open the ring, now and after each rotation."""
    async with opened(common.settings()) as tiger:
        told = await recover_with(tiger, recipient, recovery_file)
        found = tiger.keys.status()
    show_lines(common, found, told)


async def remove_recovery(
    recipient: Annotated[str, Parameter(help="The recipient, as `status` shows it.")], *, common: Common = COMMON
) -> None:
    """Let a recovery identity open the ring no more. What it has opened before it knows: rotate the keys afterwards."""
    async with opened(common.settings()) as tiger:
        if not await tiger.keys.remove_recovery(recipient):
            raise UsageError("the ring has no such recovery recipient: see tigercore cipher status")
        found = tiger.keys.status()
    show_lines(common, found, "It opens the ring no more. It may know the keys: run tigercore cipher rotate now.")


async def export(
    file: Annotated[Path, Parameter(help="Where it goes; - is stdout.", allow_leading_hyphen=True)],
    *,
    no_recovery: Annotated[bool, Parameter(help="Although no recovery identity opens it.", negative=())] = False,
    common: Common = COMMON,
) -> None:
    """Write the key ring to a file. It is wrapped: one of its roots, or a recovery identity, is needed to open it."""
    async with opened(common.settings()) as tiger:
        ring = tiger.keys.export()
    if not ring.recovery and not no_recovery:
        raise UsageError(
            "without its root this copy could never be opened: run tigercore cipher add-recovery first, or add "
            "--no-recovery if the root is kept elsewhere"
        )
    if str(file) == STDIN:
        print(dump(ring), end="")
        return
    _write_new(file, dump(ring))
    show_fields(common, {"file": file, "ring": ring.id}, {"wrote": file, "ring": ring.id})


async def import_(
    file: Annotated[str, Parameter(help="What `export` wrote; - is stdin.", allow_leading_hyphen=True)],
    *,
    recovery_file: Recovery = None,
    force: Annotated[bool, Parameter(help="The store's own ring is damaged.", negative=())] = False,
    common: Common = COMMON,
) -> None:
    """Give a store its key ring back, if its own is lost or damaged."""
    settings, ring = common.settings(), parse(read_text(file, "FILE"))
    cipher = opening(settings, recovery_file).cipher
    entry = AuditEntry(SystemClock().now(), user(), "keyring.import", str(ring.id), severity=AuditSeverity.HIGH)
    async with (
        opened_port(AccountStore, settings.store, "settings.store") as store,
        opened_port(Cipher, cipher, "settings.cipher") as opener,
    ):
        await import_ring(store, opener, ring, entry, force=force)
    lost = ["Now give it a root: tigercore cipher rekey-root --recovery-file FILE"] if recovery_file else []
    show_lines(
        common, {"ring": ring.id}, f"The store has its key ring {ring.id} again: start every program anew.", *lost
    )


async def recover_with(tiger: Tigercore, recipient: str | None, recovery_file: Path | None) -> str:
    """Add a recovery recipient, making its identity if a file is named; return what to tell of it.

    :raises UsageError: none is named, or both.
    """
    if (recipient is None) == (recovery_file is None):
        raise UsageError("name one of --recipient age1… and --recovery-file FILE")
    options = {"recipient": recipient} if recovery_file is None else {"identity_file": str(_absolute(recovery_file))}
    chosen = DriverSettings(driver="recovery", options=options)
    told = made_root(chosen)
    async with opened_port(Cipher, chosen, "recovery") as other:
        await tiger.keys.add_recovery(other)
    return told


def made_root(chosen: DriverSettings) -> str:
    """Make the root of a cipher if it is not there, and return what to tell of it. Errors as `Cipher.create_root`."""
    cipher = choose_driver(Cipher, chosen, "settings.cipher")
    told: str = cipher.driver.create_root(cipher.options)
    return told


def cipher_of(settings: Settings, to: Path | None) -> DriverSettings:
    """Return which cipher other settings choose, without the variables that belong to ours; without `to`, ours.

    :raises UsageError: a recovery identity is to be the new root, which nobody has at hand every day.
    """
    if to is None:
        return settings.cipher
    chosen = _settings_of(to).cipher
    if chosen.driver == "recovery":
        raise UsageError(f"{to}: a recovery identity is no root: use tigercore cipher add-recovery")
    return chosen


def _settings_of(file: Path) -> Settings:
    names = [name for prefix in _NEW for name in secret_names(os.environ, prefix)]
    taken = ((name.removeprefix("NEW_"), take(os.environ, name)) for name in names)
    return load_settings(file, {name: secret.reveal() for name, secret in taken if secret is not None})


def opening(settings: Settings, recovery_file: Path | None) -> Settings:
    """Return the settings with a recovery identity as their cipher, if one is named."""
    if recovery_file is None:
        return settings
    options = {"identity_file": str(_absolute(recovery_file))}
    return attrs.evolve(settings, cipher=DriverSettings(driver="recovery", options=options))


def _next(to: Path | None) -> list[str]:
    return [] if to is None else [f"From now on open this store with the [cipher] of {to}."]


def _absolute(file: Path) -> Path:
    return file.expanduser().absolute()


def _write_new(file: Path, text: str) -> None:
    if os.path.lexists(file):
        raise UsageError(f"{file} is there already, and was left as it is: name another file")
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with open(handle, "w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
