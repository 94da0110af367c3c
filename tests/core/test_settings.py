"""Settings: defaults, then the file, then the environment; every fault at once, each with its path."""

from __future__ import annotations

from pathlib import Path

import pytest

from tigercore import Secret, Settings, SettingsError, load_settings


def load(tmp_path: Path, text: str = "", **environ: str) -> Settings:
    file = tmp_path / "tigercore.toml"
    file.write_text(text)
    return load_settings(file, environ)


def test_without_a_file_the_defaults_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Settings() == load_settings(None, {})


def test_the_file_overrides_the_defaults(tmp_path: Path) -> None:
    assert "memory" == load(tmp_path, '[store]\ndriver = "memory"').store.driver


def test_the_environment_overrides_the_file(tmp_path: Path) -> None:
    settings = load(tmp_path, '[store]\ndriver = "a"', TIGERCORE_STORE__DRIVER="b")
    assert "b" == settings.store.driver


def test_the_environment_reaches_into_options(tmp_path: Path) -> None:
    assert {"path": "/x.db"} == load(
        tmp_path, TIGERCORE_STORE__OPTIONS__PATH="/x.db", TIGERCORE_STORE__DRIVER="s"
    ).store.options


def test_numbers_and_truth_are_read_from_the_environment(tmp_path: Path) -> None:
    settings = load(tmp_path, TIGERCORE_TOKENS__PARALLEL="7", TIGERCORE_TOKENS__AUTO_REFRESH="true")
    assert (7, True) == (settings.tokens.parallel, settings.tokens.auto_refresh)


@pytest.mark.parametrize(
    ("url", "driver", "path"),
    [
        ("sqlite:///data/a.db", "sqlite", "data/a.db"),
        ("sqlite:////var/a.db", "sqlite", "/var/a.db"),
        ("sqlite://", "sqlite", ":memory:"),
        ("sqlite+pysqlite:///a.db", "sqlite", "a.db"),
    ],
)
def test_a_database_url_chooses_the_sqlite_store(tmp_path: Path, url: str, driver: str, path: str) -> None:
    store = load(tmp_path, DATABASE_URL=url).store
    assert (driver, {"path": path}) == (store.driver, store.options)


def test_a_postgresql_url_is_kept_as_a_secret(tmp_path: Path) -> None:
    store = load(tmp_path, DATABASE_URL="postgresql://u:hunter2@h/d").store
    assert ("postgres", {"url": Secret("postgresql://u:hunter2@h/d")}) == (store.driver, store.options)
    assert "hunter2" not in repr(store)


def test_another_database_url_says_what_to_begin_it_with(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="begin it with sqlite:/// or postgresql://"):
        load(tmp_path, DATABASE_URL="oracle://x")


def test_the_master_key_is_a_secret_and_leaves_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "tigercore.toml"
    file.touch()
    environ = {"ENCRYPTION_MASTER_KEY": "the key"}
    settings = load_settings(file, environ)
    assert Secret("the key") == settings.cipher.options["master_key"]
    assert {} == environ


def test_the_requirements_variables_of_the_gateway_are_read(tmp_path: Path) -> None:
    api = load(tmp_path, TIGER_API_TIMEOUT="30", TIGER_API_RETRIES="3").api
    assert (30.0, 3) == (api.tiger_api_timeout, api.tiger_api_retries)


def test_every_fault_is_named_at_once_each_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, 'colour = "red"\n[store]\ndrver = "x"\n[tokens]\nparallel = "many"\nrefresh_at = 3.0')
    text = str(caught.value)
    assert all(part in text for part in ("colour", "settings.store", "drver", "settings.tokens.parallel"))
    assert 3 == len(caught.value.faults)


@pytest.mark.parametrize("value", ['"no"', "0", "1"])
def test_only_true_and_false_are_truth(tmp_path: Path, value: str) -> None:
    with pytest.raises(SettingsError, match=r"settings.tokens.auto_refresh"):
        load(tmp_path, f"[tokens]\nauto_refresh = {value}")


def test_a_share_of_life_outside_its_range_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="refresh_at"):
        load(tmp_path, "[tokens]\nrefresh_at = 1.5")


def test_a_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="tigercore init"):
        load_settings(tmp_path / "no.toml", {})


def test_a_file_that_is_no_toml_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"tigercore.toml"):
        load(tmp_path, "[[[")


def test_a_value_in_the_place_of_a_section_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="is a value, not a section"):
        load(tmp_path, 'store = "sqlite"', TIGERCORE_STORE__DRIVER="x")


def test_options_alone_keep_the_default_driver(tmp_path: Path) -> None:
    store = load(tmp_path, TIGERCORE_STORE__OPTIONS__PATH="/x.db").store
    assert ("sqlite", {"path": "/x.db"}) == (store.driver, store.options)


def test_plugins_are_named_in_the_environment_too(tmp_path: Path) -> None:
    assert ("one", "two") == load(tmp_path, TIGERCORE_PLUGINS='["one", "two"]').plugins


def test_a_word_is_no_list_of_plugins(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"a list of words expected @ settings\.plugins"):
        load(tmp_path, 'plugins = "one"')
