from __future__ import annotations

from typing import Any

import pytest

from tigercore.errors import SettingsError
from tigercore.model import Secret
from tigercore_cipher_vault import VaultOptions


def _options(**changes: Any) -> VaultOptions:
    return VaultOptions(**{"address": "https://vault.example:8200", "key": "tigercore", "token_file": "t", **changes})


@pytest.mark.parametrize(
    "address",
    [
        "https://vault.example", "https://vault.example:8200", "https://my_vault-1:1", "https://10.0.0.1:65535",
        "https://[2001:db8::1]:8200", "http://127.0.0.1:8200", "http://127.8.9.1", "http://[::1]:8200",
        "http://localhost:8200",
    ],
)  # fmt: skip
def test_an_address_of_a_server_is_taken(address: str) -> None:
    assert f"vault:{address}/transit/tigercore" == _options(address=address).identity


@pytest.mark.parametrize(
    "address",
    [
        "", "vault.example", "https://", "https://vault.example/", "https://vault.example/v1", "https://a/../b",
        "https://vault.example?x=1", "https://vault.example#x", "https://user@vault.example", "https://user:pw@vault",
        "https://Vault.example", "https://a..b", "https://.a", "https://vault:0", "https://vault:65536",
        "https://vault:99999999", "https://vault:", "https://vault: 1", "https://vault\n", "https://va\tult", "ftp://vault",
        "https://vault\\x", "https://vаult.example", f"https://{'a' * 64}", "https://%6c",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(SettingsError, match="`address`: give https://host"):
        _options(address=address)


@pytest.mark.parametrize(
    "host",
    ["vault.example", "10.0.0.1", "0.0.0.0", "127.1", "localhost.example", "2130706433", "[2001:db8::1]", "[::]"],
)
def test_http_to_another_machine_is_refused(host: str) -> None:
    with pytest.raises(SettingsError, match="`address`: http would show the token"):
        _options(address=f"http://{host}:8200")


@pytest.mark.parametrize("key", ["tigercore", "a", "team-a_tiger.core", "2026", "_x_", "A.b"])
def test_a_name_of_a_key_is_taken(key: str) -> None:
    assert f"vault:https://vault.example:8200/transit/{key}" == _options(key=key).identity


_NO_NAMES = ["", ".", "..", ".a", "a.", "-a", "a b", "a?b", "a#b", "a%2fb", "a\\b", "a\n", "a;b", "ключ", "a\0"]


@pytest.mark.parametrize("key", [*_NO_NAMES, "a/b", "../sys/seal", "/a", "a/", "config?x=1"])
def test_what_is_no_name_of_a_key_is_refused(key: str) -> None:
    with pytest.raises(SettingsError, match="`key`: give the name"):
        _options(key=key)


@pytest.mark.parametrize("option", ["mount", "namespace"])
@pytest.mark.parametrize("path", [*_NO_NAMES, "/a", "a/", "a//b", "a/../b", "../transit", "a/./b", "a/.."])
def test_what_is_no_path_is_refused(option: str, path: str) -> None:
    with pytest.raises(SettingsError, match=f"`{option}`: give a path"):
        _options(**{option: path})


def test_a_mount_may_have_several_parts() -> None:
    assert "vault:https://vault.example:8200/team/a/transit/tigercore" == _options(mount="team/a/transit").identity


def test_a_namespace_is_part_of_the_identity() -> None:
    assert "vault:https://vault.example:8200/team/transit/tigercore" == _options(namespace="team").identity


@pytest.mark.parametrize("seconds", [0, -1, 60.1, float("nan"), float("inf")])
def test_a_timeout_out_of_bounds_is_refused(seconds: float) -> None:
    with pytest.raises(SettingsError, match="`timeout`: give seconds above 0, 60 at most"):
        _options(timeout=seconds)


@pytest.mark.parametrize("given", [{"token_file": None}, {"token": Secret("x")}])
def test_exactly_one_token_is_asked_for(given: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match="one of `token_file` and `token`, not both and not none"):
        _options(**given)


@pytest.mark.parametrize("option", ["token_file", "ca_file"])
def test_a_path_with_a_nul_is_refused_at_once(option: str) -> None:
    with pytest.raises(SettingsError, match=f"`{option}` holds a NUL"):
        _options(**{option: "a\0b"})


def test_every_fault_is_named() -> None:
    with pytest.raises(SettingsError) as caught:
        _options(address="vault", key="..", mount="..", namespace="..", token_file="\0", ca_file="\0", timeout=0)
    assert ["address", "key", "mount", "namespace", "token_file", "ca_file", "timeout"] == [
        fault.split("`")[1] for fault in caught.value.faults
    ]


def test_the_options_show_no_token() -> None:
    assert "hvs.secret" not in repr(_options(token_file=None, token=Secret("hvs.secret")))
