"""`tigercore account import`: the portal's files, one or many."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tigercore.app import Tigercore
from tigercore.cli._common import COMMON, Common, opened
from tigercore.cli._exit import Exit, one_line, tell
from tigercore.cli._output import progress, show_rows
from tigercore.errors import AccountManagerError, AccountValidationError, TigerCoreError
from tigercore.model import TigerAccount
from tigercore.properties import CONFIG_FILE


async def import_accounts(
    *paths: Annotated[
        Path, Parameter(help="A file, a directory with the file, or a directory of such.", required=True)
    ],
    common: Common = COMMON,
) -> int:
    """Add accounts from files that the developer portal wrote.

    A bad file does not stop the others; it is named, and the exit code is 1.
    """
    files = [file for path in paths for file in _files(path)]
    added: list[TigerAccount] = []
    failed: dict[Path, AccountManagerError] = {}
    async with opened(common.settings()) as tiger:
        with progress(len(files), "importing") as step:
            for file in files:
                try:
                    added.append(await _add(tiger, file))
                except AccountManagerError as error:
                    failed[file] = error
                step()
    _report(common, added, failed)
    return Exit.FAILED if failed else Exit.DONE


def _files(path: Path) -> Iterator[Path]:
    """Yield the portal's file of a path, or of each directory in it; a path without any is its own, and will fail."""
    if not path.is_dir() or (path / CONFIG_FILE).exists():
        yield path
        return
    inner = [each for each in sorted(path.iterdir()) if (each / CONFIG_FILE).exists()]
    yield from inner or [path]


def _is_empty(path: Path) -> bool:
    return path.is_dir() and not (path / CONFIG_FILE).exists()


async def _add(tiger: Tigercore, path: Path) -> TigerAccount:
    if _is_empty(path):
        raise AccountValidationError(f"there is no {CONFIG_FILE} in it, nor in a directory in it")
    return await tiger.accounts.create_account_from_properties(path)


def _report(common: Common, added: list[TigerAccount], failed: dict[Path, AccountManagerError]) -> None:
    faults = [
        {"path": path, "error": one_line(str(error)), "kind": type(error).__name__} for path, error in failed.items()
    ]
    rows = [{"added": each.account_number, "type": each.account_type, "license": each.license} for each in added]
    show_rows(common, {"added": added, "failed": faults}, rows, nothing="No account was added.")
    for path, error in failed.items():
        text = str(error)
        told = text if text.startswith(str(path)) else f"{path}: {text}"
        tell(TigerCoreError(told), as_json=common.json)
