"""The vendor's SDK, used as its documentation shows, with many accounts: a client for each, called from threads."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path


def rate(folders: list[Path], url: str, threads: int, seconds: float) -> float:
    """Return how many requests a second it sends; the first second is not counted."""
    calls, numbers = [_call(folder, url) for folder in folders], count()

    def go_on(until: float) -> int:
        done = 0
        while time.perf_counter() < until:
            calls[next(numbers) % len(calls)]()
            done += 1
        return done

    with ThreadPoolExecutor(threads) as pool:
        for warming, span in ((True, 1.0), (False, max(seconds, 2.0))):
            began = time.perf_counter()
            done = sum(pool.map(go_on, [began + span] * threads))
            if not warming:
                return done / (time.perf_counter() - began)
    raise AssertionError("the loop above returns")


def _call(folder: Path, url: str) -> Callable[[], object]:
    from tigeropen.common.request import OpenApiRequest
    from tigeropen.quote.request.model import MarketParams
    from tigeropen.tiger_open_client import TigerOpenClient
    from tigeropen.tiger_open_config import TigerOpenClientConfig

    logger = logging.getLogger("benchmarks.sdk")
    logger.setLevel(logging.CRITICAL)
    config = TigerOpenClientConfig(enable_dynamic_domain=False, props_path=str(folder))
    config.log_level = "CRITICAL"
    client = TigerOpenClient(config, logger=logger)
    config.server_url = url

    def call() -> object:
        params = MarketParams()
        params.market = "US"
        return client.execute(OpenApiRequest("market_state", biz_model=params))

    return call
