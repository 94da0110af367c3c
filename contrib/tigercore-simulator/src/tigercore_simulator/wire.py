"""The shapes that travel: parameters that come in, JSON objects that go out."""

from collections.abc import Mapping
from typing import Any

Params = Mapping[str, Any]
Json = dict[str, Any]
