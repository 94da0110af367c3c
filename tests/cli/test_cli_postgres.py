"""The command on PostgreSQL: an installation moves there and back, and through a file."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from uuid import uuid4

import pytest

from tests.cli.conftest import NUMBER, Desk
from tests.servers.needed import needed
from tests.servers.postgres import any_server

pytestmark = [pytest.mark.postgres, pytest.mark.floor]


@pytest.fixture(scope="module")
def databases() -> Iterator[list[str]]:
    """Return the URLs of two new and empty databases for each test to come."""
    with needed(any_server()) as server:
        names = [f"tc_cli_{uuid4().hex}" for _ in range(8)]
        yield [server.create_database(name) for name in names]
        for name in names:
            server.drop_database(name)


@pytest.fixture
def moved(keeper: Desk, databases: list[str]) -> Desk:
    """Return an installation that was moved to PostgreSQL."""
    url = databases.pop()
    assert 0 == keeper("db", "copy", "--from", "sqlite:///tigercore.db", "--to", url).code
    keeper.monkeypatch.setenv("DATABASE_URL", url)
    return keeper


def _accounts(desk: Desk) -> list[dict[str, object]]:
    return [
        {name: told for name, told in each.items() if name != "version"}
        for each in json.loads(desk("account", "list", "--json").out)
    ]


def test_a_store_that_moves_to_postgres_has_its_accounts_and_opens(keeper: Desk, databases: list[str]) -> None:
    before = _accounts(keeper)
    url = databases.pop()
    assert 0 == keeper("db", "copy", "--from", "sqlite:///tigercore.db", "--to", url).code
    keeper.monkeypatch.setenv("DATABASE_URL", url)
    assert [NUMBER] == [each["account_number"] for each in before]
    assert before == _accounts(keeper)
    assert (0, 0) == (keeper("cipher", "verify").code, keeper("db", "check").code)


def test_it_moves_back(moved: Desk) -> None:
    url, before = os.environ["DATABASE_URL"], _accounts(moved)
    assert 0 == moved("db", "copy", "--from", url, "--to", "sqlite:///back.db").code
    moved.monkeypatch.setenv("DATABASE_URL", "sqlite:///back.db")
    assert before == _accounts(moved)
    assert 0 == moved("cipher", "verify").code


def test_a_backup_of_it_is_restored_into_another_database(moved: Desk, databases: list[str]) -> None:
    before = _accounts(moved)
    assert 0 == moved("backup", "kept.tcb").code
    moved.monkeypatch.setenv("DATABASE_URL", databases.pop())
    assert 0 == moved("restore", "kept.tcb").code
    assert before == _accounts(moved)
    assert 0 == moved("cipher", "verify").code


def test_a_database_that_is_behind_names_the_command(moved: Desk, databases: list[str]) -> None:
    moved.monkeypatch.setenv("DATABASE_URL", databases.pop())
    ended = moved("account", "list")
    assert (1, 1, True) == (ended.code, len(ended.err.splitlines()), "tigercore db migrate" in ended.err)
