"""Data is never code: nothing in the product can run what a message says."""

from __future__ import annotations

import ast
import base64
import json
import pickle
from pathlib import Path

import pytest
from pydantic import ValidationError
from wire_samples import alert, messages

from models.errors import BodyError, WireError
from models.wire.columns import decode_columns
from models.wire.envelope import open_envelope
from models.wire.senml import resolve_senml

ROOT = Path(__file__).parents[2]
PACKAGES = ("models", "edge_agent", "cloud", "firmware_sim")
MODULES = {
    "pickle",
    "cPickle",
    "_pickle",
    "dill",
    "cloudpickle",
    "joblib",
    "shelve",
    "marshal",
    "yaml",
    "ruamel",
}
BUILTINS = {"eval", "exec", "compile", "__import__"}
METHODS = {"from_string": "a template made from data", "system": "a shell", "popen": "a shell"}
KEYWORDS = {"allow_pickle", "shell"}

pytestmark = pytest.mark.row("B12")


def imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else []


def called(node: ast.Call) -> list[str]:
    """What is wrong with one call."""
    wrong = []
    if isinstance(node.func, ast.Name) and node.func.id in BUILTINS:
        wrong.append(node.func.id)
    if isinstance(node.func, ast.Attribute) and node.func.attr in METHODS:
        wrong.append(f"{node.func.attr}: {METHODS[node.func.attr]}")
    for keyword in node.keywords:
        if keyword.arg in KEYWORDS and not (
            isinstance(keyword.value, ast.Constant) and not keyword.value.value
        ):
            wrong.append(f"{keyword.arg}=")
    return wrong


def ways_to_run_data(source: str) -> list[str]:
    """Lines of a source that could turn data into code."""
    found = []
    for node in ast.walk(ast.parse(source)):
        wrong = [name for name in imported(node) if name.split(".")[0] in MODULES]
        wrong += called(node) if isinstance(node, ast.Call) else []
        found += [f"line {node.lineno}: {what}" for what in wrong]
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_no_source_can_turn_data_into_code(package):
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    found = {
        str(path.relative_to(ROOT)): ways_to_run_data(path.read_text(encoding="utf-8")) for path in files
    }
    assert {path: lines for path, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from yaml import safe_load",
        "import joblib.numpy_pickle as n",
        "eval(text)",
        "exec(text)",
        "compile(text, '', 'exec')",
        "__import__(text)",
        "environment.from_string(text)",
        "os.system(text)",
        "np.load(file, allow_pickle=True)",
        "subprocess.run(text, shell=True)",
    ],
)
def test_the_search_finds_what_it_looks_for(source):
    assert ways_to_run_data(source)


@pytest.mark.parametrize(
    "source", ["re.compile('a')", "subprocess.run(['a'], shell=False)", "model.evaluate(x)"]
)
def test_the_search_leaves_alone_what_is_harmless(source):
    assert not ways_to_run_data(source)


class Bomb:
    """Unpickling it would leave a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_pickle_where_a_body_belongs_is_refused_and_not_run(tmp_path):
    trace = tmp_path / "trace"
    pickled = pickle.dumps(Bomb(trace))
    for read in (decode_columns, open_envelope, lambda raw: resolve_senml(raw, "cbor", 0.0)):
        with pytest.raises(WireError):
            read(pickled)
    for message in messages().values():
        with pytest.raises(ValidationError):
            type(message).model_validate_json(pickled)
    assert not trace.exists()
    pickle.loads(pickled)
    assert trace.exists()


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.system ['touch trace']",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "__import__('os').system('touch trace')",
        "${jndi:ldap://127.0.0.1/a}",
        "../../../etc/passwd",
        '{"$ref": "file:///etc/passwd", "__reduce__": "os.system", "py/object": "os.system"}',
        "cos\nsystem\n(S'touch trace'\ntR.",
    ],
)
def test_words_that_name_code_stay_words(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = json.loads(alert().model_dump_json()) | {"hazard": text[:64], "unit": text}
    assert type(alert()).model_validate(said).unit == text
    pack = json.dumps([{"n": "a", "vs": text}]).encode()
    assert resolve_senml(pack, "json", 1.7e9)[0].text == text
    with pytest.raises(BodyError):
        decode_columns(base64.b64encode(text.encode()) * 3)
    assert list(tmp_path.iterdir()) == []
