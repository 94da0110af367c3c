from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import tigercore


def named_for_type_checkers() -> dict[str, str]:
    tree = ast.parse(Path(tigercore.__file__).read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    return {name.name: str(node.module) for node in imports for name in node.names}


def test_type_checkers_and_programs_find_the_same_names() -> None:
    assert named_for_type_checkers() == tigercore._LATER


def test_every_public_name_is_there() -> None:
    assert [] == [name for name in dir(tigercore) if not hasattr(tigercore, name)]


def test_importing_tigercore_alone_imports_nothing_heavy() -> None:
    program = "import sys, tigercore; print({'trio', 'cattrs', 'stevedore'} & set(sys.modules))"
    assert (
        "set()\n" == subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    )
