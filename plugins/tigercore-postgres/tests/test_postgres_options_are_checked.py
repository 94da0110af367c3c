import ssl
import traceback
from typing import Any

import pytest

from tigercore.errors import SettingsError
from tigercore.model import Secret
from tigercore.settings import load_settings, structure
from tigercore_postgres import PostgresOptions
from tigercore_postgres.conninfo import completed, parsed, shown


def _faults(**table: Any) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as refused:
        structure(table, PostgresOptions, "settings.store.options")
    assert "canary" not in "".join(traceback.format_exception(refused.value))
    return tuple(refused.value.faults)


def test_database_url_becomes_a_secret_url() -> None:
    environ = {"DATABASE_URL": "postgresql://me:canary@localhost/tigercore"}
    settings = load_settings("/dev/null", environ)
    options = structure(settings.store.options, PostgresOptions, "settings.store.options")
    assert ("postgres", "the database tigercore on localhost") == (settings.store.driver, options.name)
    assert "canary" not in repr(settings) + repr(options)


def test_a_file_names_the_database_as_dsn() -> None:
    options = structure({"dsn": "postgresql://localhost/tigercore"}, PostgresOptions, "settings.store.options")
    assert "the database tigercore on localhost" == options.name


@pytest.mark.parametrize(
    "dsn", ["postgresql://me:canary@localhost/x", "host=localhost password=canary", "postgresql://h/x?password=canary"]
)
def test_a_password_never_stands_in_a_file(dsn: str) -> None:
    (fault,) = _faults(dsn=dsn)
    assert "dsn: a password is never written here: use DATABASE_URL, PGPASSWORD or ~/.pgpass" in fault


@pytest.mark.parametrize("table", [{}, {"dsn": "host=a", "url": Secret("postgresql://b")}])
def test_the_database_is_named_once(table: dict[str, Any]) -> None:
    (fault,) = _faults(**table)
    assert "name the database once" in fault


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:can@ary@localhost/x",
        "postgresql://me:canary/@localhost/x",
        "postgresql://me:1/canary@localhost/x",
        "postgresql://me:%canary@localhost/x",
        "postgresql://localhost/x?canary=1",
        "host=localhost password=a canary",
        "canary",
    ],
)
def test_a_url_that_cannot_be_read_is_not_shown(url: str) -> None:
    (fault,) = _faults(url=Secret(url))
    assert "url: it" in fault


@pytest.mark.parametrize("table", [{"pool": 2}, {"lock_timeout": 0}, {"statement_timeout": -1}, {"pool": "8"}])
def test_a_number_that_does_not_fit_is_told(table: dict[str, Any]) -> None:
    assert 1 == len(_faults(dsn="host=localhost", **table))


# -- nothing insecure is a default ------------------------------------------------------------------------------


def _mode(dsn: str, **environ: str) -> str | None:
    return completed(parsed(dsn), environ).get("sslmode")


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://db.example/x",
        "postgresql://10.0.0.7/x",
        "host=localhost,db.example",
        "host=localhost hostaddr=10.0.0.7",
        "service=main",
        "postgresql://[2001:db8::1]/x",
    ],
)
def test_a_server_on_another_host_has_to_prove_who_it_is(dsn: str) -> None:
    assert "verify-full" == _mode(dsn)


@pytest.mark.parametrize("environ", [{"PGHOST": "db.example"}, {"PGHOSTADDR": "10.0.0.7"}, {"PGSERVICE": "main"}])
def test_a_server_that_the_environment_names_has_to_prove_who_it_is(environ: dict[str, str]) -> None:
    assert "verify-full" == _mode("dbname=x", **environ)


@pytest.mark.parametrize(
    "dsn", ["dbname=x", "host=localhost", "host=/run/postgresql", "host=@abstract", "host=127.0.0.2", "host=::1"]
)
def test_a_server_on_this_host_may_do_without_tls(dsn: str) -> None:
    assert _mode(dsn) is None


@pytest.mark.parametrize("mode", ["disable", "require", "verify-ca"])
def test_the_mode_that_the_operator_writes_is_taken(mode: str) -> None:
    assert mode == _mode(f"postgresql://db.example/x?sslmode={mode}")


def test_the_mode_of_the_environment_is_left_to_libpq() -> None:
    assert _mode("host=db.example", PGSSLMODE="require") is None


def test_the_roots_that_the_operator_names_are_taken() -> None:
    assert "/etc/own.pem" == completed(parsed("host=db.example sslrootcert=/etc/own.pem"), {})["sslrootcert"]


@pytest.mark.parametrize("dsn", ["host=db.example", "host=localhost sslmode=verify-full"])
def test_who_has_to_prove_who_it_is_does_so_to_the_roots_of_the_system(dsn: str) -> None:
    assert (ssl.get_default_verify_paths().cafile or "system") == completed(parsed(dsn), {})["sslrootcert"]


def test_what_the_operator_writes_is_taken_before_a_default() -> None:
    found = completed(parsed("host=localhost connect_timeout=3 application_name=desk"), {})
    assert ("3", "desk") == (found["connect_timeout"], found["application_name"])


def test_errors_call_a_database_that_the_environment_names() -> None:
    assert "the database x on db.example" == shown({}, {"PGDATABASE": "x", "PGHOST": "db.example"})
