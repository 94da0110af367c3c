"""The `tigercore` command: `run` is the console script. No rule lives in this package."""

from tigercore.cli._run import run as run
