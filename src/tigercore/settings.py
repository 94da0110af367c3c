"""What an installation has chosen: defaults, then `tigercore.toml`, then the environment.

`TIGERCORE_SECTION__NAME` overrides one value, and `TIGERCORE_SECRET_SECTION__NAME` gives one that is secret, such as
`TIGERCORE_SECRET_CIPHER__OPTIONS__PASSPHRASE`. `DATABASE_URL`, `ENCRYPTION_MASTER_KEY`, `TIGER_API_TIMEOUT` and
`TIGER_API_RETRIES` are the requirement's own variables.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping, MutableMapping
from pathlib import Path
from typing import Any, TypeVar, final

import attrs
import cattrs

from tigercore._environ import secret_names, take
from tigercore.errors import SettingsError
from tigercore.model import LoadBalanceStrategy, Secret

DEFAULT_FILE = "tigercore.toml"
_PREFIX = "TIGERCORE_"
_SECRET = "TIGERCORE_SECRET_"  # noqa: S105  (the beginning of a name)
_DRIVERS = {"store": "sqlite", "cipher": "local", "client": "httpx"}
T = TypeVar("T")


@final
@attrs.frozen(kw_only=True)
class DriverSettings:
    """Which driver stands behind a port; the driver itself checks its `options`."""

    driver: str
    options: Mapping[str, Any] = attrs.field(factory=dict)


@final
@attrs.frozen(kw_only=True)
class RouterSettings:
    """The strategy to use unless a call names one, and every strategy to load, each with its options.

    An account whose calls fail five times in a row is left out for `eject_seconds`, longer each time it happens again.
    """

    strategy: str = LoadBalanceStrategy.ROUND_ROBIN
    strategies: Mapping[str, Mapping[str, Any]] = attrs.field(
        factory=lambda: {name: {} for name in LoadBalanceStrategy}
    )
    eject_seconds: float = attrs.field(default=30.0, validator=attrs.validators.gt(0))


@final
@attrs.frozen(kw_only=True)
class TokenSettings:
    """How tokens are kept alive; times are in seconds.

    `refresh_at` is the share of a token's life after which it is due. A refresh waits `timeout` for its reply; for
    `lease` no other process may look into it, and `settle` after a lost one the gateway is asked whether the token
    lives. `parallel` bounds the refreshes of a process, `per_minute` those of a developer. `journal` is the folder of
    tokens that were received and not yet stored, by default in the user's state folder.
    """

    auto_refresh: bool = False
    refresh_at: float = attrs.field(default=0.5, validator=[attrs.validators.gt(0), attrs.validators.lt(1)])
    lease: float = attrs.field(default=45.0, validator=[attrs.validators.gt(0), attrs.validators.le(3600)])
    settle: float = attrs.field(default=60.0, validator=[attrs.validators.gt(0), attrs.validators.le(3600)])
    timeout: float = attrs.field(default=15.0, validator=attrs.validators.gt(0))
    parallel: int = attrs.field(default=2, validator=attrs.validators.ge(1))
    per_minute: int = attrs.field(default=10, validator=attrs.validators.ge(1))
    journal: str | None = None

    @timeout.validator
    def _fits(self, attribute: attrs.Attribute[float], value: float) -> None:
        if value > self.lease / 2 or value > self.settle:
            raise ValueError("timeout is at most half of lease, and not above settle: a lost request must be over then")


def journal_folder(settings: TokenSettings) -> Path:
    """Return the folder of the recovery journal: the one that was chosen, or the one of this user."""
    if settings.journal is not None:
        return Path(settings.journal).expanduser()
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "tigercore" / "journal"


@final
@attrs.frozen(kw_only=True)
class TigerApiSettings:
    """The requirement's settings of the gateway: seconds for one call, and how often a read is tried again."""

    tiger_api_timeout: float = attrs.field(default=30.0, validator=[attrs.validators.gt(0), attrs.validators.le(3600)])
    tiger_api_retries: int = attrs.field(default=2, validator=attrs.validators.ge(0))


@final
@attrs.frozen(kw_only=True)
class Settings:
    """Everything that an installation may choose. `plugins` names the distributions whose hooks are loaded."""

    store: DriverSettings = DriverSettings(driver=_DRIVERS["store"])
    cipher: DriverSettings = DriverSettings(driver=_DRIVERS["cipher"])
    client: DriverSettings = DriverSettings(driver=_DRIVERS["client"])
    router: RouterSettings = RouterSettings()
    tokens: TokenSettings = TokenSettings()
    api: TigerApiSettings = TigerApiSettings()
    plugins: tuple[str, ...] = ()


