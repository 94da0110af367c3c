"""`tigercore login` and `logout` against the simulated issuer: a person opens the page that the command shows."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.cli.conftest import LOCAL, NUMBER, Desk, Ended, Gateway, typed

pytestmark = pytest.mark.floor  # each of these starts programs


@contextmanager
def asked(gateway: Gateway, *words: str) -> Iterator[subprocess.Popen[str]]:
    """Begin to log in."""
    where = ["--environment", "sandbox", "--server-url", gateway.ready["url"], "--issuer", gateway.ready["issuer"]]
    command = [sys.executable, "-m", "tigercore", "login", *where, "--json", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def page_of(process: subprocess.Popen[str]) -> str:
    """Return the page that a person is shown."""
    assert process.stderr is not None
    first, page = process.stderr.readline(), process.stderr.readline().strip()
    assert first.startswith("Open this page within")
    return page


def ended(process: subprocess.Popen[str]) -> Ended:
    out, err = process.communicate(timeout=30)
    return Ended(process.returncode, out, err)


def agree(gateway: Gateway, **consent: str) -> None:
    """Let the person do something else than to agree at once."""
    request = urllib.request.Request(f"{gateway.ready['admin']}/consent", json.dumps(consent).encode(), method="POST")
    LOCAL.open(request).close()


def logged_in(gateway: Gateway) -> list[str]:
    """Log in, and return the numbers of the accounts that were added."""
    with asked(gateway) as process:
        page = page_of(process)
        LOCAL.open(page).close()
        done = ended(process)
    assert 0 == done.code, done.err
    return [each["account_number"] for each in done.document]


def test_a_person_who_agrees_in_a_browser_has_accounts_that_work(desk: Desk, gateway: Gateway) -> None:
    numbers = logged_in(gateway)
    assert sorted(numbers) == sorted(each["account_number"] for each in desk("account", "list", "--json").document)
    assert {"VALID"} == {each["state"] for each in desk("token", "status", "--json").document}
    assert 0 == typed("call", "POSITIONS", "--account", numbers[0]).code


def test_a_person_may_agree_on_another_machine_with_a_code(desk: Desk, gateway: Gateway) -> None:
    agree(gateway, answer="allow")
    with asked(gateway, "--device") as process:
        page = page_of(process)
        assert process.stderr is not None
        code = process.stderr.readline().strip().removeprefix("and type the code ")
        LOCAL.open(f"{page}?user_code={code}").close()
        done = ended(process)
    assert 0 == done.code, done.err
    assert desk("account", "list", "--json").document


def test_a_person_who_refuses_leaves_nothing_and_one_line(desk: Desk, gateway: Gateway) -> None:
    agree(gateway, answer="deny")
    with asked(gateway) as process:
        page = page_of(process)
        LOCAL.open(page).close()
        done = ended(process)
    assert (1, "") == (done.code, done.out)
    assert ("refused" in done.err, 1) == (True, done.err.strip().count("\n") + 1)
    assert [] == desk("account", "list", "--json").document


def test_who_logs_out_ends_the_consent_for_all_its_accounts(desk: Desk, gateway: Gateway) -> None:
    numbers = logged_in(gateway)
    assert 0 == desk("logout", numbers[0]).code
    ended = typed("call", "POSITIONS", "--account", numbers[-1])
    assert (1, True) == (ended.code, f"tigercore login {numbers[-1]}" in ended.err)


def test_a_consent_is_renewed_for_an_account_that_is_there(desk: Desk, gateway: Gateway) -> None:
    numbers = logged_in(gateway)
    desk("logout", numbers[0])
    with asked(gateway, numbers[0]) as process:
        page = page_of(process)
        LOCAL.open(page).close()
        assert 0 == ended(process).code
    assert 0 == typed("call", "POSITIONS", "--account", numbers[0]).code


def test_an_account_with_a_key_is_not_logged_in_to(keeper: Desk) -> None:
    ended = keeper("login", NUMBER)
    assert (1, True) == (ended.code, "signs with a key" in ended.err)


@pytest.mark.parametrize("text", ["", "{}", "not JSON", '{"access_token": "hush-hush"}'])
def test_a_file_that_holds_no_grant_is_told_of_without_what_is_in_it(desk: Desk, text: str) -> None:
    ended = desk("login", "--from-sdk", desk.file("grant.json", text))
    assert (1, "", 1) == (ended.code, ended.out, ended.err.strip().count("\n") + 1)
    assert "hush" not in ended.err


def test_a_file_that_is_not_there_is_told_of(desk: Desk) -> None:
    ended = desk("login", "--from-sdk", "nowhere.json")
    assert (1, True) == (ended.code, "nowhere.json: No such file" in ended.err)


def test_an_account_and_a_file_are_too_much(desk: Desk) -> None:
    assert 2 == desk("login", "12345678", "--from-sdk", "grant.json").code
