"""`tigercore cipher`: the key ring, its rotation, and where it stands."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import App, Parameter
from cyclopts.validators import Number

from tigercore.cli._common import COMMON, Common, opened
from tigercore.cli._exit import Exit
from tigercore.cli._input import confirm
from tigercore.cli._output import gauge, show_fields, show_lines, show_rows
from tigercore.cli.db import schema_of
from tigercore.model import KeyRingStatus, KeyStatus

app = App(name="cipher", help="Rotate, check, retire and purge keys, change their root, and keep a copy of them.")
app.command("tigercore.cli.cipher_roots:rekey_root", name="rekey-root", help="Wrap the keys under another root.")
app.command("tigercore.cli.cipher_roots:add_recovery", name="add-recovery", help="Add a recovery recipient.")
app.command("tigercore.cli.cipher_roots:remove_recovery", name="remove-recovery", help="Remove a recovery recipient.")
app.command("tigercore.cli.cipher_roots:export", name="export", help="Write the wrapped key ring to a file.")
app.command("tigercore.cli.cipher_roots:import_", name="import", help="Restore a lost key ring from a file.")


@app.command
async def status(*, common: Common = COMMON) -> None:
    """Show the keys of the ring, which roots open them, and how many rows each has sealed."""
    async with opened(common.settings()) as tiger:
        found = tiger.keys.status()
    if common.json:
        show_fields(common, found, {})
        return
    show_fields(common, found, _fields(found))
    show_rows(common, found, [_row(key) for key in found.keys], nothing="")


@app.command
async def rotate(
    *,
    keep_old: Annotated[bool, Parameter(help="Do not retire the older keys.", negative=())] = False,
    rate: Annotated[
        float | None, Parameter(help="At most so many accounts in a second.", validator=Number(gt=0))
    ] = None,
    common: Common = COMMON,
) -> None:
    """Seal everything again with a new key, check it, and retire the older keys. Programs may go on meanwhile.

    If it is interrupted, nothing is lost: run it again, and it finishes what was begun.
    """
    async with opened(common.settings()) as tiger:
        with gauge("sealing again") as progress:
            found = await tiger.keys.rotate(keep_old=keep_old, rate=rate, progress=progress)
    rows = next(key.rows for key in found.keys if key.version == found.active)
    kept = "The older keys still open what they sealed: `tigercore cipher retire` ends that."
    gone = (
        "Older keys are retired: nothing opens with them. `tigercore cipher purge` destroys them and what they sealed."
    )
    sealed = f"Key {found.active} has sealed all {rows} secrets, and each of them opens."
    show_lines(common, found, sealed, kept if keep_old else gone)


@app.command
async def verify(*, common: Common = COMMON) -> int:
    """Open every secret of the store; the exit code is 1 if one does not open."""
    async with opened(common.settings()) as tiger:
        with gauge("opening") as progress:
            found = await tiger.keys.verify(progress)
    good = f"{found.rows} secrets were read, and each of them opens."
    show_lines(common, found, *(found.faults or [good]))
    return Exit.FAILED if found.faults else Exit.DONE


@app.command
async def retire(*, common: Common = COMMON) -> int:
    """Let only the active key open anything; the exit code is 1 if older keys still have sealed secrets."""
    async with opened(common.settings()) as tiger:
        done = await tiger.keys.retire()
        found = tiger.keys.status()
    left = sum(key.rows for key in found.keys if key.version < found.active)
    told = f"Only key {found.active} opens anything now."
    show_lines(
        common, found, told if done else f"{left} secrets are sealed with older keys: run tigercore cipher rotate"
    )
    return Exit.DONE if done else Exit.FAILED


@app.command
async def purge(
    *, yes: Annotated[bool, Parameter(help="Do not ask.", negative=())] = False, common: Common = COMMON
) -> int:
    """Destroy retired keys, and overwrite what replaced secrets have left in the store."""
    settings = common.settings()
    if not confirm("destroy the retired keys, and overwrite what they have sealed", yes=yes):
        show_lines(common, {"purged": False}, "Nothing was destroyed.")
        return Exit.FAILED
    async with opened(settings) as tiger:
        destroyed = await tiger.keys.destroy()
    left = await schema_of(settings).purge()
    keys = "Retired keys are destroyed." if destroyed else "There was no retired key."
    document = {"destroyed": destroyed, "out_of_reach": left}
    show_lines(common, document, keys, "What replaced secrets left in the store is overwritten.", *left)
    return Exit.DONE


@app.command
async def unfreeze(
    *, yes: Annotated[bool, Parameter(help="Do not ask.", negative=())] = False, common: Common = COMMON
) -> int:
    """Let accounts sign again after `tigercore panic`; those whose key was compromised wait for a new one."""
    async with opened(common.settings()) as tiger:
        if not confirm("let accounts sign again", yes=yes):
            show_lines(common, {"frozen": True}, "Nothing was changed.")
            return Exit.FAILED
        await tiger.keys.unfreeze()
    show_lines(common, {"frozen": False}, "Accounts sign again, but those that are COMPROMISED: give each a new key.")
    return Exit.DONE


def _fields(found: KeyRingStatus) -> dict[str, Any]:
    return {
        "ring": found.id,
        "active_key": found.active,
        "opens_from_key": found.min_decrypt,
        "frozen": found.frozen,
        "recovery": found.recovery,
    }


def _row(key: KeyStatus) -> dict[str, Any]:
    return {
        "key": key.version,
        "state": key.state,
        "made": key.created_at,
        "secrets": key.rows,
        "roots": key.roots,
    }
