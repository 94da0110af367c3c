"""Measure, print the table, and write it down if asked: `python -m benchmarks [--quick] [--only …] [--json FILE]`."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import trio

from benchmarks import calls, feed, imports, opening, order_path, pick, rotation, seal, store, tokens, unlock
from benchmarks.measure import FULL, QUICK, Row, Scale, probe

_GROUPS = {
    "pick": pick.rows,
    "execute": order_path.rows,
    "seal": seal.rows,
    "rotate": rotation.rows,
    "tokens": tokens.rows,
    "unlock": unlock.rows,
    "calls": calls.rows,
    "store": store.rows,
    "feed": feed.rows,
    "open": opening.rows,
    "import": imports.rows,
}
_LINE = "{:<8} {:<44} {:>12} {:>12} {:<28} {:>8} {:>21} {:>10}  {}"
_HEAD = ("group", "what", "measured", "floor", "which is", "ratio", "target", "judged", "")


def main(words: Sequence[str] | None = None) -> int:
    """Run the groups that were named, all by default."""
    wanted = _parser().parse_args(words)
    began, before = time.monotonic(), probe()
    print(f"{platform.platform()}, CPython {platform.python_version()}; noise probe {before:.2f} ms")
    print(_LINE.format(*_HEAD))
    rows = trio.run(_measure, wanted.only or list(_GROUPS), QUICK if wanted.quick else FULL)
    after, missed = probe(), [row for row in rows if not row.met]
    print(f"noise probe {before:.2f} ms before, {after:.2f} ms after; load {os.getloadavg()[0]:.1f}")
    print(f"{len(rows)} rows in {time.monotonic() - began:.0f} s, {len(missed)} missed")
    if wanted.json:
        _write(wanted.json, rows, before, after)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="What tigercore costs, next to floors.")
    parser.add_argument("--quick", action="store_true", help="two to four minutes, and noisier")
    parser.add_argument("--only", nargs="+", choices=_GROUPS, help="measure these groups only")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers here too")
    return parser


async def _measure(groups: Sequence[str], scale: Scale) -> list[Row]:
    found = []
    for group in groups:
        async for row in _GROUPS[group](scale):
            found.append(row)
            print(_line(row), flush=True)
    return found


def _line(row: Row) -> str:
    measured, floor = (f"{value:,.2f} {row.unit}" for value in (row.measured, row.floor))
    verdict = "met" if row.met else "MISSED"
    judged = f"{row.judged:,.2f}"
    return _LINE.format(
        row.group, row.name, measured, floor, row.against, f"{row.ratio:.2f}", row.target_text, judged, verdict
    )


def _write(file: Path, rows: Sequence[Row], before: float, after: float) -> None:
    names = ("group", "name", "unit", "measured", "floor", "against", "ratio", "target_text", "judged", "met")
    document = {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "probe_ms": {"before": before, "after": after},
        "rows": [{name: getattr(row, name) for name in names} for row in rows],
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    sys.exit(main())
