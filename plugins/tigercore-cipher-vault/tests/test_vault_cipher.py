"""A cipher on a real OpenBao."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any

import attrs
import httpx2
import pytest

from tigercore.errors import KeyUnavailable
from tigercore.model import Secret
from tigercore_cipher_vault import VaultCipher, VaultOptions

Make = Callable[..., VaultOptions]


def test_the_cipher_is_found_under_its_name() -> None:
    (entry,) = entry_points(group="tigercore.ciphers", name="vault")
    assert entry.load() is VaultCipher


# -- what the operator is told -----------------------------------------------------------------------------


def _read(bao: httpx2.Client, options: VaultOptions) -> dict[str, Any]:
    data: dict[str, Any] = bao.get(f"/v1/transit/keys/{options.key}").raise_for_status().json()["data"]
    return data


def test_a_new_key_is_made_and_said_to_be_new(make_options: Make) -> None:
    options = make_options()
    said = VaultCipher.create_root(options)
    assert f"Made the Transit key {options.identity}; back Vault up: without it no secret opens." == said


def test_a_new_key_binds_its_context_and_cannot_leave_vault(bao: httpx2.Client, make_options: Make) -> None:
    options = make_options()
    VaultCipher.create_root(options)
    names = ("type", "derived", "convergent_encryption", "exportable", "allow_plaintext_backup", "deletion_allowed")
    assert ["aes256-gcm96", True, False, False, False, False] == [_read(bao, options)[name] for name in names]


def test_a_key_that_is_there_is_found_and_left(bao: httpx2.Client, options: VaultOptions) -> None:
    before = _read(bao, options)
    assert f"Found the Transit key {options.identity}, and left it as it is." == VaultCipher.create_root(options)
    assert before == _read(bao, options)


@pytest.mark.parametrize(
    "given",
    [{"derived": False}, {"type": "rsa-2048"}, {"type": "ed25519", "derived": True}, {"type": "hmac", "key_size": 32}],
)
def test_a_key_that_binds_no_context_is_refused(bao: httpx2.Client, make_options: Make, given: dict[str, Any]) -> None:
    options = make_options()
    bao.post(f"/v1/transit/keys/{options.key}", json=given).raise_for_status()
    with pytest.raises(
        KeyUnavailable, match=r"is not derived, or does not encrypt, .*: make another with `bao write -f"
    ):
        VaultCipher.create_root(options)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["exportable"], "it may be exported"),
        (["allow_plaintext_backup"], "it may be backed up in plain text"),
        (["exportable", "allow_plaintext_backup"], "it may be exported and it may be backed up in plain text"),
    ],
)
def test_a_key_that_may_leave_vault_comes_with_a_warning(
    bao: httpx2.Client, make_options: Make, flags: list[str], words: str
) -> None:
    options = make_options()
    given = {"derived": True, **dict.fromkeys(flags, True)}
    bao.post(f"/v1/transit/keys/{options.key}", json=given).raise_for_status()
    assert f"{options.identity} (warning: {words}, so make another one), and" in VaultCipher.create_root(options)


def test_a_key_is_not_made_without_its_mount(make_options: Make) -> None:
    with pytest.raises(KeyUnavailable, match="run `bao secrets enable -path=nothing transit`, then `bao write -f"):
        VaultCipher.create_root(make_options(mount="nothing"))


def _limited(bao: httpx2.Client, options: VaultOptions, *capabilities: str) -> VaultOptions:
    given = ", ".join(f'"{capability}"' for capability in capabilities)
    policy = f'path "transit/keys/{options.key}" {{ capabilities = [{given}] }}'
    name = f"policy-{secrets.token_hex(8)}"
    bao.put(f"/v1/sys/policies/acl/{name}", json={"policy": policy}).raise_for_status()
    reply = bao.post("/v1/auth/token/create", json={"policies": [name]}).raise_for_status()
    return attrs.evolve(options, token=Secret(reply.json()["auth"]["client_token"]))


def test_a_token_that_may_not_look_is_told_what_it_lacks(bao: httpx2.Client, options: VaultOptions) -> None:
    with pytest.raises(KeyUnavailable, match=f"its policy lacks `read` on transit/keys/{options.key}"):
        VaultCipher.create_root(_limited(bao, options, "deny"))


def test_a_token_that_may_not_make_is_told_what_it_lacks(bao: httpx2.Client, make_options: Make) -> None:
    options = make_options()
    with pytest.raises(KeyUnavailable, match=f"lacks `create` and `update` on transit/keys/{options.key}"):
        VaultCipher.create_root(_limited(bao, options, "read"))


def test_a_token_that_may_only_look_finds_a_key(bao: httpx2.Client, options: VaultOptions) -> None:
    assert VaultCipher.create_root(_limited(bao, options, "read")).startswith("Found the Transit key ")


def test_a_token_that_may_read_and_make_is_enough(bao: httpx2.Client, make_options: Make) -> None:
    said = VaultCipher.create_root(_limited(bao, make_options(), "read", "create", "update"))
    assert said.startswith("Made the Transit key vault:http://127.0.0.1:")


async def test_a_key_is_made_from_within_a_program_on_trio(make_options: Make) -> None:
    assert VaultCipher.create_root(make_options()).startswith("Made ")


async def test_the_token_is_not_shown_by_what_is_kept(options: VaultOptions, token: str) -> None:
    async with VaultCipher.open_root(options) as root:
        shown = [f"{value!r} {vars(value)!r}" for value in (root, *vars(root).values()) if hasattr(value, "__dict__")]
    assert token not in " ".join([*shown, repr(options), root.identity()])
