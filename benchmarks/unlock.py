"""Row group 8: what it takes to open a key ring whose root lies in AWS KMS or in Vault."""

from __future__ import annotations

import base64
import os
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx2

from benchmarks.measure import AsyncWork, Row, Scale, beside_async
from benchmarks.world import unlock
from tests.servers.moto import REGION, isolated, moto
from tests.servers.openbao import openbao
from tigercore.clock import SystemClock
from tigercore.model import Secret
from tigercore.testing.clock import driver_context
from tigercore_cipher_vault import VaultCipher, VaultOptions
from tigercore_envelope import EnvelopeCipher

_MOST = 2.0  # times the same client, which is new too and has nothing to check
_TEXT = base64.b64encode(os.urandom(32)).decode()


async def rows(scale: Scale) -> AsyncIterator[Row]:
    """Open a cipher and unlock a ring of one key, each time anew; a plain client decrypts as much, as new."""
    with TemporaryDirectory() as place:
        with openbao(Path(place)) as admin:
            yield await _row("OpenBao", "httpx2 alone", *await _vault(admin), scale)
        with isolated(Path(place)), moto() as url:
            yield await _row("AWS KMS (moto)", "boto3 alone", *await _awskms(url), scale)


async def _row(what: str, against: str, floor: AsyncWork, subject: AsyncWork, scale: Scale) -> Row:
    least, took = (seconds * 1e3 for seconds in await beside_async(floor, subject, scale))
    ratio, target = took / least, f"≤ {_MOST} × the client"
    return Row("unlock", f"open and unlock, {what}", "ms", took, least, against, ratio, _MOST, target)


async def _unlocking(cipher_type: type[EnvelopeCipher], options: object) -> AsyncWork:
    context = driver_context(SystemClock())
    async with cipher_type.open(options, context) as cipher:
        ring = await unlock(cipher)

    async def work() -> None:
        async with cipher_type.open(options, context) as cipher:
            await cipher.unlock(ring)

    return work


async def _vault(admin: httpx2.Client) -> tuple[AsyncWork, AsyncWork]:
    options = VaultOptions(
        address=str(admin.base_url).rstrip("/"), key="bench", token=Secret(admin.headers["X-Vault-Token"])
    )
    admin.post("/v1/transit/keys/bench", json={"derived": True}).raise_for_status()
    given = {"plaintext": _TEXT, "context": _TEXT}
    sealed = admin.post("/v1/transit/encrypt/bench", json=given).raise_for_status().json()["data"]["ciphertext"]
    headers = {"X-Vault-Token": admin.headers["X-Vault-Token"]}

    async def alone() -> None:
        async with httpx2.AsyncClient(
            base_url=admin.base_url, headers=headers, verify=False, trust_env=False
        ) as client:
            wanted = {"ciphertext": sealed, "context": _TEXT}
            (await client.post("/v1/transit/decrypt/bench", json=wanted)).raise_for_status()

    return alone, await _unlocking(VaultCipher, options)


async def _awskms(url: str) -> tuple[AsyncWork, AsyncWork]:
    import boto3  # slow to load

    from tigercore_cipher_awskms import AwsKmsCipher, AwsKmsOptions

    with closing(boto3.client("kms", region_name=REGION, endpoint_url=url)) as admin:
        arn = admin.create_key()["KeyMetadata"]["Arn"]
        sealed = admin.encrypt(KeyId=arn, Plaintext=_TEXT)["CiphertextBlob"]

    async def alone() -> None:
        session = boto3.Session()  # a process that starts has read nothing yet
        with closing(session.client("kms", region_name=REGION, endpoint_url=url)) as client:
            client.decrypt(KeyId=arn, CiphertextBlob=sealed)

    options = AwsKmsOptions(key_id=arn, region=REGION, endpoint_url=url)
    return alone, await _unlocking(AwsKmsCipher, options)
