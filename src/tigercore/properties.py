"""Tiger `.properties` files, as the developer portal writes them and the SDK reads them (protocol 2.3, 6.1)."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final, final

import attrs

from tigercore import _javaproperties, _rsakey
from tigercore.errors import AccountValidationError
from tigercore.model import Environment, License, Secret

__all__ = ["TigerProperties", "read_properties", "write_properties"]

CONFIG_FILE: Final = "tiger_openapi_config.properties"
TOKEN_FILE: Final = "tiger_openapi_token.properties"  # noqa: S105  (a file name)

_LIMIT = 64 * 1024
_KEYS = ("private_key", "private_key_pk8", "private_key_pk1")  # the first that is there wins (protocol 2.3)
_ENVIRONMENTS = {
    "": Environment.PRODUCTION,
    "PROD": Environment.PRODUCTION,
    "PRODUCTION": Environment.PRODUCTION,
    "SANDBOX": Environment.SANDBOX,
    "TEST": Environment.SANDBOX,
}


@final
@attrs.frozen
class TigerProperties:
    """What a `.properties` file says of one account. `private_key` is base64 or PEM, of PKCS#1 or PKCS#8."""

    tiger_id: Secret
    private_key: Secret
    account: str
    license: License | None = None
    env: Environment = Environment.PRODUCTION
    secret_key: Secret | None = None
    server_url: str | None = None
    token: Secret | None = None


# -- files -------------------------------------------------------------------------------------------------


def read_properties(path: str | os.PathLike[str]) -> TigerProperties:
    """Read the file, or the portal's file in the directory, and the token file that lies beside it.

    Nothing else is looked at: no working directory, no environment. `private_key` comes back as one line of base64 of
    PKCS#8, whichever form the file holds. Reads the disk: call it in a thread.

    :raises AccountValidationError: a file cannot be used; names the file and the key, never a value.
    """
    file = _config_file(path)
    values = _load(file)
    token_file = file.with_name(TOKEN_FILE)
    if not values.get("token") and os.path.lexists(token_file):
        values["token"] = _load(token_file).get("token", "")
    try:
        return _properties(values)
    except ValueError as fault:
        raise AccountValidationError(f"{file}: {fault}") from None


def write_properties(properties: TigerProperties, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Write the portal's form of the file, and the token file beside it if there is a token; return the file's path.

    Each file has mode 0600 and appears whole or not at all. A token file that belongs to nobody any more is removed
    when overwriting, for the SDK would take it for this account's. Writes the disk: call it in a thread.

    :raises AccountValidationError: a file is there and `overwrite` was not asked for, the key is no RSA key, or the
        directory cannot be written.
    """
    file = _config_file(path)
    token_file = file.with_name(TOKEN_FILE)
    texts = _texts(file, token_file, properties)
    taken = [str(each) for each in (file, token_file) if os.path.lexists(each)]
    if taken and not overwrite:
        raise AccountValidationError(f"{', '.join(taken)}: there already; name another directory or pass overwrite")
    if token_file not in texts:
        token_file.unlink(missing_ok=True)
    for each, text in texts.items():
        _replace(each, text, overwrite=overwrite)
    return file


def _texts(file: Path, token_file: Path, properties: TigerProperties) -> dict[Path, str]:
    token = {token_file: {"token": properties.token.reveal()}} if properties.token else {}
    try:
        return {each: _javaproperties.write(values) for each, values in {file: _values(properties), **token}.items()}
    except ValueError as fault:
        raise AccountValidationError(f"{file}: private_key: {fault}") from None


def _config_file(path: str | os.PathLike[str]) -> Path:
    return Path(path, CONFIG_FILE) if Path(path).is_dir() else Path(path)


def _load(file: Path) -> dict[str, str]:
    text = _decoded(_bytes(file))
    if text is None:
        raise AccountValidationError(f"{file}: is not UTF-8; save it as UTF-8 text")
    try:
        return _javaproperties.parse(text)
    except ValueError as fault:
        raise AccountValidationError(f"{file}: {fault}") from None


def _bytes(file: Path) -> bytes:
    try:
        with open(os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as stream:
            regular = stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
            data = stream.read(_LIMIT + 1) if regular else b""
    except OSError as error:
        raise AccountValidationError(f"{file}: cannot be read: {error.strerror}; name a plain file") from error
    if not regular or len(data) > _LIMIT:
        raise AccountValidationError(f"{file}: is not a plain file of 64 KiB or less")
    return data


def _decoded(data: bytes) -> str | None:
    """Return no error: Python's would carry the file's content along."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None


def _replace(file: Path, text: str, *, overwrite: bool) -> None:
    try:
        handle, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)  # made with mode 0600
        try:
            with open(handle, "wb") as stream:
                stream.write(text.encode())
                stream.flush()
                os.fsync(handle)
            (os.replace if overwrite else os.link)(name, file)  # a link fails if somebody was faster
        finally:
            Path(name).unlink(missing_ok=True)
        _sync(file.parent)
    except OSError as error:
        raise AccountValidationError(f"{file}: cannot be written: {error.strerror}") from error


def _sync(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# -- values ------------------------------------------------------------------------------------------------


def _properties(values: Mapping[str, str]) -> TigerProperties:
    found = {key: value.strip() for key, value in values.items()}
    return TigerProperties(
        tiger_id=Secret(_needed(found, "tiger_id")),
        private_key=Secret(_private_key(found)),
        account=_needed(found, "account"),
        license=_license(found.get("license", "")),
        env=_environment(found.get("env", "")),
        secret_key=_secret(found, "secret_key"),
        server_url=found.get("server_url") or None,
        token=_secret(found, "token"),
    )


def _values(properties: TigerProperties) -> dict[str, str]:
    key = properties.private_key.reveal()
    values = {
        "private_key_pk1": _rsakey.pkcs1(key),
        "private_key_pk8": _rsakey.pkcs8(key),
        "tiger_id": properties.tiger_id.reveal(),
        "account": properties.account,
        "license": properties.license or "",
        "env": "PROD" if properties.env is Environment.PRODUCTION else "SANDBOX",
        "secret_key": properties.secret_key.reveal() if properties.secret_key else "",
        "server_url": properties.server_url or "",
    }
    return {key: value for key, value in values.items() if value}


def _needed(values: Mapping[str, str], key: str) -> str:
    if not values.get(key):
        raise ValueError(f"{key} is missing; export the file from the developer portal again")
    return values[key]


def _secret(values: Mapping[str, str], key: str) -> Secret | None:
    return Secret(values[key]) if values.get(key) else None


def _license(text: str) -> License | None:
    if text and text not in License.__members__:
        raise ValueError(f"license is none of {', '.join(License)}")
    return License(text) if text else None


def _environment(text: str) -> Environment:
    if text.upper() not in _ENVIRONMENTS:
        raise ValueError("env is neither PROD nor SANDBOX")
    return _ENVIRONMENTS[text.upper()]


def _private_key(values: Mapping[str, str]) -> str:
    key = next((key for key in _KEYS if values.get(key)), _KEYS[0])
    text = _needed(values, key)
    try:
        return _rsakey.pkcs8(text)
    except ValueError as fault:
        raise ValueError(f"{key}: {fault}") from None
