"""`tigercore plugins`: what is installed, and what of it is loaded."""

from __future__ import annotations

import importlib.util
from typing import Any

from tigercore._plugins import GROUPS, HOOKS, Installed, installed
from tigercore.cli._common import COMMON, Common
from tigercore.cli._output import show_rows
from tigercore.ports import AccountStore, Cipher, LoadBalancer, TigerClient
from tigercore.settings import Settings


def plugins(*, common: Common = COMMON) -> None:
    """List the plugins that are installed, and which the settings load; none is imported for it."""
    settings = common.settings()
    rows = [_row(each, settings) for each in installed()]
    show_rows(common, rows, rows, nothing="No plugin is installed: install tigercore[default].")


def _row(plugin: Installed, settings: Settings) -> dict[str, Any]:
    return {
        "kind": plugin.group.removeprefix("tigercore."),
        "name": plugin.name,
        "loaded": is_loaded(plugin, settings),
        "distribution": f"{plugin.distribution} {plugin.version}",
        "module": plugin.module,
        "file": _file(plugin),
    }


def is_loaded(plugin: Installed, settings: Settings) -> bool:
    """Say whether the settings name this plugin."""
    named = {
        GROUPS[AccountStore]: {settings.store.driver},
        GROUPS[Cipher]: {settings.cipher.driver},
        GROUPS[TigerClient]: {settings.client.driver},
        GROUPS[LoadBalancer]: {settings.router.strategy, *settings.router.strategies},
    }
    if plugin.group == HOOKS:
        return plugin.distribution in settings.plugins
    return plugin.name in named[plugin.group]


def _file(plugin: Installed) -> str | None:
    """Return the file of the outermost package, which is found without importing it."""
    spec = importlib.util.find_spec(plugin.module.partition(":")[0].partition(".")[0])
    return spec.origin if spec else None
