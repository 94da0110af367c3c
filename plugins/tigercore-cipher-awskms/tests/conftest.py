from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from functools import cache
from typing import Any

import boto3
import pytest
from botocore import session

from tests.servers.moto import REGION, isolated, moto
from tigercore_cipher_awskms import AwsKmsOptions


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    with moto() as url:
        yield url


@pytest.fixture(scope="module", autouse=True)
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with isolated(tmp_path_factory.mktemp("aws")):
        yield


@pytest.fixture(scope="session", autouse=True)
def models() -> Iterator[None]:
    """Let botocore read its descriptions of AWS once, and not for each of some hundred clients (70 ms)."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(session, "create_loader", cache(session.create_loader))
        yield


@pytest.fixture(scope="module")
def admin(moto_url: str, aws: None) -> Iterator[Any]:
    """Administer KMS, as whoever runs the AWS account does."""
    with closing(boto3.client("kms", region_name=REGION, endpoint_url=moto_url)) as client:
        yield client


@pytest.fixture
def options_of(moto_url: str) -> Callable[[str], AwsKmsOptions]:
    return lambda key_id: AwsKmsOptions(key_id=key_id, region=REGION, endpoint_url=moto_url)
