"""`tigercore cipher` and `tigercore panic`: keys, their roots, and the day on which they were stolen."""

from __future__ import annotations

import base64
import json
import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.cli.conftest import NUMBER, OTHER, Desk, typed

pytestmark = pytest.mark.floor  # each of these starts programs


def ring(desk: Desk) -> Any:
    return desk("cipher", "status", "--json").document


def states(desk: Desk) -> list[str]:
    return [key["state"] for key in ring(desk)["keys"]]


def opens(desk: Desk) -> bool:
    return desk("cipher", "verify").code == 0


def root(desk: Desk) -> Path:
    return desk.directory.parent / "home" / "tigercore" / "root.key"


def another_root(desk: Desk, name: str = "new") -> Path:
    """Write settings that name another key file, which is not there yet."""
    key = json.dumps(str(desk.directory / f"{name}.key"))
    return desk.file(f"{name}.toml", f'[cipher]\ndriver = "local"\noptions = {{ key_file = {key} }}\n')


def another_key(desk: Desk) -> Path:
    key = rsa.generate_private_key(65537, 1024)
    return desk.file("new.pem", key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())


# -- rotation ------------------------------------------------------------------------------------------------------


def test_a_rotation_seals_all_with_a_new_key(keeper: Desk) -> None:
    ended = keeper("cipher", "rotate")
    assert (0, True) == (ended.code, "Key 2 has sealed all 1 secrets, and each of them opens." in ended.out)
    assert ["retired", "active"] == states(keeper)


def test_a_rotation_is_given_as_json(keeper: Desk) -> None:
    assert 2 == keeper("cipher", "rotate", "--json", "--rate", "1000").document["active"]


def test_a_rate_of_nothing_is_refused(keeper: Desk) -> None:
    assert 2 == keeper("cipher", "rotate", "--rate", "0").code


def test_a_rotation_may_keep_the_old_key_until_it_is_retired(keeper: Desk) -> None:
    assert "still open" in keeper("cipher", "rotate", "--keep-old").out
    assert ["decrypt", "active"] == states(keeper)
    assert "Only key 2 opens anything now." in keeper("cipher", "retire").out
    assert ["retired", "active"] == states(keeper)


def test_status_shows_each_key_in_a_table(keeper: Desk) -> None:
    shown = keeper("cipher", "status").out
    assert [True] * 3 == [word in shown for word in ("active key", "KEY", "local:")]


def test_verify_names_what_does_not_open_and_ends_with_1(keeper: Desk) -> None:
    with sqlite3.connect(keeper.directory / "tigercore.db") as connection:
        connection.execute("update tc_account set server_url = 'https://elsewhere.example.com/gateway'")
    connection.close()
    ended = keeper("cipher", "verify")
    assert (1, True) == (ended.code, "AccountRow" in ended.out)


def test_a_purge_asks_first(keeper: Desk) -> None:
    keeper("cipher", "rotate")
    assert 2 == keeper("cipher", "purge").code
    assert ["retired", "active"] == states(keeper)


def test_a_purge_destroys_retired_keys_and_leaves_no_old_secret_in_the_files(keeper: Desk) -> None:
    with sqlite3.connect(keeper.directory / "tigercore.db") as connection:
        (old,) = connection.execute("select sealed from tc_account").fetchone()
    connection.close()
    keeper("cipher", "rotate")
    ended = keeper("cipher", "purge", "--yes")
    assert (0, True) == (ended.code, "Backups" in ended.out)
    assert ["destroyed", "active"] == states(keeper)
    assert not any(old in file.read_bytes() for file in keeper.directory.glob("tigercore.db*"))
    assert opens(keeper)


# -- roots ---------------------------------------------------------------------------------------------------------


def test_a_new_root_opens_the_store_and_the_old_one_does_not(keeper: Desk) -> None:
    new = another_root(keeper)
    assert 0 == keeper("cipher", "rekey-root", "--to", new).code
    assert 1 == keeper("account", "list").code
    root(keeper).write_bytes((keeper.directory / "new.key").read_bytes())
    assert opens(keeper)


def test_a_new_root_may_come_from_the_environment(keeper: Desk) -> None:
    new = keeper.file("env.toml", "")
    key = base64.b64encode(os.urandom(32)).decode()
    keeper.monkeypatch.setenv("NEW_ENCRYPTION_MASTER_KEY", key)
    assert 0 == keeper("cipher", "rekey-root", "--to", new).code
    settings = keeper.file("store.toml", '[store]\noptions = { path = "tigercore.db" }\n')
    ended = typed("account", "list", "--config", settings, "--json", ENCRYPTION_MASTER_KEY=key)
    assert (0, NUMBER) == (ended.code, ended.document[0]["account_number"])


def test_a_change_of_root_needs_a_root(keeper: Desk) -> None:
    ended = keeper("cipher", "rekey-root")
    assert (2, True) == (ended.code, "--to FILE" in ended.err)


