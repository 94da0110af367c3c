from __future__ import annotations

import base64
import os
import stat
from pathlib import Path

from tests.cli.conftest import Desk


def key_of(desk: Desk) -> Path:
    return desk.directory.parent / "home" / "tigercore" / "root.key"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_init_makes_settings_key_and_store(bare: Desk) -> None:
    bare("init", "--no-recovery")
    assert {"tigercore.toml", "tigercore.db"} == {path.name for path in bare.directory.iterdir()}
    assert key_of(bare).exists()


def test_only_the_owner_may_open_what_init_makes(bare: Desk) -> None:
    bare("init", "--no-recovery")
    made = [key_of(bare), bare.directory / "tigercore.toml", bare.directory / "tigercore.db"]
    assert [0o600, 0o600, 0o600] == [mode(path) for path in made]
    assert 0o700 == mode(key_of(bare).parent)


def test_the_paths_in_the_settings_are_absolute(bare: Desk) -> None:
    bare("init", "--no-recovery")
    assert f'"{bare.directory / "tigercore.db"}"' in (bare.directory / "tigercore.toml").read_text()


def test_init_makes_the_directory_that_it_is_told(bare: Desk) -> None:
    assert 0 == bare("init", "--no-recovery", "--dir", "a/b").code
    assert 0 == bare("account", "list", "--config", "a/b/tigercore.toml").code


def test_init_overwrites_no_settings_and_says_what_to_do(desk: Desk) -> None:
    before = (desk.directory / "tigercore.toml").read_bytes()
    ended = desk("init", "--no-recovery")
    assert 2 == ended.code
    assert "use it with --config" in ended.err
    assert before == (desk.directory / "tigercore.toml").read_bytes()


def test_init_uses_a_key_file_that_is_there(desk: Desk) -> None:
    before = key_of(desk).read_bytes()
    assert "left it as it is" in desk("init", "--no-recovery", "--dir", "other").out
    assert before == key_of(desk).read_bytes()


def test_init_names_the_key_file_that_it_was_told(bare: Desk) -> None:
    bare("init", "--no-recovery", "--key-file", "../my.key")
    assert 0o600 == mode(bare.directory.parent / "my.key")
    assert not key_of(bare).exists()


def test_init_puts_no_key_among_what_it_protects(bare: Desk) -> None:
    bare.monkeypatch.setenv("XDG_CONFIG_HOME", str(bare.directory))
    ended = bare("init", "--no-recovery")
    assert 2 == ended.code
    assert "--key-file" in ended.err


def test_a_file_that_is_no_key_stays_and_nothing_is_made(bare: Desk) -> None:
    bare.file("no.key", "precious")
    os.chmod("no.key", 0o600)
    assert 1 == bare("init", "--no-recovery", "--key-file", "no.key").code
    assert ["no.key"] == [path.name for path in bare.directory.iterdir()]
    assert "precious" == (bare.directory / "no.key").read_text()


def test_init_warns_that_the_key_file_must_not_be_lost(bare: Desk) -> None:
    assert "whoever loses the key file loses the accounts" in bare("init", "--no-recovery").out


def test_init_names_the_next_command(bare: Desk) -> None:
    assert bare("init", "--no-recovery").out.rstrip().endswith("tigercore account import PATH")


def test_with_a_master_key_in_the_environment_no_key_file_is_made(bare: Desk) -> None:
    key = base64.b64encode(bytes(range(32))).decode()
    bare.monkeypatch.setenv("ENCRYPTION_MASTER_KEY", key)
    ended = bare("init", "--no-recovery")
    assert 0 == ended.code
    assert not key_of(bare).exists()
    assert "key_file" not in (bare.directory / "tigercore.toml").read_text()
    assert key not in ended.words + (bare.directory / "tigercore.toml").read_text()


def test_a_key_file_beside_a_master_key_is_refused(bare: Desk) -> None:
    bare.monkeypatch.setenv("ENCRYPTION_MASTER_KEY", base64.b64encode(bytes(range(32))).decode())
    ended = bare("init", "--no-recovery", "--key-file", "my.key")
    assert 2 == ended.code
    assert "two root keys" in ended.err
    assert [] == list(bare.directory.iterdir())


def test_every_directory_that_init_makes_is_its_owners_alone(bare: Desk) -> None:
    before = os.umask(0)
    try:
        bare("init", "--no-recovery", "--dir", "a/b")
    finally:
        os.umask(before)
    made = [bare.directory / "a", bare.directory / "a" / "b", key_of(bare).parent, key_of(bare).parent.parent]
    assert [0o700] * 4 == [mode(path) for path in made]


def test_with_a_database_url_the_settings_name_no_store(bare: Desk) -> None:
    bare.monkeypatch.setenv("DATABASE_URL", f"sqlite:///{bare.directory}/url.db")
    assert 0 == bare("init", "--no-recovery").code
    assert (bare.directory / "url.db").exists()
    assert not (bare.directory / "tigercore.db").exists()


def test_init_tells_a_program_what_it_made(bare: Desk) -> None:
    assert str(key_of(bare)) == bare("init", "--no-recovery", "--json").document["key_file"]
