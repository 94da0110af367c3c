from __future__ import annotations

import sqlite3

import pytest

from tests.cli.conftest import NUMBER, Desk, token

pytestmark = pytest.mark.floor  # each of these starts programs


def test_a_store_at_the_head_has_nothing_pending(desk: Desk) -> None:
    ended = desk("db", "status", "--json")
    assert 0 == ended.code
    assert [] == ended.document["pending"]


def test_a_store_that_is_behind_ends_status_with_1(desk: Desk) -> None:
    (desk.directory / "tigercore.db").unlink()
    ended = desk("db", "status")
    assert 1 == ended.code
    assert "tigercore db migrate" in ended.out


def test_rollback_and_migrate_take_a_revision_back_and_bring_it_again(desk: Desk) -> None:
    desk.empty_store()
    for revision in ("0003", "0002", "0001"):
        assert revision == desk("db", "rollback", "--yes", "--json").document["current"]
    assert None is desk("db", "rollback", "--yes", "--drop-everything", "--json").document["current"]
    assert 0 == desk("db", "migrate").code
    assert 0 == desk("db", "check").code


@pytest.mark.parametrize("words", [(), ("--yes",), ("--drop-everything",)])
def test_the_first_revision_is_taken_back_only_where_it_is_said_twice(desk: Desk, words: tuple[str, ...]) -> None:
    desk.empty_store(first=True)
    ended = desk("db", "rollback", *words)
    assert 2 == ended.code
    assert "DROP EVERYTHING: accounts, keys and tokens: add --yes --drop-everything" in ended.err
    assert "0001" == desk("db", "status", "--json").document["current"]


def test_a_revision_that_would_lose_accounts_is_not_taken_back(keeper: Desk) -> None:
    for _ in range(2):  # the newest ones know nothing that an account which signs needs
        assert 0 == keeper("db", "rollback", "--yes").code
    ended = keeper("db", "rollback", "--yes")
    assert (1, 1) == (ended.code, len(ended.err.splitlines()))
    assert 0 == keeper("db", "migrate").code
    assert [NUMBER] == [each["account_number"] for each in keeper("account", "list", "--json").document]


def test_a_store_without_its_key_can_be_rolled_back(desk: Desk) -> None:
    desk.empty_store(first=True)
    (desk.directory.parent / "home" / "tigercore" / "root.key").unlink()
    assert 0 == desk("db", "rollback", "--yes", "--drop-everything").code


def test_check_names_what_is_missing_and_ends_with_1(desk: Desk) -> None:
    with sqlite3.connect(desk.directory / "tigercore.db") as connection:
        name = next(n for (n,) in connection.execute("select name from sqlite_master where sql like 'CREATE INDEX%'"))
        connection.execute(f"drop index {name}")
    connection.close()
    ended = desk("db", "check")
    assert 1 == ended.code
    assert name in ended.out


def test_doctor_finds_a_new_installation_in_order(bare: Desk) -> None:
    assert 0 == bare("init", "--recovery-file", "safe.key").code
    assert 0 == bare("account", "import", bare.portal()).code
    ended = bare("doctor", "--offline", "--json")
    assert 0 == ended.code
    assert {"ok"} == {each["level"] for each in ended.document}


def test_doctor_says_that_there_are_no_accounts(desk: Desk) -> None:
    ended = desk("doctor", "--offline")
    assert 0 == ended.code
    assert "warn" in ended.out


def test_doctor_fails_where_others_may_open_the_store(keeper: Desk) -> None:
    (keeper.directory / "tigercore.db").chmod(0o644)
    ended = keeper("doctor", "--offline")
    assert 1 == ended.code
    assert f"chmod 600 {keeper.directory / 'tigercore.db'}" in ended.out


def test_doctor_fails_where_revisions_are_pending(desk: Desk) -> None:
    desk.empty_store(first=True)
    ended = desk("doctor", "--offline")
    assert 1 == ended.code
    assert "run tigercore db migrate" in ended.out


def test_doctor_fails_where_the_key_is_another(keeper: Desk) -> None:
    key = keeper.directory.parent / "home" / "tigercore" / "root.key"
    key.unlink()
    keeper("init", "--no-recovery", "--dir", "other")
    ended = keeper("doctor", "--offline")
    assert 1 == ended.code
    assert "opening" in ended.out


def test_doctor_tells_every_fault_of_the_settings(bare: Desk) -> None:
    bare.file("tigercore.toml", '[store]\ndriver = "nowhere"\n[client]\ndriver = "nowhere"\n')
    ended = bare("doctor", "--json")
    assert 1 == ended.code
    assert 3 == len(ended.document)  # the local cipher has no key either


def test_doctor_fails_where_a_token_is_dead(desk: Desk) -> None:
    desk("account", "import", desk.portal(license="TBHK"))
    ended = desk("doctor", "--offline")
    assert 1 == ended.code
    assert f"tigercore account update {NUMBER} --token-file" in ended.out


def test_doctor_warns_of_a_token_that_ends_within_days(desk: Desk) -> None:
    desk("account", "import", desk.portal(license="TBHK", token=token(days=3)))
    ended = desk("doctor", "--offline")
    assert 0 == ended.code
    assert f"tigercore token refresh {NUMBER}" in ended.out


def test_a_token_history_that_is_empty_says_so(keeper: Desk) -> None:
    assert "No refresh was tried.\n" == keeper("token", "history", NUMBER).out


def test_an_account_that_needs_no_token_is_not_refreshed_by_all(keeper: Desk) -> None:
    assert [] == keeper("token", "refresh", "--all", "--json").document


def test_routes_are_explained_without_the_gateway(keeper: Desk) -> None:
    keeper("account", "update", NUMBER, "--status", "inactive")
    found = keeper("route", "explain", "QUOTE", "--json").document
    assert [None] == [each["place"] for each in found]
    assert found[0]["reason"]
