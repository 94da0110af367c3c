"""Tokens that a real OpenBao takes or refuses, and the file that they come from."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import attrs
import httpx2
import pytest

from tigercore.errors import KeyUnavailable
from tigercore.model import Secret
from tigercore_cipher_vault import VaultCipher, VaultOptions

_KEY = os.urandom(32)
_CONTEXT = {"app": "tigercore", "kek": "7"}
Make = Callable[..., VaultOptions]


async def _wrap(options: VaultOptions) -> bytes:
    async with VaultCipher.open_root(options) as root:
        return await root.wrap(_KEY, _CONTEXT)


async def _unwrap(options: VaultOptions, wrapped: bytes) -> bytes:
    async with VaultCipher.open_root(options) as root:
        return await root.unwrap(wrapped, _CONTEXT)


# -- what a policy allows ----------------------------------------------------------------------------------


def _limited(bao: httpx2.Client, *paths: str) -> Secret:
    policy = "".join(f'path "{path}" {{ capabilities = ["update"] }}\n' for path in paths)
    name = f"policy-{os.urandom(8).hex()}"
    bao.put(f"/v1/sys/policies/acl/{name}", json={"policy": policy}).raise_for_status()
    reply = bao.post("/v1/auth/token/create", json={"policies": [name]}).raise_for_status()
    return Secret(reply.json()["auth"]["client_token"])


async def test_a_token_that_may_only_decrypt_unwraps(bao: httpx2.Client, options: VaultOptions) -> None:
    reader = attrs.evolve(options, token=_limited(bao, f"transit/decrypt/{options.key}"))
    assert _KEY == await _unwrap(reader, await _wrap(options))


async def test_a_token_that_may_only_decrypt_wraps_nothing(bao: httpx2.Client, options: VaultOptions) -> None:
    reader = attrs.evolve(options, token=_limited(bao, f"transit/decrypt/{options.key}"))
    with pytest.raises(KeyUnavailable, match=f"its policy lacks `update` on transit/encrypt/{options.key}"):
        await _wrap(reader)


async def test_a_token_of_least_privilege_wraps_and_unwraps(bao: httpx2.Client, options: VaultOptions) -> None:
    paths = (f"transit/encrypt/{options.key}", f"transit/decrypt/{options.key}")
    owner = attrs.evolve(options, token=_limited(bao, *paths))
    assert _KEY == await _unwrap(owner, await _wrap(owner))


async def test_a_token_of_least_privilege_makes_no_key_by_the_way(bao: httpx2.Client, make_options: Make) -> None:
    options = make_options()
    with pytest.raises(KeyUnavailable, match=f"or there is no key {options.key}"):
        await _wrap(attrs.evolve(options, token=_limited(bao, f"transit/encrypt/{options.key}")))
    assert 404 == bao.get(f"/v1/transit/keys/{options.key}").status_code


async def test_a_token_that_is_none_is_refused(options: VaultOptions) -> None:
    with pytest.raises(KeyUnavailable, match="refused the token: it is no longer good, or "):
        await _wrap(attrs.evolve(options, token=Secret("s.notatokenatall")))


# -- the token's file --------------------------------------------------------------------------------------


async def test_a_token_file_is_read_at_each_use(make_options: Make, token: str, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("s.expired")
    options = make_options(token_file=str(file))
    async with VaultCipher.open_root(options) as root:
        with pytest.raises(KeyUnavailable, match="refused the token"):
            await root.wrap(_KEY, _CONTEXT)
        (tmp_path / "new").write_text(f"{token}\n")
        os.replace(tmp_path / "new", file)
        assert (await root.wrap(_KEY, _CONTEXT)).startswith(b"vault:v1:")


@pytest.mark.parametrize("content", [b"", b"\n", b"two words", b"two\nlines", "ключ".encode(), b"\0", b"x" * 5000])
async def test_a_token_file_that_holds_no_token_is_refused_without_showing_it(
    make_options: Make, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "token").write_bytes(content)
    with pytest.raises(KeyUnavailable) as caught:
        await _wrap(make_options(token_file=str(tmp_path / "token")))
    shape = f"{tmp_path}/token holds no Vault token: one line of printable ASCII is expected"
    assert (shape, None, None) == (str(caught.value), caught.value.__cause__, caught.value.__context__)


async def test_a_token_file_that_is_not_there_is_refused(make_options: Make, tmp_path: Path) -> None:
    with pytest.raises(KeyUnavailable, match="No such file or directory: have the Vault agent write the token there"):
        await _wrap(make_options(token_file=str(tmp_path / "token")))


async def test_a_token_file_that_is_a_pipe_is_refused_and_not_waited_for(make_options: Make, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "token")
    with pytest.raises(KeyUnavailable, match="is not a regular file"):
        await _wrap(make_options(token_file=str(tmp_path / "token")))


async def test_a_token_that_could_split_a_header_is_refused(options: VaultOptions) -> None:
    with pytest.raises(KeyUnavailable, match="`token` holds no Vault token"):
        await _wrap(attrs.evolve(options, token=Secret("a\r\nX-Vault-Namespace: other")))
