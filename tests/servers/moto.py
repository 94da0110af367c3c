"""moto's server, which answers as AWS does, and an environment in which boto3 sees nothing of this machine."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from moto.server import ThreadedMotoServer

REGION = "eu-central-1"


@contextmanager
def moto() -> Iterator[str]:
    """Start a server; return its URL."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # it prints each request
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        yield "http://{}:{}".format(*server.get_host_and_port())
    finally:
        server.stop()
        assert server._server is not None
        server._server.server_close()  # stop() leaves the socket open


@contextmanager
def isolated(home: Path) -> Iterator[None]:
    """Let boto3 see nothing of this machine: keys that are none, and no file or address."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    own = {
        "AWS_CONFIG_FILE": str(home / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(home / "credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "NO_PROXY": "127.0.0.1",
    }
    with patch.dict(os.environ, kept | own, clear=True):
        yield
