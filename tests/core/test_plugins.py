"""Finding drivers and hooks, against distributions that the tests install themselves."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from stevedore.extension import ExtensionManager

from tigercore import OperationVetoed, Settings, SettingsError, hookimpl
from tigercore._plugins import Hooks, choose, choose_driver, installed, load_hooks
from tigercore.operations import operation
from tigercore.ports import LoadBalancer
from tigercore.settings import DriverSettings, RouterSettings

Install = Callable[[str, str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Install a distribution that offers an entry point, for the time of the test."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(ExtensionManager, "ENTRY_POINT_CACHE", {})
    tmp_path.joinpath("planted.py").write_text(
        "import attrs\nfrom tigercore.ports import LoadBalancer\n"
        "@attrs.frozen\nclass Options:\n    explore: float = 0.1\n"
        "class Planted(LoadBalancer):\n    Options = Options\n"
        "    def plan(self, operation, candidates): return candidates\n"
        "def nothing(): pass\n"
    )

    def make(name: str, entry_points: str) -> None:
        folder = tmp_path / f"{name}-1.0.dist-info"
        folder.mkdir()
        folder.joinpath("METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        folder.joinpath("entry_points.txt").write_text(entry_points)
        monkeypatch.delitem(sys.modules, "planted", raising=False)

    return make


def choose_balancer(name: str, **options: Any) -> Any:
    return choose_driver(LoadBalancer, DriverSettings(driver=name, options=options), "settings.router")


def test_a_driver_is_found_by_its_name_with_its_own_options(install: Install) -> None:
    install("planted", "[tigercore.balancers]\nplanted = planted:Planted\n")
    assert 0.2 == choose_balancer("planted", explore=0.2).options.explore


def test_a_missing_driver_names_what_is_installed() -> None:
    with pytest.raises(SettingsError, match=r"no driver 'nope'; installed: .*round_robin"):
        choose_balancer("nope")


def test_two_distributions_with_one_name_are_both_named(install: Install) -> None:
    install("one", "[tigercore.balancers]\nplanted = planted:Planted\n")
    install("two", "[tigercore.balancers]\nplanted = planted:Planted\n")
    with pytest.raises(SettingsError, match="'planted' is offered by one and two; remove one"):
        choose_balancer("planted")


def test_an_unknown_option_names_its_path(install: Install) -> None:
    install("planted", "[tigercore.balancers]\nplanted = planted:Planted\n")
    with pytest.raises(SettingsError, match=r"explroe.*settings.router.options"):
        choose_balancer("planted", explroe=1)


def test_what_is_no_driver_of_the_port_is_refused(install: Install) -> None:
    install("planted", "[tigercore.balancers]\nplanted = planted:nothing\n")
    with pytest.raises(SettingsError, match="is no LoadBalancer"):
        choose_balancer("planted")


def test_a_driver_that_cannot_be_imported_is_named(install: Install) -> None:
    install("planted", "[tigercore.balancers]\nplanted = not_there:Planted\n")
    with pytest.raises(SettingsError, match=r"planted .* cannot be loaded"):
        choose_balancer("planted")


def test_the_faults_of_all_drivers_are_told_at_once() -> None:
    settings = Settings(
        store=DriverSettings(driver="nostore"),
        cipher=DriverSettings(driver="nocipher"),
        client=DriverSettings(driver="noclient"),
        router=RouterSettings(strategy="nostrategy"),
    )
    with pytest.raises(SettingsError) as caught:
        choose(settings)
    assert all(name in str(caught.value) for name in ("nostore", "nocipher", "noclient", "nostrategy"))


def test_hooks_load_from_the_named_distributions_only(install: Install) -> None:
    install("wanted", "[tigercore.plugins]\nx = planted:nothing\n")
    install("unwanted", "[tigercore.plugins]\nx = not_there\n")
    assert ["nothing"] == [plugin.__name__ for plugin in load_hooks(["wanted"])]


def test_a_named_distribution_without_hooks_is_a_fault() -> None:
    with pytest.raises(SettingsError, match="'tigercore-nothing' offers no hooks"):
        load_hooks(["tigercore-nothing"])


def test_every_installed_plugin_is_listed_with_where_it_comes_from() -> None:
    found = {(each.group, each.name): each.distribution for each in installed()}
    assert "tigercore-sqlite" == found["tigercore.stores", "sqlite"]


def test_a_hook_that_does_not_exist_is_refused_when_it_is_registered() -> None:
    class Typo:
        @hookimpl
        def tigercore_vetoo(self) -> None: ...

    with pytest.raises(Exception, match="tigercore_vetoo"):
        Hooks([Typo()])


def test_without_plugins_candidates_pass_as_the_very_same_tuple() -> None:
    candidates = ()
    assert candidates is Hooks().filter(None, candidates)  # type: ignore[arg-type]


def test_a_filter_can_leave_out_and_never_add() -> None:
    inside, outside = object(), object()

    class Generous:
        @hookimpl
        def tigercore_filter_candidates(self) -> list[object]:
            return [inside, outside]

    assert (inside,) == Hooks([Generous()]).filter(None, (inside,))  # type: ignore[arg-type, comparison-overlap]


def test_a_filter_that_fails_refuses_the_operation() -> None:
    class Clumsy:
        @hookimpl
        def tigercore_filter_candidates(self) -> list[object]:
            raise ZeroDivisionError

    with pytest.raises(OperationVetoed, match="while it filtered"):
        Hooks([Clumsy()]).filter(operation("kline"), ())


def test_a_hook_plugin_that_cannot_be_imported_is_named(install: Install) -> None:
    install("broken", "[tigercore.plugins]\nx = not_there\n")
    with pytest.raises(SettingsError, match="cannot be loaded"):
        load_hooks(["broken"])


def test_every_entry_point_of_a_named_distribution_is_loaded(install: Install) -> None:
    install("two-hooks", "[tigercore.plugins]\nx = planted:nothing\ny = planted:Planted\n")
    assert ["Planted", "nothing"] == sorted(plugin.__name__ for plugin in load_hooks(["two-hooks"]))


def test_a_plugin_that_is_an_object_is_known_by_its_type() -> None:
    class Clumsy:
        @hookimpl
        def tigercore_filter_candidates(self) -> list[object]:
            raise ZeroDivisionError

    with pytest.raises(OperationVetoed, match=r"^Clumsy failed"):
        Hooks([Clumsy(), Clumsy()]).filter(operation("kline"), ())
