"""`tigercore db copy`, `backup` and `restore`: from one SQLite store to another, and through a file."""

from __future__ import annotations

import signal
import sqlite3
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import NUMBER, OTHER, Desk, typed
from tigercore.cli.db import named

pytestmark = pytest.mark.floor

OLD, NEW = "sqlite:///tigercore.db", "sqlite:///new.db"


def copy(desk: Desk, *words: str, source: str = OLD, target: str = NEW) -> Any:
    return desk("db", "copy", "--from", source, "--to", target, *words)


def is_frozen(desk: Desk) -> bool:
    return bool(desk("cipher", "status", "--json").document["frozen"])


def turn_to(desk: Desk, url: str = NEW) -> None:
    desk.monkeypatch.setenv("DATABASE_URL", url)


def numbers(desk: Desk) -> list[str]:
    return [each["account_number"] for each in desk("account", "list", "--json").document]


# -- copy ----------------------------------------------------------------------------------------------------------


def test_a_copy_has_the_accounts_and_opens(keeper: Desk) -> None:
    ended = copy(keeper)
    assert (0, "") == (ended.code, ended.err)
    turn_to(keeper)
    assert [NUMBER] == numbers(keeper)
    assert 0 == keeper("cipher", "verify").code


def test_a_copy_says_what_comes_next(keeper: Desk) -> None:
    said = copy(keeper).out
    assert [True] * 4 == [
        word in said for word in ("1 accounts", "frozen", "DATABASE_URL", "tigercore cipher unfreeze")
    ]


def test_a_copy_is_counted_as_json(keeper: Desk) -> None:
    assert {"accounts": 1, "tokens": 1, "attempts": 0} == {
        name: count for name, count in copy(keeper, "--json").document.items() if name != "audit_lines"
    }


def test_the_old_store_stays_frozen_and_the_new_one_is_not(keeper: Desk) -> None:
    copy(keeper)
    assert is_frozen(keeper)
    turn_to(keeper)
    assert not is_frozen(keeper)


def test_who_goes_back_unfreezes_the_old_store(keeper: Desk) -> None:
    copy(keeper)
    assert 0 == keeper("cipher", "unfreeze", "--yes").code
    assert not is_frozen(keeper)


def test_the_new_store_is_for_its_owner_alone(keeper: Desk) -> None:
    copy(keeper)
    assert 0o600 == stat.S_IMODE((keeper.directory / "new.db").stat().st_mode)


@pytest.mark.parametrize("target", [OLD, "sqlite:///./tigercore.db", "sqlite:///other/../new.db"])
def test_a_store_that_is_not_empty_is_refused(keeper: Desk, target: str) -> None:
    (keeper.directory / "other").mkdir()
    (keeper.directory / "new.db").write_bytes((keeper.directory / "tigercore.db").read_bytes())
    (keeper.directory / "new.db").chmod(0o600)
    ended = copy(keeper, target=target)
    assert (1, 1, True) == (ended.code, len(ended.err.splitlines()), "not empty" in ended.err)
    assert not is_frozen(keeper)


def test_a_store_in_memory_keeps_no_copy_and_the_old_store_is_given_back(keeper: Desk) -> None:
    ended = copy(keeper, target="sqlite://")
    assert (1, False) == (ended.code, is_frozen(keeper))
    assert [True, True] == [
        word in ended.err for word in ("not frozen any more", "does not hold what the source holds")
    ]


def test_a_source_that_is_not_there_is_refused_and_nothing_is_made(keeper: Desk) -> None:
    ended = copy(keeper, source="sqlite:///nowhere.db")
    assert (1, 1) == (ended.code, len(ended.err.splitlines()))
    assert [] == [*keeper.directory.glob("n*.db")]


def test_a_source_with_another_key_is_refused(keeper: Desk) -> None:
    (keeper.directory.parent / "home" / "tigercore" / "root.key").unlink()
    keeper("init", "--no-recovery", "--dir", "other")
    ended = copy(keeper)
    assert (1, 1) == (ended.code, len(ended.err.splitlines()))
    assert not (keeper.directory / "new.db").exists()


SECRET = "hunter2hunter2"


@pytest.mark.parametrize("option", ["--from", "--to"])
@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://me:{SECRET}@localhost/tiger",
        f"postgres://me:a/b?{SECRET}@localhost/tiger",
        f"postgresql+psycopg://localhost/tiger?user=me&password={SECRET}",
        f"postgresql://localhost/tiger?sslpassword={SECRET}",
        f"mysql://me:{SECRET}@localhost/tiger",
    ],
)
def test_a_password_in_a_url_is_refused_and_not_repeated(keeper: Desk, option: str, url: str) -> None:
    ended = copy(keeper, **{"source" if option == "--from" else "target": url})
    assert 2 == ended.code
    assert [True] * 4 == [word in ended.err for word in (option, "~/.pgpass", "PGPASSWORD", "PGSERVICE")]
    assert SECRET not in ended.words


@pytest.mark.parametrize("url", ["postgresql://me@localhost:5432/tiger", "postgresql:///tiger?service=s&user=a@b"])
def test_a_url_without_a_password_is_taken(url: str) -> None:
    assert "postgres" == named(url, "--to").driver


@pytest.mark.parametrize("url", ["tigercore.db", "file:///tigercore.db", "mysql://localhost/tiger", ""])
def test_a_url_of_no_store_is_refused(keeper: Desk, url: str) -> None:
    ended = copy(keeper, target=url)
    assert (2, True) == (ended.code, "--to: begin it with sqlite:/// or postgresql://" in ended.err)


