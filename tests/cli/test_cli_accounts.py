from __future__ import annotations

import os
import stat

import pytest

from tests.cli.conftest import NUMBER, OTHER, Desk, token

pytestmark = pytest.mark.floor  # each of these starts programs


def numbers(desk: Desk, *words: str) -> list[str]:
    return [each["account_number"] for each in desk("account", "list", "--json", *words).document]


# -- import ----------------------------------------------------------------------------------------------------


def test_a_directory_of_the_portal_is_imported(keeper: Desk) -> None:
    assert [NUMBER] == numbers(keeper)


def test_a_file_of_the_portal_is_imported(desk: Desk) -> None:
    desk("account", "import", desk.portal() / "tiger_openapi_config.properties")
    assert [NUMBER] == numbers(desk)


def test_every_directory_in_a_directory_is_imported(desk: Desk) -> None:
    desk.portal(NUMBER)
    desk("account", "import", desk.portal(OTHER).parent)
    assert [NUMBER, OTHER] == numbers(desk)


def test_a_bad_file_is_named_and_does_not_stop_the_others(desk: Desk) -> None:
    bad = desk.portal(NUMBER, private_key_pk8="bm8ga2V5")
    ended = desk("account", "import", bad, desk.portal(OTHER))
    assert 1 == ended.code
    assert str(bad) in ended.err
    assert [OTHER] == numbers(desk)


def test_a_program_is_told_what_was_added_and_what_failed(desk: Desk) -> None:
    ended = desk("account", "import", desk.portal(), "nowhere", "--json")
    assert [NUMBER] == [each["account_number"] for each in ended.document["added"]]
    assert ["nowhere"] == [each["path"] for each in ended.document["failed"]]


def test_a_directory_without_the_file_is_named(desk: Desk) -> None:
    ended = desk("account", "import", ".")
    assert 1 == ended.code
    assert "there is no tiger_openapi_config.properties in it" in ended.err


def test_an_account_is_imported_once(keeper: Desk) -> None:
    ended = keeper("account", "import", "portal")
    assert 1 == ended.code
    assert "has this number already" in ended.err


# -- add -------------------------------------------------------------------------------------------------------


def test_secrets_are_read_from_files(desk: Desk) -> None:
    files = ("--tiger-id-file", desk.file("id", "20150001\n"), "--private-key-file", desk.file("key", desk.pem))
    assert 0 == desk("account", "add", "--number", NUMBER, "--type", "paper", *files).code
    assert [NUMBER] == numbers(desk)


def test_a_secret_is_read_from_stdin(desk: Desk) -> None:
    files = ("--tiger-id-file", desk.file("id", "20150001"), "--private-key-file", "-")
    ended = desk("account", "add", "--number", NUMBER, "--type", "PAPER", *files, stdin=desk.pem)
    assert 0 == ended.code


def test_stdin_cannot_hold_two_secrets(desk: Desk) -> None:
    ended = desk("account", "add", "--number", NUMBER, "--tiger-id-file", "-", "--private-key-file", "-", stdin="x")
    assert 2 == ended.code
    assert "stdin can be read once" in ended.err


def test_a_secret_is_not_asked_for_without_a_terminal(desk: Desk) -> None:
    ended = desk("account", "add", "--number", NUMBER)
    assert 2 == ended.code
    assert "--tiger-id-file" in ended.err


def test_a_secret_file_that_is_not_there_is_named(desk: Desk) -> None:
    ended = desk("account", "add", "--number", NUMBER, "--tiger-id-file", "nowhere")
    assert 2 == ended.code
    assert "tigercore: --tiger-id-file: …: No such file or directory\n" == ended.err


@pytest.mark.parametrize("name", ["--private-key", "--tiger-id", "--token", "--secret-key"])
def test_a_secret_is_not_taken_from_an_argument(desk: Desk, name: str) -> None:
    for words in ((name, "hush"), (f"{name}=hush",)):
        ended = desk("account", "add", "--number", NUMBER, *words)
        assert 2 == ended.code
        assert "hush" not in ended.words
        assert f"{name}-file" in ended.err


def test_a_long_word_that_was_typed_wrong_is_not_repeated(desk: Desk) -> None:
    word = "MIIE" * 20
    for words in ((word,), (f"--key={word}",), ("--weight", word), ("--key", word)):
        assert word not in desk("account", "show", NUMBER, *words).words
        assert word not in desk("account", "update", NUMBER, *words).words


@pytest.mark.parametrize(
    "words",
    [
        ("--private-keyy", "hush"),
        ("--private_key=hush",),
        ("--my-token", "hush"),
        ("--TigerId", "hush"),
        ("--private-key-file", "hush"),
        ("--token-file=hush/hush",),
        ("--private-key-file", "hush" * 100),
        ("--key-file", "hush"),
        ("--name", "hush" * 6, "--nonsense"),
        ("--nonsense", "hush" * 6),
        ("--type", "hush" * 6),
        ("--weight=" + "hush" * 6,),
        ("--private-key" + "hush" * 6,),
        ("--config", "hush" * 6),
    ],
)
def test_the_value_of_an_option_that_may_be_a_secret_is_not_repeated(desk: Desk, words: tuple[str, ...]) -> None:
    for more in ((), ("--json",), ("--verbose",)):
        ended = desk("account", "update", NUMBER, *words, *more)
        assert 0 != ended.code
        assert "hush" not in ended.words


