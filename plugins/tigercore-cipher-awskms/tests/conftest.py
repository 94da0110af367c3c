from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import session
from moto.server import ThreadedMotoServer

from tigercore_cipher_awskms import AwsKmsOptions

_REGION = "eu-central-1"


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()
    assert server._server is not None
    server._server.server_close()  # stop() leaves the socket open


@pytest.fixture(scope="module", autouse=True)
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let boto3 see nothing of this machine, and keys that are none."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        _isolate(monkeypatch, tmp_path_factory.mktemp("aws"))
        yield


def _isolate(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture(scope="session", autouse=True)
def models() -> Iterator[None]:
    """Let botocore read its descriptions of AWS once, and not for each of some hundred clients (70 ms)."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(session, "create_loader", cache(session.create_loader))
        yield


@pytest.fixture(scope="module")
def admin(moto_url: str, aws: None) -> Iterator[Any]:
    """Administer KMS, as whoever runs the AWS account does."""
    with closing(boto3.client("kms", region_name=_REGION, endpoint_url=moto_url)) as client:
        yield client


@pytest.fixture
def options_of(moto_url: str) -> Callable[[str], AwsKmsOptions]:
    return lambda key_id: AwsKmsOptions(key_id=key_id, region=_REGION, endpoint_url=moto_url)