def test_ctrl_c_gives_the_old_store_back(keeper: Desk) -> None:
    words = ["db", "copy", "--from", OLD, "--to", NEW]
    with subprocess.Popen([sys.executable, "-m", "tigercore", *words], stderr=subprocess.PIPE, text=True) as process:
        wait_until(lambda: stands_frozen(keeper))
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert 130 == process.returncode
    assert ["tigercore: The source is not frozen any more.", "tigercore: interrupted"] == [
        line.partition(" What")[0] for line in said.splitlines()
    ]
    assert not is_frozen(keeper)


def test_a_copy_that_was_killed_leaves_the_old_store_frozen_and_whole(keeper: Desk) -> None:
    words = ["db", "copy", "--from", OLD, "--to", NEW]
    with subprocess.Popen([sys.executable, "-m", "tigercore", *words]) as process:
        wait_until(lambda: stands_frozen(keeper))
        process.kill()
    assert (0, True) == (keeper("cipher", "verify").code, is_frozen(keeper))
    assert 0 == keeper("cipher", "unfreeze", "--yes").code
    for file in keeper.directory.glob("new.db*"):
        file.unlink()
    assert 0 == copy(keeper).code


def stands_frozen(desk: Desk) -> bool:
    connection = sqlite3.connect(f"file:{desk.directory / 'tigercore.db'}?mode=ro", uri=True)
    try:
        return bool(connection.execute("select max(frozen) from tc_key_ring").fetchone()[0])
    finally:
        connection.close()


def wait_until(holds: Any) -> None:
    ends = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.01)


# -- backup and restore --------------------------------------------------------------------------------------------


def backed_up(desk: Desk) -> Path:
    assert 0 == desk("backup", "tiger.backup").code
    return desk.directory / "tiger.backup"


def test_a_backup_is_restored_into_a_store_that_is_not_there_yet(keeper: Desk) -> None:
    backed_up(keeper)
    turn_to(keeper)
    ended = keeper("restore", "tiger.backup")
    assert (0, "", True) == (ended.code, ended.err, "1 accounts" in ended.out)
    assert [NUMBER] == numbers(keeper)
    assert 0 == keeper("cipher", "verify").code


def test_a_backup_says_what_it_holds_and_what_opens_it(keeper: Desk) -> None:
    ended = keeper("backup", "tiger.backup")
    assert [True] * 3 == [word in ended.out for word in ("tiger.backup", "1 accounts", "recovery identity")]


def test_backup_and_restore_speak_json(keeper: Desk) -> None:
    made = keeper("backup", "tiger.backup", "--json").document
    turn_to(keeper)
    assert made == keeper("restore", "tiger.backup", "--json").document
    assert ("tiger.backup", 1, 1, 0) == tuple(made[name] for name in ("file", "accounts", "tokens", "attempts"))


def test_a_backup_overwrites_no_file(keeper: Desk) -> None:
    keeper.file("mine", "mine")
    ended = keeper("backup", "mine")
    assert (1, 1, True) == (ended.code, len(ended.err.splitlines()), "there already" in ended.err)
    assert "mine" == (keeper.directory / "mine").read_text()


def test_a_backup_into_a_folder_that_is_not_there_is_one_line(keeper: Desk) -> None:
    ended = keeper("backup", "nowhere/tiger.backup")
    assert (1, 1) == (ended.code, len(ended.err.splitlines()))


def test_a_backup_whose_root_is_lost_comes_back_by_the_recovery_identity(bare: Desk) -> None:
    assert 0 == bare("init", "--recovery-file", "safe.key").code
    assert 0 == bare("account", "import", bare.portal()).code
    backed_up(bare)
    (bare.directory.parent / "home" / "tigercore" / "root.key").unlink()
    turn_to(bare)
    assert 1 == bare("restore", "tiger.backup").code
    assert "rekey-root" in bare("restore", "tiger.backup", "--recovery-file", "safe.key").out
    assert 0 == bare("cipher", "rekey-root", "--recovery-file", "safe.key").code
    assert 0 == bare("cipher", "verify").code


def test_a_restore_into_a_store_with_accounts_is_refused(keeper: Desk) -> None:
    backed_up(keeper)
    keeper("account", "import", keeper.portal(OTHER))
    ended = keeper("restore", "tiger.backup")
    assert (1, 1, True) == (ended.code, len(ended.err.splitlines()), "not empty" in ended.err)
    assert [NUMBER, OTHER] == numbers(keeper)


def test_a_store_in_memory_is_no_place_for_a_backup(keeper: Desk) -> None:
    backed_up(keeper)
    turn_to(keeper, "sqlite://")
    ended = keeper("restore", "tiger.backup")
    assert (1, True) == (ended.code, "has kept nothing" in ended.err)


@pytest.mark.parametrize("name", [".", "nowhere", "tigercore.toml", "cut", "bent", "tigercore.db", "newer"])
def test_a_file_that_is_no_backup_is_one_line_and_makes_no_store(keeper: Desk, name: str) -> None:
    whole = backed_up(keeper).read_bytes()
    (keeper.directory / "cut").write_bytes(whole[:-40])
    (keeper.directory / "bent").write_bytes(whole[:-40] + bytes(40))
    (keeper.directory / "newer").write_bytes(whole.replace(b"tigercore.backup.1", b"tigercore.backup.2"))
    turn_to(keeper)
    ended = keeper("restore", name)
    assert (1, 1) == (ended.code, len(ended.err.splitlines()))
    assert "Traceback" not in ended.err
    assert not (keeper.directory / "new.db").exists()


def test_a_backup_of_a_process_is_restored_by_another(keeper: Desk) -> None:
    assert (0, "") == (typed("backup", "tiger.backup").code, typed("backup", "tiger.2").err)
    assert 0 == typed("restore", "tiger.backup", DATABASE_URL=NEW).code
    turn_to(keeper)
    assert [NUMBER] == numbers(keeper)