def load_settings(
    path: str | os.PathLike[str] | None = None, environ: MutableMapping[str, str] | None = None
) -> Settings:
    """Read the settings from a file and the environment; no file is needed unless one is named.

    What is secret is taken out of the environment once it was read, so that no child process inherits it.

    :raises SettingsError: the file cannot be read or values do not fit; every fault is named with its path.
    """
    environ = os.environ if environ is None else environ
    table = _read_file(path or environ.get("TIGERCORE_CONFIG"))
    _overlay(table, environ)
    for section, default in _DRIVERS.items():
        if isinstance(table.get(section), dict):
            table[section] = {"driver": default, **table[section]}
    return structure(table, Settings, "settings")


def structure(table: Mapping[str, Any], into: type[T], path: str) -> T:
    """Turn a table into a frozen value.

    :raises SettingsError: unknown keys, missing keys or values of the wrong kind; all of them, each with its path.
    """
    try:
        return _converter.structure(table, into)
    except cattrs.BaseValidationError as error:
        raise SettingsError(cattrs.transform_error(error, path=path, format_exception=_describe)) from None


def _read_file(path: str | os.PathLike[str] | None) -> dict[str, Any]:
    file = Path(path or DEFAULT_FILE)
    if path is None and not file.exists():
        return {}
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise SettingsError([f"{file}: {reason}; write it with `tigercore init`, or correct it"]) from None


def _overlay(table: dict[str, Any], environ: MutableMapping[str, str]) -> None:
    if url := environ.get("DATABASE_URL"):
        table["store"] = store_of(url, "DATABASE_URL")
    if key := take(environ, "ENCRYPTION_MASTER_KEY"):
        table["cipher"] = {"driver": "local", "options": {"master_key": key}}
    for name in ("TIGER_API_TIMEOUT", "TIGER_API_RETRIES"):
        if text := environ.get(name):
            _assign(table, ["api", name.lower()], _value(text))
    for name, text in sorted(environ.items()):
        if name.startswith(_PREFIX) and not name.startswith(_SECRET) and ("__" in name or name == f"{_PREFIX}PLUGINS"):
            _assign(table, name.removeprefix(_PREFIX).lower().split("__"), _value(text))
    for name in secret_names(environ, _SECRET):
        _assign(table, name.removeprefix(_SECRET).lower().split("__"), take(environ, name))


def _assign(table: dict[str, Any], path: list[str], value: Any) -> None:
    *parents, last = path
    for parent in parents:
        child = table.setdefault(parent, {})
        if not isinstance(child, dict):
            raise SettingsError([f"{_PREFIX}{'__'.join(path).upper()}: {parent} is a value, not a section"])
        table = child
    table[last] = value


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def store_of(url: str, name: str) -> dict[str, Any]:
    """Return the table of the store that a URL names; `name` is where the URL was given.

    :raises SettingsError: it begins otherwise.
    """
    scheme, _, rest = url.partition("://")
    match scheme.split("+")[0]:
        case "sqlite":
            return {"driver": "sqlite", "options": {"path": rest.removeprefix("/") or ":memory:"}}
        case "postgresql" | "postgres":
            return {"driver": "postgres", "options": {"url": Secret(url)}}
        case _:
            raise SettingsError([f"{name}: begin it with sqlite:/// or postgresql://"])


# -- strict structuring: a word is no number, and a secret never stands in a file ------------------------------


def _exactly(*kinds: type) -> Callable[[Any, Any], Any]:
    def check(value: Any, into: type) -> Any:
        if type(value) not in kinds:
            raise TypeError(f"{into.__name__} expected, not {type(value).__name__}")
        return into(value)

    return check


def _words(value: Any, _: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(word, str) for word in value):
        raise TypeError("a list of words expected")
    return tuple(value)


def _secret(value: Any, _: type) -> Secret:
    if not isinstance(value, Secret):
        raise TypeError("a secret is never written here: use its environment variable or a file")
    return value


def _describe(error: BaseException, _: type | None) -> str:
    match error:
        case cattrs.ForbiddenExtraKeysError():
            return f"unknown: {', '.join(sorted(error.extra_fields))}"
        case KeyError():
            return "required, but missing"
        case _:
            return str(error.args[0]) if error.args else type(error).__name__


_converter = cattrs.Converter(forbid_extra_keys=True)
_converter.register_structure_hook(bool, _exactly(bool))
_converter.register_structure_hook(int, _exactly(int))
_converter.register_structure_hook(float, _exactly(int, float))
_converter.register_structure_hook(str, _exactly(str, LoadBalanceStrategy))
_converter.register_structure_hook(Secret, _secret)
_converter.register_structure_hook_func(lambda kind: kind == tuple[str, ...], _words)
