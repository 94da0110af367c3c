"""Call the Tiger OpenAPI gateway over HTTP: signatures, tokens, typed errors."""

from tigercore_client_httpx.client import HttpxClient as HttpxClient
from tigercore_client_httpx.options import HttpxOptions as HttpxOptions
