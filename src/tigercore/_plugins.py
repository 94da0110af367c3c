"""Find drivers and hooks. stevedore answers "which one?", pluggy answers "who else?"."""

from __future__ import annotations

import importlib.metadata
import logging
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import lru_cache
from types import ModuleType
from typing import TYPE_CHECKING, Any, Generic, TypeVar, final

import attrs
import pluggy
from stevedore.driver import DriverManager
from stevedore.extension import ExtensionManager

from tigercore import hookspecs
from tigercore.errors import OperationVetoed, SettingsError
from tigercore.model import Operation, TigerAccount
from tigercore.ports import AccountStore, Candidate, Cipher, Driver, DriverContext, LoadBalancer, TigerClient
from tigercore.settings import DriverSettings, Settings, structure

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

_log = logging.getLogger("tigercore.plugins")
HOOKS = "tigercore.plugins"
GROUPS: Mapping[type[Driver], str] = {
    AccountStore: "tigercore.stores",
    Cipher: "tigercore.ciphers",
    TigerClient: "tigercore.clients",
    LoadBalancer: "tigercore.balancers",
}
D = TypeVar("D", bound=Driver)


@final
@attrs.frozen
class Chosen(Generic[D]):
    """A driver class and its options, checked and ready to open."""

    driver: type[D]
    options: Any

    def open(self, context: DriverContext) -> AbstractAsyncContextManager[D]:
        """Open the driver with these options."""
        return self.driver.open(self.options, context)


@final
@attrs.frozen
class Installed:
    """A plugin that is installed: where it comes from, and which file it is."""

    group: str
    name: str
    distribution: str
    version: str
    module: str


@final
@attrs.frozen
class Choice:
    """The drivers, chosen and checked but not opened."""

    store: Chosen[AccountStore]
    cipher: Chosen[Cipher]
    client: Chosen[TigerClient]
    balancers: Mapping[str, Chosen[LoadBalancer]]


def choose(settings: Settings) -> Choice:
    """Load the drivers that the settings name, and no other, and check their options.

    :raises SettingsError: something does not fit; every fault of every driver is named at once.
    """
    faults: list[str] = []

    def one(port: type[Driver], chosen: DriverSettings, path: str) -> Any:
        try:
            return choose_driver(port, chosen, path)
        except SettingsError as error:
            faults.extend(error.faults)

    choice = Choice(
        one(AccountStore, settings.store, "settings.store"),
        one(Cipher, settings.cipher, "settings.cipher"),
        one(TigerClient, settings.client, "settings.client"),
        {
            name: one(LoadBalancer, DriverSettings(driver=name, options=options), f"settings.router.strategies.{name}")
            for name, options in _strategies(settings).items()
        },
    )
    if faults:
        raise SettingsError(faults)
    return choice


def _strategies(settings: Settings) -> dict[str, Mapping[str, Any]]:
    return {settings.router.strategy: {}, **settings.router.strategies}


def choose_driver(port: type[Driver], chosen: DriverSettings, path: str) -> Chosen[Any]:
    """Load the one driver that the settings name and check its options.

    :raises SettingsError: none or two are installed under this name, it cannot be loaded, or its options do not fit.
    """
    group = GROUPS[port]
    driver = _load(group, chosen.driver, path)
    if not (isinstance(driver, type) and issubclass(driver, port)):
        raise SettingsError([f"{path}.driver: {chosen.driver!r} is no {port.__name__}"])
    return Chosen(driver, structure(chosen.options, driver.Options, f"{path}.options"))


def _load(group: str, name: str, path: str) -> Any:
    """Load the one entry point of this name by stevedore."""
    offers = [entry for entry in entry_points(group) if entry.name == name]
    if not offers:
        names = ", ".join(sorted({entry.name for entry in entry_points(group)})) or "none"
        raise SettingsError([f"{path}.driver: {group} has no driver {name!r}; installed: {names}"])
    if len(offers) > 1:
        owners = " and ".join(sorted(map(_owner, offers)))
        raise SettingsError([f"{path}.driver: {name!r} is offered by {owners}; remove one"])
    # stevedore would ask a cache on the disk that others may have written to; what is installed is known here
    ExtensionManager.ENTRY_POINT_CACHE[group] = list(entry_points(group))
    return DriverManager[Any](group, name, on_load_failure_callback=_refuse)[name].plugin


def _refuse(_: Any, entry: EntryPoint, error: BaseException) -> None:
    raise SettingsError([f"{entry.group}: {entry.name} ({entry.value}) cannot be loaded: {error}"]) from error


