"""The simulator on a local port, in a process of its own, without limits."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def open_gateway(place: Path, developers: int) -> Iterator[list[Path]]:
    """Run the simulator for the time of the block; give the folder of each developer's portal file."""
    command = [sys.executable, "-m", "tigercore_simulator", "--port=0", "--unlimited", "--account-kind=prime"]
    command += [f"--developers={developers}", f"--out={place}", "--seed=1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            yield [Path(each["directory"]) for each in json.loads(line)["developers"]]
        finally:
            process.terminate()
