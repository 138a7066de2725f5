"""The simulator stands alone: what it knows of the others is what is written down."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import firmware_sim

FOLDER = Path(firmware_sim.__file__).parent
OTHERS = {"models", "edge_agent", "cloud"}


def test_no_file_names_the_other_packages_in_an_import() -> None:
    files = sorted(FOLDER.rglob("*.py"))
    assert len(files) > 20
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            assert not {name.split(".")[0] for name in names} & OTHERS, file


def test_running_it_loads_none_of_the_other_packages() -> None:
    modules = [
        ".".join(("firmware_sim", *file.relative_to(FOLDER).with_suffix("").parts))
        for file in sorted(FOLDER.rglob("*.py"))
        if file.stem != "__init__"
    ]
    code = f"import sys, {', '.join(modules)}; print({OTHERS!r} & {{m.split('.')[0] for m in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
