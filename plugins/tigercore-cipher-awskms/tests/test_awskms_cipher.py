from __future__ import annotations

import os
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any
from uuid import uuid4

import pytest

from tigercore.errors import KeyUnavailable
from tigercore.ports import Cipher
from tigercore.testing.cipher import CipherContract
from tigercore_cipher_awskms import AwsKmsCipher, AwsKmsOptions
from tigercore_envelope import RootUnreachable, UnwrapFailed

OptionsOf = Callable[[str], AwsKmsOptions]
_CONTEXT = {"app": "tigercore", "keyring": "00000000-0000-0000-0000-000000000009", "kek": "7"}
_KEY = os.urandom(32)


def _made(admin: Any, usage: str = "ENCRYPT_DECRYPT", spec: str = "SYMMETRIC_DEFAULT") -> str:
    return str(admin.create_key(KeyUsage=usage, KeySpec=spec)["KeyMetadata"]["Arn"])


def _id(arn: str) -> str:
    return arn.rpartition("/")[2]  # moto does not take an ARN everywhere


@pytest.fixture
def arn(admin: Any) -> str:
    return _made(admin)


@pytest.fixture
def options(arn: str, options_of: OptionsOf) -> AwsKmsOptions:
    return options_of(arn)


class TestACipherOnAwsKmsKeepsTheLaws(CipherContract):
    @pytest.fixture
    def cipher_type(self) -> type[Cipher]:
        return AwsKmsCipher

    @pytest.fixture
    def options(self, arn: str, options_of: OptionsOf) -> Any:
        return options_of(arn)

    @pytest.fixture
    def other_options(self, admin: Any, options_of: OptionsOf) -> Any:
        return options_of(_made(admin))

    @pytest.fixture
    def unusable_options(self, options_of: OptionsOf) -> Any:
        return options_of(str(uuid4()))


def test_the_cipher_is_found_under_its_name() -> None:
    (entry,) = entry_points(group="tigercore.ciphers", name="awskms")
    assert entry.load() is AwsKmsCipher


# -- the root ----------------------------------------------------------------------------------------------


async def test_a_key_is_unwrapped_as_it_was_wrapped(options: AwsKmsOptions) -> None:
    async with AwsKmsCipher.open_root(options) as root:
        assert await root.unwrap(await root.wrap(_KEY, _CONTEXT), _CONTEXT) == _KEY


async def test_a_wrapped_key_does_not_hold_the_key(options: AwsKmsOptions) -> None:
    async with AwsKmsCipher.open_root(options) as root:
        assert _KEY not in await root.wrap(_KEY, _CONTEXT)


async def test_a_key_opens_in_another_process_with_its_pairs_in_another_order(options: AwsKmsOptions) -> None:
    async with AwsKmsCipher.open_root(options) as root, AwsKmsCipher.open_root(options) as other:
        wrapped = await root.wrap(_KEY, _CONTEXT)
        assert await other.unwrap(wrapped, dict(reversed(_CONTEXT.items()))) == _KEY


@pytest.mark.parametrize("change", [{"kek": "8"}, {"keyring": ""}, {"more": "1"}])
async def test_a_key_does_not_open_in_another_context(options: AwsKmsOptions, change: dict[str, str]) -> None:
    async with AwsKmsCipher.open_root(options) as root:
        wrapped = await root.wrap(_KEY, _CONTEXT)
        with pytest.raises(UnwrapFailed, match="in another context"):
            await root.unwrap(wrapped, _CONTEXT | change)


async def test_a_key_does_not_open_in_no_context(options: AwsKmsOptions) -> None:
    async with AwsKmsCipher.open_root(options) as root:
        wrapped = await root.wrap(_KEY, _CONTEXT)
        with pytest.raises(UnwrapFailed, match="in another context"):
            await root.unwrap(wrapped, {})


async def test_a_changed_key_does_not_open(options: AwsKmsOptions) -> None:
    async with AwsKmsCipher.open_root(options) as root:
        wrapped = await root.wrap(_KEY, _CONTEXT)
        with pytest.raises(UnwrapFailed, match="or it was changed"):
            await root.unwrap(wrapped[:-1] + bytes([wrapped[-1] ^ 1]), _CONTEXT)


@pytest.mark.parametrize("size", [0, 6145])
async def test_what_kms_cannot_have_wrapped_is_refused_without_asking_it(size: int) -> None:
    nowhere = AwsKmsOptions(key_id="alias/root", region="eu-central-1", endpoint_url="http://127.0.0.1:1")
    async with AwsKmsCipher.open_root(nowhere) as root:
        with pytest.raises(UnwrapFailed, match=f"^{size} bytes are nothing"):
            await root.unwrap(bytes(size), _CONTEXT)


async def test_what_another_key_wrapped_stays_shut(options: AwsKmsOptions, admin: Any, options_of: OptionsOf) -> None:
    async with AwsKmsCipher.open_root(options) as root, AwsKmsCipher.open_root(options_of(_made(admin))) as other:
        wrapped = await root.wrap(_KEY, _CONTEXT)
        with pytest.raises(KeyUnavailable):
            await other.unwrap(wrapped, _CONTEXT)


