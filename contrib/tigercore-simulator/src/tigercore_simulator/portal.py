"""The developer portal: writes the files it would hand out."""

import os
from pathlib import Path

from tigercore_simulator.developers import Developer, bare

CONFIG = "tiger_openapi_config.properties"
TOKEN = "tiger_openapi_token.properties"  # noqa: S105
KINDS = ("prime", "paper", "both")


def write(directory: Path, developer: Developer, token: str, url: str, kind: str) -> tuple[Path, ...]:
    """Write the files of a developer, and return the directories they are in."""
    paper, prime = directory / developer.tiger_id, directory / f"{developer.tiger_id}-prime"
    if kind == "both":
        _write_one(paper, developer, developer.paper_account, token, url)
        _write_one(prime, developer, developer.prime_account, token, url)
        return paper, prime
    account = developer.prime_account if kind == "prime" else developer.paper_account
    _write_one(paper, developer, account, token, url)
    return (paper,)


def _write_one(directory: Path, developer: Developer, account: str, token: str, url: str) -> None:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write_file(directory / CONFIG, _config(developer, account, url))
    if token:
        _write_file(directory / TOKEN, f"token={_escaped(token)}\n")


def _config(developer: Developer, account: str, url: str) -> str:
    pairs = {
        "private_key_pk1": bare(developer.private_key_pk1),
        "private_key_pk8": bare(developer.private_key_pk8),
        "tiger_id": developer.tiger_id,
        "account": account,
        "license": developer.license,
        "env": "PROD",
        "server_url": url,
    }
    return "".join(f"{name}={value}\n" for name, value in pairs.items())


def _escaped(token: str) -> str:
    return token.replace("=", "\\=")


def _write_file(path: Path, text: str) -> None:
    # Only a file that was private from the start has never been readable by others.
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(handle, "w", encoding="utf-8") as file:
        file.write(text)
