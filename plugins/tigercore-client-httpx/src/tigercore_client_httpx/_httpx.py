"""The one place that names the HTTP library: httpx2, or httpx where only that is installed."""

from __future__ import annotations

import logging

try:
    import httpx2 as httpx
except ImportError:  # the fallback has the same API, and a slower pool
    import httpx  # type: ignore[import-not-found,no-redef]

__all__ = ["httpx", "quieten"]

_LOGGERS = ("httpx2", "httpcore2", "httpx", "httpcore")


def quieten() -> None:
    """Keep the library's loggers at WARNING: at DEBUG they print exceptions and reply headers, which are not ours."""
    for name in _LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