def test_a_lost_root_is_replaced_by_means_of_the_recovery_identity(bare: Desk) -> None:
    assert 0 == bare("init", "--recovery-file", "safe.key").code
    assert 0 == bare("account", "import", bare.portal()).code
    assert 0 == bare("cipher", "rotate").code  # the recovery identity opens new keys too
    root(bare).unlink()
    assert 1 == bare("account", "list").code
    assert 0 == bare("cipher", "rekey-root", "--recovery-file", "safe.key").code
    assert opens(bare)


def test_a_recovery_identity_can_be_added_later(keeper: Desk) -> None:
    assert [] == ring(keeper)["recovery"]
    assert 0 == keeper("cipher", "add-recovery", "--recovery-file", "safe.key").code
    assert ["age1"] == [each[:4] for each in ring(keeper)["recovery"]]
    assert 0o600 == stat.S_IMODE((keeper.directory / "safe.key").stat().st_mode)


def test_a_recipient_alone_is_enough_for_recovery(bare: Desk) -> None:
    from pyrage import x25519

    identity = x25519.Identity.generate()
    assert 0 == bare("init", "--recipient", str(identity.to_public())).code
    assert [str(identity.to_public())] == ring(bare)["recovery"]


def test_a_recovery_identity_can_be_removed(bare: Desk) -> None:
    bare("init", "--recovery-file", "safe.key")
    (recipient,) = ring(bare)["recovery"]
    assert "tigercore cipher rotate" in bare("cipher", "remove-recovery", recipient).out
    assert ([], ["local"]) == (ring(bare)["recovery"], [name[:5] for name in ring(bare)["keys"][0]["roots"]])
    assert 2 == bare("cipher", "remove-recovery", recipient).code
    assert 1 == bare("cipher", "rekey-root", "--recovery-file", "safe.key").code


def test_a_recipient_that_is_none_is_refused(keeper: Desk) -> None:
    ended = keeper("cipher", "add-recovery", "--recipient", "age1nonsense")
    assert (1, 1) == (ended.code, len(ended.err.splitlines()))


def test_init_wants_to_know_how_accounts_are_saved(bare: Desk) -> None:
    ended = bare("init")
    assert (2, True) == (ended.code, "--no-recovery" in ended.err)
    assert [] == list(bare.directory.iterdir())


# -- copies of the ring --------------------------------------------------------------------------------------------


def test_an_export_is_refused_if_nobody_could_open_it(keeper: Desk) -> None:
    ended = keeper("cipher", "export", "ring.json")
    assert (2, True) == (ended.code, "add-recovery" in ended.err)


def test_a_lost_ring_comes_back_from_its_export(keeper: Desk) -> None:
    assert 0 == keeper("cipher", "export", "ring.json", "--no-recovery").code
    lose_the_ring(keeper)
    assert "tigercore cipher import" in keeper("account", "list").err
    assert 0 == keeper("cipher", "import", "ring.json").code
    assert opens(keeper)


def test_an_export_overwrites_nothing(keeper: Desk) -> None:
    keeper.file("ring.json", "mine")
    assert 2 == keeper("cipher", "export", "ring.json", "--no-recovery").code
    assert "mine" == (keeper.directory / "ring.json").read_text()


def test_a_sound_ring_is_not_replaced(keeper: Desk) -> None:
    keeper("cipher", "export", "ring.json", "--no-recovery")
    assert 1 == keeper("cipher", "import", "ring.json").code


def test_a_text_that_is_no_ring_is_refused(keeper: Desk) -> None:
    ended = keeper("cipher", "import", "-", stdin="{}")
    assert (1, True) == (ended.code, "not a key ring" in ended.err)


def lose_the_ring(desk: Desk) -> None:
    with sqlite3.connect(desk.directory / "tigercore.db") as connection:
        connection.execute("pragma foreign_keys = on")
        connection.execute("delete from tc_key_ring")
    connection.close()


# -- what is wrong is said before any account is touched -----------------------------------------------------------


def tamper(desk: Desk) -> None:
    with sqlite3.connect(desk.directory / "tigercore.db") as connection:
        connection.execute("update tc_key_ring set epoch = 9")
    connection.close()


def no_key(desk: Desk) -> None:
    root(desk).unlink()


def wrong_key(desk: Desk) -> None:
    root(desk).unlink()
    desk("init", "--dir", "other", "--no-recovery")


def open_key(desk: Desk) -> None:
    root(desk).chmod(0o644)


@pytest.mark.parametrize(
    ("spoil", "remedy"),
    [
        (tamper, "tigercore cipher import"),
        (no_key, "tigercore init"),
        (wrong_key, "give the root that made the ring"),
        (open_key, "chmod 600"),
    ],
)
def test_a_ring_that_does_not_open_is_one_line_with_the_remedy(keeper: Desk, spoil: Any, remedy: str) -> None:
    spoil(keeper)
    ended = keeper("account", "update", NUMBER, "--description", "touched")
    assert (1, 1, True) == (ended.code, len(ended.err.splitlines()), remedy in ended.err)


