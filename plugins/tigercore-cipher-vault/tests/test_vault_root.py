"""A root on a real OpenBao."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

import attrs
import httpx2
import pytest

from tigercore.errors import KeyUnavailable
from tigercore.model import Secret
from tigercore_cipher_vault import VaultCipher, VaultOptions
from tigercore_envelope import RootUnreachable, UnwrapFailed

_KEY = os.urandom(32)
_CONTEXT = {"app": "tigercore", "keyring": "7c1e4a52-7f0b-4a8e-9d2b-5f0f6f6f0a01", "kek": "7"}
Make = Callable[..., VaultOptions]


async def _wrap(options: VaultOptions, key: bytes = _KEY, context: Mapping[str, str] = _CONTEXT) -> bytes:
    async with VaultCipher.open_root(options) as root:
        return await root.wrap(key, context)


async def _unwrap(options: VaultOptions, wrapped: bytes, context: Mapping[str, str] = _CONTEXT) -> bytes:
    async with VaultCipher.open_root(options) as root:
        return await root.unwrap(wrapped, context)


# -- what is wrapped opens ---------------------------------------------------------------------------------


async def test_a_key_opens_as_it_was_wrapped(options: VaultOptions) -> None:
    assert _KEY == await _unwrap(options, await _wrap(options))


async def test_what_is_wrapped_names_the_version_of_the_transit_key(options: VaultOptions) -> None:
    assert (await _wrap(options)).startswith(b"vault:v1:")


async def test_equal_keys_are_wrapped_as_different_bytes(options: VaultOptions) -> None:
    assert await _wrap(options) != await _wrap(options)


async def test_the_order_of_the_context_does_not_matter(options: VaultOptions) -> None:
    assert _KEY == await _unwrap(options, await _wrap(options), dict(reversed(_CONTEXT.items())))


async def test_a_key_opens_in_a_mount_of_another_name(bao: httpx2.Client, make_options: Make) -> None:
    bao.post("/v1/sys/mounts/team/keys-1", json={"type": "transit"}).raise_for_status()
    options = make_options(mount="team/keys-1")
    VaultCipher.create_root(options)
    assert _KEY == await _unwrap(options, await _wrap(options))


async def test_a_key_opens_in_its_namespace_alone(bao: httpx2.Client, make_options: Make) -> None:
    bao.post("/v1/sys/namespaces/desk").raise_for_status()
    inside = {"X-Vault-Namespace": "desk"}
    bao.post("/v1/sys/mounts/transit", json={"type": "transit"}, headers=inside).raise_for_status()
    options = make_options(namespace="desk")
    VaultCipher.create_root(options)
    wrapped = await _wrap(options)
    assert _KEY == await _unwrap(options, wrapped)
    with pytest.raises(KeyUnavailable, match="is not there: name the key that wrapped this"):
        await _unwrap(attrs.evolve(options, namespace=None), wrapped)


# -- what does not open ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "context", [{}, {**_CONTEXT, "kek": "8"}, {**_CONTEXT, "more": ""}, {"app": "tigercore"}, {**_CONTEXT, "app": "t"}]
)
async def test_another_context_does_not_open(options: VaultOptions, context: dict[str, str]) -> None:
    with pytest.raises(UnwrapFailed, match="did not wrap this, or for another ring or version, or it was changed"):
        await _unwrap(options, await _wrap(options), context)


async def test_texts_that_only_join_to_the_same_do_not_open(options: VaultOptions) -> None:
    wrapped = await _wrap(options, context={"a": "bc"})
    with pytest.raises(KeyUnavailable):
        await _unwrap(options, wrapped, {"ab": "c"})


async def test_no_changed_byte_opens(options: VaultOptions) -> None:
    wrapped = await _wrap(options)
    async with VaultCipher.open_root(options) as root:
        for at in range(len(wrapped)):
            changed = wrapped[:at] + bytes([wrapped[at] ^ 1]) + wrapped[at + 1 :]
            with pytest.raises(KeyUnavailable) as caught:
                await root.unwrap(changed, _CONTEXT)
            assert not isinstance(caught.value, RootUnreachable)


async def test_another_key_does_not_open(options: VaultOptions, make_options: Make) -> None:
    other = make_options()
    VaultCipher.create_root(other)
    with pytest.raises(UnwrapFailed, match="did not wrap this"):
        await _unwrap(other, await _wrap(options))


@pytest.mark.parametrize(
    "wrapped",
    [
        b"",
        b"TGC1" + bytes(100),
        b"vault:v1:",
        b"vault:vx:AAAA",
        b"vault:v1:AA AA",
        b"vault:v0:AAAA",
        b"vault:v01:AAAA",
        b"vault:v1:AAAA\n",
        b"\xff",
    ],
)
async def test_what_vault_never_wrapped_is_refused_without_asking(closed_port: int, wrapped: bytes) -> None:
    options = VaultOptions(address=f"http://127.0.0.1:{closed_port}", key="tigercore", token=Secret("t"))
    with pytest.raises(KeyUnavailable, match="not wrapped by Vault, or changed"):
        await _unwrap(options, wrapped)


# -- a transit key that was rotated ------------------------------------------------------------------------


async def test_what_was_wrapped_opens_after_the_transit_key_was_rotated(
    bao: httpx2.Client, options: VaultOptions
) -> None:
    wrapped = await _wrap(options)
    bao.post(f"/v1/transit/keys/{options.key}/rotate").raise_for_status()
    assert _KEY == await _unwrap(options, wrapped)


async def test_a_rotated_transit_key_wraps_with_its_new_version(bao: httpx2.Client, options: VaultOptions) -> None:
    bao.post(f"/v1/transit/keys/{options.key}/rotate").raise_for_status()
    assert (await _wrap(options)).startswith(b"vault:v2:")


async def test_what_is_below_the_lowest_version_that_decrypts_is_refused_with_the_command(
    bao: httpx2.Client, options: VaultOptions
) -> None:
    wrapped = await _wrap(options)
    bao.post(f"/v1/transit/keys/{options.key}/rotate").raise_for_status()
    bao.post(f"/v1/transit/keys/{options.key}/config", json={"min_decryption_version": 2}).raise_for_status()
    with pytest.raises(KeyUnavailable, match=f"`bao write transit/keys/{options.key}/config min_decryption_version=1`"):
        await _unwrap(options, wrapped)


# -- what is missing or forbidden --------------------------------------------------------------------------


async def test_a_key_that_is_gone_says_that_a_new_one_does_not_help(options: VaultOptions, make_options: Make) -> None:
    wrapped = await _wrap(options)
    with pytest.raises(KeyUnavailable, match=r"is not there: .*; a new one does not open it"):
        await _unwrap(make_options(), wrapped)


async def test_a_missing_key_is_not_made_by_the_way_where_vault_forbids_that(own_bao: httpx2.Client) -> None:
    own_bao.post("/v1/transit/config/keys", json={"disable_upsert": True}).raise_for_status()
    with pytest.raises(KeyUnavailable, match="is not there: run `bao write -f transit/keys/absent derived=true`"):
        await _wrap(_on(own_bao, key="absent"))


async def test_a_missing_mount_says_how_to_make_it(make_options: Make) -> None:
    with pytest.raises(KeyUnavailable, match="run `bao secrets enable -path=nothing transit`, then `bao write -f noth"):
        await _wrap(make_options(mount="nothing"))


# -- a server that does not answer -------------------------------------------------------------------------


def _on(bao: httpx2.Client, **changes: Any) -> VaultOptions:
    token = Secret(bao.headers["X-Vault-Token"])
    return VaultOptions(address=str(bao.base_url).rstrip("/"), token=token, **{"key": "tigercore", **changes})


async def test_a_sealed_server_is_said_to_be_sealed(own_bao: httpx2.Client) -> None:
    options = _on(own_bao)
    VaultCipher.create_root(options)
    wrapped = await _wrap(options)
    own_bao.post("/v1/sys/seal").raise_for_status()
    with pytest.raises(RootUnreachable, match="is sealed: unseal it with `bao operator unseal`"):
        await _unwrap(options, wrapped)


async def test_a_port_that_nobody_listens_on_is_unreachable(closed_port: int) -> None:
    options = VaultOptions(address=f"http://127.0.0.1:{closed_port}", key="tigercore", token=Secret("t"))
    with pytest.raises(RootUnreachable, match=f"{closed_port} cannot be reached, or hung up: ConnectError"):
        await _wrap(options)


async def test_no_proxy_of_the_environment_is_asked(
    options: VaultOptions, closed_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{closed_port}")
    assert (await _wrap(options)).startswith(b"vault:v1:")