def entry_points(group: str) -> Iterable[EntryPoint]:
    """Return the entry points of a group as they are installed, without importing any."""
    found: Iterable[EntryPoint] = _entry_points(tuple(sys.path)).select(group=group)
    return found


@lru_cache(maxsize=1)
def _entry_points(_: tuple[str, ...]) -> Any:  # of another class in Python 3.11
    """Read what is installed, once for each state of the import path: every distribution has a file to be opened."""
    return importlib.metadata.entry_points()


def installed() -> list[Installed]:
    """List every plugin that is installed, loaded or not."""
    return [
        Installed(group, entry.name, _owner(entry), entry.dist.version if entry.dist else "?", entry.value)
        for group in (*GROUPS.values(), HOOKS)
        for entry in sorted(entry_points(group))
    ]


def _owner(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist else "an unknown distribution"


def load_hooks(distributions: Sequence[str]) -> list[Any]:
    """Load the hook plugins of these distributions, and of no other.

    :raises SettingsError: one of them is not installed or offers no hooks.
    """
    found = list(entry_points(HOOKS))
    owners = {_owner(entry) for entry in found}
    if missing := [name for name in distributions if name not in owners]:
        raise SettingsError(
            [
                f"settings.plugins: {name!r} offers no hooks here; installed: {sorted(owners) or 'none'}"
                for name in missing
            ]
        )
    return [_hook_plugin(entry) for name in distributions for entry in found if _owner(entry) == name]


def _hook_plugin(entry: EntryPoint) -> Any:
    try:
        return entry.load()
    except Exception as error:  # whatever a plugin's import raises, the settings that name it are what can be mended
        raise SettingsError([f"settings.plugins: {entry.name} ({entry.value}) cannot be loaded: {error}"]) from error


@final
class Hooks:
    """The hooks of all plugins, compiled once: a hook that nobody implements costs one look at an empty tuple."""

    def __init__(self, plugins: Iterable[object | ModuleType] = ()) -> None:
        manager = pluggy.PluginManager(hookspecs.PROJECT)
        manager.add_hookspecs(hookspecs)
        for number, plugin in enumerate(plugins):
            name = getattr(plugin, "__name__", type(plugin).__name__)
            manager.register(plugin, name if not manager.has_plugin(name) else f"{name} ({number})")
        manager.check_pending()
        self.failures: dict[str, int] = {}
        self._calls = {
            name: _compile(caller) for name, caller in vars(manager.hook).items() if not name.startswith("_")
        }

    @property
    def can_filter(self) -> bool:
        """Say whether any plugin may leave candidates out."""
        return bool(self._calls["tigercore_filter_candidates"])

    def notify(self, hook: str, **arguments: Any) -> None:
        """Tell every observer; one that raises is logged and counted, and the others still hear."""
        for name, call in self._calls[hook]:
            try:
                call(arguments)
            except Exception:  # an observer is never felt by the caller (architecture 5)
                self.failures[name] = self.failures.get(name, 0) + 1
                _log.exception("plugin %s failed in %s", name, hook)

    def veto(self, operation: Operation, account: TigerAccount, params: Mapping[str, Any]) -> None:
        """Ask every plugin whether the call may go out.

        :raises OperationVetoed: one refused, or failed while it was asked.
        """
        for name, call in self._calls["tigercore_veto"]:
            try:
                reason = call({"operation": operation, "account": account, "params": params})
            except Exception as error:
                raise OperationVetoed(f"{name} failed while it was asked about {operation.method}") from error
            if reason is not None:
                raise OperationVetoed(f"{name} refused {operation.method} on {account.account_name}: {reason}")

    def filter(self, operation: Operation, candidates: tuple[Candidate, ...]) -> tuple[Candidate, ...]:
        """Let plugins leave candidates out; without one, the very same tuple comes back."""
        for name, call in self._calls["tigercore_filter_candidates"]:
            try:
                kept = set(map(id, call({"operation": operation, "candidates": candidates})))
            except Exception as error:
                raise OperationVetoed(f"{name} failed while it filtered for {operation.method}") from error
            candidates = tuple(candidate for candidate in candidates if id(candidate) in kept)
        return candidates

    def collect(self, hook: str, **arguments: Any) -> list[Any]:
        """Return what each plugin answers to a hook; an error is the caller's."""
        return [call(arguments) for _, call in self._calls[hook]]


def _compile(caller: Any) -> tuple[tuple[str, Callable[[Mapping[str, Any]], Any]], ...]:
    return tuple((impl.plugin_name, _bound(impl)) for impl in caller.get_hookimpls())


def _bound(impl: Any) -> Callable[[Mapping[str, Any]], Any]:
    function, names = impl.function, impl.argnames
    return lambda arguments: function(*[arguments[name] for name in names])
