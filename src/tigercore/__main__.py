"""The console script. It stands without the extra `cli`, to say that the extra is missing."""

from __future__ import annotations

import importlib.util
import sys

_NEEDED = ("cyclopts", "rich")


def main() -> int:
    """Run the `tigercore` command on the words of this process and return its exit code."""
    if any(importlib.util.find_spec(name) is None for name in _NEEDED):
        print("tigercore: the command needs an extra: install tigercore[cli]", file=sys.stderr)
        return 2
    from tigercore.cli import run
    from tigercore.cli._process import harden

    harden()
    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