async def test_a_key_that_is_not_there_wraps_nothing(options_of: OptionsOf) -> None:
    async with AwsKmsCipher.open_root(options_of(str(uuid4()))) as root:
        with pytest.raises(KeyUnavailable, match=r"no such key .* check `key_id` and `region`"):
            await root.wrap(_KEY, _CONTEXT)


async def test_an_alias_names_its_key(admin: Any, arn: str, options_of: OptionsOf) -> None:
    alias = f"alias/{uuid4()}"
    admin.create_alias(AliasName=alias, TargetKeyId=arn)
    async with AwsKmsCipher.open_root(options_of(arn)) as root, AwsKmsCipher.open_root(options_of(alias)) as aliased:
        assert await aliased.unwrap(await root.wrap(_KEY, _CONTEXT), _CONTEXT) == _KEY


async def test_the_identity_is_the_name_that_was_configured() -> None:
    options = AwsKmsOptions(key_id="alias/root", region="eu-central-1")
    async with AwsKmsCipher.open_root(options) as root:
        assert root.identity() == "awskms:alias/root"


# -- what the operator is told -----------------------------------------------------------------------------


def test_a_good_key_is_found_and_nothing_is_made(admin: Any, arn: str, options: AwsKmsOptions) -> None:
    before = admin.list_keys()["Keys"]
    said = AwsKmsCipher.create_root(options)
    assert said == f"Found the KMS key {arn}, enabled and symmetric, by the name {arn}; nothing was made."
    assert before == admin.list_keys()["Keys"]


def test_a_missing_key_is_not_made(admin: Any, options_of: OptionsOf) -> None:
    before = admin.list_keys()["Keys"]
    with pytest.raises(KeyUnavailable, match="there is no such key"):
        AwsKmsCipher.create_root(options_of("alias/missing"))
    assert before == admin.list_keys()["Keys"]


def test_a_disabled_key_is_refused(admin: Any, arn: str, options: AwsKmsOptions) -> None:
    admin.disable_key(KeyId=_id(arn))
    with pytest.raises(KeyUnavailable, match="is disabled: run `aws kms enable-key`"):
        AwsKmsCipher.create_root(options)


def test_a_key_that_is_pending_deletion_is_refused(admin: Any, arn: str, options: AwsKmsOptions) -> None:
    admin.schedule_key_deletion(KeyId=_id(arn), PendingWindowInDays=7)
    with pytest.raises(KeyUnavailable, match="is pending deletion: run `aws kms cancel-key-deletion`"):
        AwsKmsCipher.create_root(options)


@pytest.mark.parametrize(
    ("usage", "spec"),
    [("SIGN_VERIFY", "RSA_2048"), ("ENCRYPT_DECRYPT", "RSA_2048"), ("GENERATE_VERIFY_MAC", "HMAC_256")],
)
def test_a_key_of_another_kind_is_refused(admin: Any, options_of: OptionsOf, usage: str, spec: str) -> None:
    other = _made(admin, usage, spec)
    with pytest.raises(KeyUnavailable, match=f"is for {usage} with {spec}: name a symmetric one"):
        AwsKmsCipher.create_root(options_of(other))


# -- before KMS is asked -----------------------------------------------------------------------------------


async def test_opening_does_not_ask_kms() -> None:
    options = AwsKmsOptions(key_id="alias/root", region="eu-central-1", endpoint_url="http://127.0.0.1:1")
    async with AwsKmsCipher.open_root(options):
        pass


async def test_a_kms_that_is_not_there_is_unreachable() -> None:
    options = AwsKmsOptions(key_id="alias/root", region="eu-central-1", endpoint_url="http://127.0.0.1:1")
    async with AwsKmsCipher.open_root(options) as root:
        with pytest.raises(RootUnreachable, match=r"does not answer \(EndpointConnectionError\): check the network"):
            await root.unwrap(b"wrapped", _CONTEXT)


async def test_a_machine_without_a_region_says_how_to_give_one() -> None:
    with pytest.raises(KeyUnavailable, match="no AWS region: set `region`"):
        async with AwsKmsCipher.open_root(AwsKmsOptions(key_id="alias/root")):
            pass


async def test_a_machine_without_credentials_says_how_to_give_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(KeyUnavailable, match="no AWS credentials: give this process a role"):
        async with AwsKmsCipher.open_root(AwsKmsOptions(key_id="alias/root", region="eu-central-1")):
            pass


async def test_half_of_the_credentials_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(KeyUnavailable, match="no AWS credentials"):
        async with AwsKmsCipher.open_root(AwsKmsOptions(key_id="alias/root", region="eu-central-1")):
            pass


async def test_a_missing_profile_is_refused() -> None:
    with pytest.raises(KeyUnavailable, match="no such profile"):
        async with AwsKmsCipher.open_root(AwsKmsOptions(key_id="alias/root", region="eu-central-1", profile="none")):
            pass


async def test_an_endpoint_of_the_environment_must_be_https_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", "http://kms.example.com")
    with pytest.raises(KeyUnavailable, match=r"is not https.*; AWS_ENDPOINT_URL or ~/\.aws/config set it"):
        async with AwsKmsCipher.open_root(AwsKmsOptions(key_id="alias/root", region="eu-central-1")):
            pass
