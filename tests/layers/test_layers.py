"""Who may import whom. The circle closes over the wire, never through imports."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAMS = ("models", "edge_agent", "cloud", "firmware_sim")
MAY_IMPORT = {
    "models": {"models"},
    "edge_agent": {"edge_agent", "models"},
    "cloud": {"cloud", "models"},
    "firmware_sim": {"firmware_sim"},
}
# Inner first: a package imports only itself and what stands before it.
ORDER = {
    "cloud": (
        "errors settings storage events keys people fleet series incidents dispatch ingest scheduler web app "
        "commands cli"
    ).split(),
    "edge_agent": (
        "toml_lines log_lines trouble action_settings settings state tls mqtt_connection drivers sampler "
        "outbox judge identity uplink obedience trial enrolment alone channels pipeline timekeeper history "
        "devices status probe check discovery obeyer watchdog upgrade doctor commands app cli"
    ).split(),
    "models": (
        "errors machine_code compile clock identity physical_range readings mending alert outcome "
        "configuration assets wire snapshot detectors default_monitors budget trigger_pass trigger "
        "monitor replay evaluation lab"
    ).split(),
}
# Not for a gateway: memory and seconds it does not have.
NEVER_ON_A_GATEWAY = {"scipy", "river", "fastapi", "influxdb_client", "sqlalchemy", "pandas"}
# What is dear to load is imported inside the function that uses it.
ONLY_WHEN_USED = {
    "models": {"cryptography"},
    "edge_agent": {"cryptography", "pymodbus", "psutil", "serial", "bacpypes3", "gpiod"},
}


def modules(program: str) -> list[Path]:
    return sorted((ROOT / program).rglob("*.py"))


def is_never_run(node: ast.AST) -> bool:
    """Whether it is `if TYPE_CHECKING:`, which exists for the type checker alone."""
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)


def imports(path: Path, *, top_only: bool = False) -> set[str]:
    """Dotted names a file imports; with `top_only` those that run when it is loaded."""
    tree = ast.parse(path.read_text())
    found: set[str] = set()
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif is_never_run(node) or (top_only and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)):
            continue
        pending.extend(ast.iter_child_nodes(node))
    return found


def test_every_program_has_modules() -> None:
    assert all(len(modules(program)) > 3 for program in PROGRAMS)


@pytest.mark.parametrize("program", PROGRAMS)
def test_programs_meet_only_in_models(program: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules(program)
        for name in imports(path)
        if (top := name.split(".")[0]) in PROGRAMS and top not in MAY_IMPORT[program]
    ]
    assert not wrong


@pytest.mark.parametrize("program", sorted(ORDER))
def test_packages_import_inward(program: str) -> None:
    order = ORDER[program]
    wrong = []
    for path in modules(program):
        parts = path.relative_to(ROOT / program).with_suffix("").parts
        if parts[0] in ("__init__", "__main__"):
            continue
        assert parts[0] in order, (
            f"{path.relative_to(ROOT)}: {parts[0]} has no place in the order of {program}"
        )
        for name in imports(path):
            pieces = name.split(".")
            known = pieces[0] == program and len(pieces) > 1 and pieces[1] in order
            if known and order.index(pieces[1]) > order.index(parts[0]):
                wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert not wrong


@pytest.mark.parametrize("program", ["models", "edge_agent"])
def test_gateway_stays_small(program: str) -> None:
    allowed_lazily = ROOT / "models" / "detectors" / "river"
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules(program)
        if allowed_lazily not in path.parents
        for name in imports(path)
        if name.split(".")[0] in NEVER_ON_A_GATEWAY
    ]
    assert not wrong


@pytest.mark.parametrize("program", sorted(ONLY_WHEN_USED))
def test_dear_libraries_are_imported_when_used(program: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name} when loaded"
        for path in modules(program)
        for name in imports(path, top_only=True)
        if name.split(".")[0] in ONLY_WHEN_USED[program]
    ]
    assert not wrong


@pytest.mark.parametrize(
    ("program", "library"),
    [("models", "numba"), ("edge_agent", "paho"), ("cloud", "paho"), ("cloud", "influxdb_client")],
)
def test_one_file_wraps_each_outside_library(program: str, library: str) -> None:
    files = {
        str(path.relative_to(ROOT))
        for path in modules(program)
        if any(name.split(".")[0] == library for name in imports(path))
    }
    limit = 2 if (program, library) == ("edge_agent", "paho") else 1  # the uplink and the devices' broker
    assert len(files) <= limit, f"{library} is wrapped in more than one file: {sorted(files)}"
