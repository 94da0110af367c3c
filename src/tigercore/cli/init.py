"""`tigercore init`: from nothing to an installation that opens."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tigercore._plugins import choose
from tigercore.cli._common import COMMON, Common, make_private, opened
from tigercore.cli._exit import UsageError
from tigercore.cli._output import show_lines
from tigercore.cli.cipher_roots import recover_with
from tigercore.ports import SchemaStatus
from tigercore.settings import DEFAULT_FILE, Settings, load_settings

_STORE = "tigercore.db"
_RECOVERY = (
    "say how the accounts are saved if the root key is lost: --recovery-file FILE makes an identity to be kept in "
    "a safe, --recipient age1… names one that is there already, --no-recovery does without"
)
_LOST = "Keep a copy of {} somewhere else: whoever loses the key file loses the accounts."
_LOST_BUT = (
    "Keep a copy of {} somewhere else, and move the recovery identity to a safe: one of them opens the accounts."
)


async def init(
    *,
    dir: Annotated[Path, Parameter(help="Where the settings and the store go.")] = Path(),
    key_file: Annotated[Path | None, Parameter(help="The root key; else ~/.config/tigercore/root.key.")] = None,
    recipient: Annotated[
        str | None, Parameter(help="A recovery recipient, age1…, whose identity is in a safe.")
    ] = None,
    recovery_file: Annotated[Path | None, Parameter(help="Or: make a recovery identity here, for a safe.")] = None,
    no_recovery: Annotated[
        bool, Parameter(help="Make none: who loses the root loses the accounts.", negative=())
    ] = False,
    common: Common = COMMON,
) -> None:
    """Make the settings, the root key, the store and its key ring, and say what was made.

    A recovery identity opens the secrets if the root key is lost, which is the commonest disaster of all.

    A key file that is there already is used. With ENCRYPTION_MASTER_KEY or DATABASE_URL in the environment, that key
    or that store is used, and the settings name none.
    """
    if [recipient, recovery_file, no_recovery or None].count(None) != 2:
        raise UsageError(_RECOVERY)
    directory = dir.expanduser().absolute()
    file = directory / DEFAULT_FILE
    key = _key_file(key_file, directory)
    with _written(file, _settings(key, directory / _STORE)) as draft:
        settings = load_settings(draft)
        choice = choose(settings)
        root = choice.cipher.driver.create_root(choice.cipher.options)
        schema = await choice.store.driver.schema(choice.store.options).migrate()
        recovery = await _recovery(settings, recipient, recovery_file)
    lost = [] if key is None else [(_LOST if no_recovery else _LOST_BUT).format(key)]
    _tell(common, file, key, [root, recovery], lost, settings, schema)


async def _recovery(settings: Settings, recipient: str | None, recovery_file: Path | None) -> str:
    """Give the store its key ring, and somebody who can open it if the root is lost."""
    async with opened(settings) as tiger:
        if recipient is None and recovery_file is None:
            return "No recovery identity was made; `tigercore cipher add-recovery` makes one."
        return await recover_with(tiger, recipient, recovery_file)


def _key_file(named: Path | None, directory: Path) -> Path | None:
    """Return where the key goes, None if the environment holds it; never among what it protects, unless told to."""
    if os.environ.get("ENCRYPTION_MASTER_KEY"):
        if named is not None:
            raise UsageError("--key-file and ENCRYPTION_MASTER_KEY are two root keys: give one, and unset the other")
        return None
    key = (named or _config_home() / "tigercore" / "root.key").expanduser().absolute()
    if named is None and key.is_relative_to(directory):
        raise UsageError(f"the key file {key} would lie inside {directory}, which it protects: name a --key-file")
    if named is None:
        make_private(key.parent)
    return key


def _config_home() -> Path:
    return Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser()


def _settings(key: Path | None, store: Path) -> str:
    lines = ["# Written by `tigercore init`. `tigercore doctor` checks what stands here.", "", "[store]"]
    if os.environ.get("DATABASE_URL"):
        lines = [*lines[:2], "# The store is the one that DATABASE_URL names."]
    else:
        lines += ['driver = "sqlite"', f"options = {{ path = {json.dumps(str(store))} }}"]
    if key is None:
        return "\n".join([*lines, "", "# The root key is ENCRYPTION_MASTER_KEY.", ""])
    return "\n".join(
        [*lines, "", "[cipher]", 'driver = "local"', f"options = {{ key_file = {json.dumps(str(key))} }}", ""]
    )


@contextmanager
def _written(file: Path, text: str) -> Iterator[Path]:
    """Give the settings under another name; they get theirs once all else is there, so that `init` can be repeated."""
    if os.path.lexists(file):
        raise UsageError(f"{file} is there already: use it with --config {file}, or name another --dir")
    make_private(file.parent)
    handle, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    try:
        with open(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        yield Path(name)
        os.link(name, file)  # fails if somebody was faster
    finally:
        os.unlink(name)


def _tell(
    common: Common,
    file: Path,
    key: Path | None,
    roots: list[str],
    lost: list[str],
    settings: Settings,
    schema: SchemaStatus,
) -> None:
    here = "" if file.parent == Path.cwd() else f" --config {file}"
    command = f"tigercore account import PATH{here}"
    show_lines(
        common,
        {
            "settings": file,
            "key_file": key,
            "root": roots[0],
            "recovery": roots[1],
            "store": settings.store.driver,
            "revision": schema.current,
        },
        f"Made the settings {file}.",
        *roots,
        f"Made the {settings.store.driver} store, at revision {schema.current}.",
        *lost,
        f"Next, with the portal's files in PATH: {command}",
    )