# -- doctor --------------------------------------------------------------------------------------------------------


def findings(desk: Desk) -> str:
    return desk("doctor", "--offline").out


def test_doctor_warns_of_a_ring_that_nobody_could_recover(keeper: Desk) -> None:
    assert "tigercore cipher add-recovery" in findings(keeper)


def test_doctor_warns_of_a_rotation_that_was_not_finished(keeper: Desk) -> None:
    keeper("cipher", "rotate", "--keep-old")
    assert "tigercore cipher rotate" in findings(keeper)


# -- panic ---------------------------------------------------------------------------------------------------------


def test_panic_asks_first(keeper: Desk) -> None:
    assert 2 == keeper("panic").code
    assert not ring(keeper)["frozen"]


def test_panic_freezes_marks_and_lists_every_account(keeper: Desk) -> None:
    keeper("account", "import", keeper.portal(OTHER))
    ended = keeper("panic", "--yes")
    assert (0, True) == (ended.code, ring(keeper)["frozen"])
    assert [2, 2] == [ended.out.count("--private-key-file FILE"), len(keeper("account", "list", "--json").document)]
    assert {"COMPROMISED"} == {each["status"] for each in keeper("account", "list", "--json").document}


def test_panic_with_a_new_root_leaves_nothing_that_the_old_root_opens(keeper: Desk) -> None:
    new = another_root(keeper)
    assert 0 == keeper("panic", "--yes", "--to", new).code
    assert 1 == keeper("cipher", "status").code
    root(keeper).write_bytes((keeper.directory / "new.key").read_bytes())
    assert ["destroyed", "active"] == states(keeper)
    assert 1 == len({name for key in ring(keeper)["keys"] for name in key["roots"]})


def test_after_panic_an_account_comes_back_with_a_new_key_alone(keeper: Desk) -> None:
    keeper("panic", "--yes")
    assert 1 == keeper("account", "update", NUMBER, "--status", "ACTIVE").code
    same = keeper.file("same.pem", keeper.pem)
    assert "compromised one" in keeper("account", "update", NUMBER, "--private-key-file", same).err
    assert 0 == keeper("account", "update", NUMBER, "--private-key-file", another_key(keeper)).code
    assert 0 == keeper("account", "update", NUMBER, "--status", "ACTIVE").code
    assert 0 == keeper("cipher", "unfreeze", "--yes").code
    assert not ring(keeper)["frozen"]


def settings_with(desk: Desk, options: str) -> Path:
    """Write the desk's settings anew, with another cipher."""
    old = (desk.directory / "tigercore.toml").read_text().partition("[cipher]")[0]
    return desk.file("other.toml", f"{old}\n[cipher]\n{options}\n")


def test_panic_freezes_with_settings_that_name_a_recovery_identity(bare: Desk) -> None:
    bare("init", "--recovery-file", "safe.key")
    settings = settings_with(bare, f'driver = "recovery"\noptions = {{ identity_file = "{bare.directory}/safe.key" }}')
    assert 0 == bare("panic", "--yes", "--config", settings).code
    assert ring(bare)["frozen"]


def test_a_recovery_identity_is_no_new_root(bare: Desk) -> None:
    bare("init", "--recovery-file", "safe.key")
    settings = settings_with(bare, f'driver = "recovery"\noptions = {{ identity_file = "{bare.directory}/safe.key" }}')
    ended = bare("cipher", "rekey-root", "--recovery-file", "safe.key", "--config", settings)
    assert (2, True) == (ended.code, "name its new root with --to FILE" in ended.err)


def test_panic_with_a_new_root_says_what_is_wrong_with_the_old_one(keeper: Desk) -> None:
    root(keeper).unlink()
    ended = keeper("panic", "--yes", "--to", another_root(keeper))
    assert (1, True, False) == (ended.code, str(root(keeper)) in ended.err, "new.key" in ended.err)


def test_panic_freezes_though_a_row_is_damaged(keeper: Desk) -> None:
    with sqlite3.connect(keeper.directory / "tigercore.db") as connection:
        connection.execute("update tc_account set tags = 'x'")
    connection.close()
    ended = keeper("panic", "--yes")
    assert (1, True) == (ended.code, ended.out.startswith("Frozen:"))
    with sqlite3.connect(keeper.directory / "tigercore.db") as connection:
        assert [(1,)] == connection.execute("select frozen from tc_key_ring").fetchall()
    connection.close()


def test_doctor_fails_while_all_is_frozen(keeper: Desk) -> None:
    keeper("panic", "--yes")
    assert (1, True) == (keeper("doctor", "--offline").code, "frozen" in findings(keeper))


# -- the process ---------------------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")
def test_the_command_leaves_no_core_file_and_cannot_be_read_by_others() -> None:
    code = (
        "import ctypes, resource; from tigercore.cli._process import harden; harden(); "
        "print(resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "(0, 0) 0" == ran.stdout.strip()
