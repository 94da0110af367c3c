"""The client of boto3: whose credentials it takes, which way it goes, and how much it reads."""

from __future__ import annotations

from io import BytesIO
from typing import Any, Final
from urllib.parse import urlsplit

from tigercore.errors import KeyUnavailable
from tigercore_cipher_awskms.options import AwsKmsOptions, endpoint_fault
from tigercore_cipher_awskms.refusal import NO_CREDENTIALS, refusal

LONGEST_REPLY: Final = 1024 * 1024  # bytes; KMS sends some 10000 at most

_ONCE = {"mode": "standard", "total_max_attempts": 1}  # the envelope cipher is the one that asks again


def connect(options: AwsKmsOptions) -> Any:
    """Return a client. KMS itself is not asked.

    :raises KeyUnavailable: there is no region, no credentials or no such profile, or keys may not go to the endpoint.
    """
    import boto3  # takes 0.1 s
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError

    config = Config(connect_timeout=options.timeout, read_timeout=options.timeout, retries=dict(_ONCE))
    try:
        session = boto3.Session(profile_name=options.profile, region_name=options.region)
        if session.get_credentials() is None:
            raise KeyUnavailable(f"KMS key {options.key_id}: {NO_CREDENTIALS}")
        client = _checked(session.client("kms", endpoint_url=options.endpoint_url, config=config))
        url = client.meta.endpoint_url  # known only now: the environment may have set it
        if urlsplit(url).scheme == "http":  # in plain text, so not past this machine by a proxy of the environment
            client.close()
            client = session.client("kms", endpoint_url=url, config=config.merge(Config(proxies={})))
    except BotoCoreError as error:
        raise refusal(error, options.key_id) from None
    return _bounded(client)


def _checked(client: Any) -> Any:
    """Refuse an endpoint that boto3 has found in the environment or in its files, if keys must not pass there."""
    fault = endpoint_fault(client.meta.endpoint_url)
    if fault is not None:
        client.close()
        raise KeyUnavailable(f"{fault}; AWS_ENDPOINT_URL or ~/.aws/config set it")
    return client


def _bounded(client: Any) -> Any:
    """Cut replies at `LONGEST_REPLY`; what is cut cannot be read. botocore has no bound, and no hook but this one."""
    from botocore.exceptions import HTTPClientError
    from urllib3 import HTTPResponse
    from urllib3.exceptions import HTTPError

    send = client._endpoint.http_session.send  # with its proxies and certificates: there is no public way to it

    def send_bounded(request: Any, **_: Any) -> Any:
        request.stream_output = True  # or it would read the whole body itself
        response = send(request)
        try:
            body = response.raw.read(LONGEST_REPLY)
        except HTTPError as error:
            raise HTTPClientError(error=error) from None
        finally:
            response.raw.close()  # a connection whose reply was read to its end is back in the pool, and stays open
        response.raw = HTTPResponse(BytesIO(body), preload_content=False)
        return response

    client.meta.events.register("before-send.kms", send_bounded)
    return client