def test_a_tbhk_account_is_added_with_its_token(desk: Desk) -> None:
    files = ("--tiger-id-file", desk.file("id", "20150001"), "--private-key-file", desk.file("key", desk.pem))
    more = ("--license", "tbhk", "--token-file", desk.file("token", token()))
    desk("account", "add", "--number", NUMBER, "--type", "paper", *files, *more)
    assert "VALID" == desk("token", "status", "--json").document[0]["state"]


# -- find ------------------------------------------------------------------------------------------------------


def test_an_account_answers_to_its_id_number_and_name(keeper: Desk) -> None:
    keeper("account", "update", NUMBER, "--name", "Main one")
    found = keeper("account", "show", NUMBER, "--json").document
    assert found == keeper("account", "show", found["id"], "--json").document
    assert found == keeper("account", "show", "Main one", "--json").document


def test_a_name_that_two_accounts_bear_is_ambiguous(keeper: Desk) -> None:
    keeper("account", "import", keeper.portal(OTHER))
    for number in (NUMBER, OTHER):
        keeper("account", "update", number, "--name", "Twin")
    ended = keeper("account", "show", "Twin")
    assert 2 == ended.code
    assert "2 accounts answer to 'Twin'" in ended.err


def test_an_account_that_is_not_there_is_a_failure(desk: Desk) -> None:
    ended = desk("account", "show", "nobody", "--json")
    assert 1 == ended.code
    assert '"kind": "AccountNotFoundError"' in ended.err


def test_the_list_can_be_narrowed(keeper: Desk) -> None:
    keeper("account", "import", keeper.portal(OTHER))
    keeper("account", "update", OTHER, "--status", "inactive", "--tag", "slow")
    assert [OTHER] == numbers(keeper, "--status", "INACTIVE")
    assert [OTHER] == numbers(keeper, "--tag", "slow")
    assert [] == numbers(keeper, "--type", "prime")


def test_an_empty_list_says_what_to_do(desk: Desk) -> None:
    assert "tigercore account import" in desk("account", "list").out


# -- change ----------------------------------------------------------------------------------------------------


def test_only_what_is_named_is_changed(keeper: Desk) -> None:
    before = keeper("account", "show", NUMBER, "--json").document
    keeper("account", "update", NUMBER, "--permission", "us-stock", "--permission", "HK_STOCK", "--default-trading")
    after = keeper("account", "show", NUMBER, "--json").document
    changed = {"market_permissions": ["HK_STOCK", "US_STOCK"], "is_default_trading": True}
    moved = {"version": after["version"], "updated_at": after["updated_at"]}
    assert {**before, **changed, **moved} == after


def test_a_change_of_nothing_is_refused(keeper: Desk) -> None:
    assert 2 == keeper("account", "update", NUMBER).code


def test_a_new_token_is_brought_from_a_file(keeper: Desk) -> None:
    keeper("account", "update", NUMBER, "--license", "TBHK")
    ended = keeper("account", "update", NUMBER, "--token-file", keeper.file("token", token()))
    assert 0 == ended.code
    assert "VALID" == keeper("token", "status", NUMBER, "--json").document[0]["state"]


def test_a_value_that_does_not_fit_is_a_failure_of_one_line(keeper: Desk) -> None:
    ended = keeper("account", "update", NUMBER, "--weight", "-1")
    assert 1 == ended.code
    assert "tigercore: weight: give a number above 0\n" == ended.err


# -- delete and export -----------------------------------------------------------------------------------------


def test_deleting_needs_yes_where_nobody_can_be_asked(keeper: Desk) -> None:
    ended = keeper("account", "delete", NUMBER)
    assert 2 == ended.code
    assert "--yes" in ended.err
    assert [NUMBER] == numbers(keeper)


def test_an_account_is_deleted(keeper: Desk) -> None:
    assert 0 == keeper("account", "delete", NUMBER, "--yes").code
    assert [] == numbers(keeper)


def test_an_export_can_be_imported_again(keeper: Desk) -> None:
    assert 0 == keeper("account", "export", NUMBER, "out/deep").code
    keeper("account", "delete", NUMBER, "--yes")
    assert 0 == keeper("account", "import", "out/deep").code


def test_an_export_overwrites_only_when_told(keeper: Desk) -> None:
    keeper("account", "export", NUMBER, "out")
    assert 1 == keeper("account", "export", NUMBER, "out").code
    assert 0 == keeper("account", "export", NUMBER, "out", "--overwrite").code


def test_every_directory_that_an_export_makes_is_its_owners_alone(keeper: Desk) -> None:
    before = os.umask(0)
    try:
        keeper("account", "export", NUMBER, "out/deep/deeper")
    finally:
        os.umask(before)
    out = keeper.directory / "out"
    assert [0o700] * 3 == [stat.S_IMODE(path.stat().st_mode) for path in (out, out / "deep", out / "deep" / "deeper")]


def test_no_command_shows_a_secret(keeper: Desk) -> None:
    secret = "".join(keeper.pem.splitlines()[1:-1])[:60]
    seen = ""
    for words in (("show", NUMBER), ("show", NUMBER, "--json"), ("list", "--json"), ("export", NUMBER, "out")):
        seen += keeper("account", *words, "--verbose").words
    assert secret in (keeper.directory / "out" / "tiger_openapi_config.properties").read_text()
    assert secret not in seen
    assert "20150001" not in seen
