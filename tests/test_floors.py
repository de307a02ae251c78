"""The shape of the source, proved from its syntax tree: imports point down, files are short, errors are ours.

Each rule is a function from a parsed module to complaints, tried first on a small text that breaks it.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "cryograph"
FLOORS = {
    "base": 0,
    "wire": 1,
    "graph": 2,
    "formats": 3,
    "ops": 4,
    "transforms": 5,
    "program": 6,
    "engines": 7,
    "grants": 7.5,
    "train": 8,
    "api": 9,
    "": 9.5,  # cryograph/__init__.py, the contents page
    "cli": 10,
    "serve": 10,
    "view": 10,
    "tf1": 10,
    "__main__": 10.5,
}
FACES = {"cli", "serve", "view", "tf1", "__main__"}
ORACLE = {"tensorflow", "tf_keras", "keras", "tf2onnx", "tensorboard"}
# Optional packages: each is imported in one file only, which says the pip line where it is absent.
OPTIONAL = {"h5py", "jax", "optax", "PIL", "safetensors", "fsspec", "openvino", "ray", "starlette", "uvicorn", "scipy"}
HEAVY = (
    OPTIONAL
    | ORACLE
    | {"onnxruntime", "onnx", "jax", "jaxlib", "pandas", "sklearn", "matplotlib", "click", "tqdm"}
    | {"asyncio", "multiprocessing", "http", "urllib.request", "xml", "unittest"}
)
MAX_LINES = 600


@dataclass(frozen=True)
class Module:
    """One parsed source file."""

    name: str
    is_package: bool
    tree: ast.Module

    @property
    def floor(self) -> str:
        """The first name below cryograph: its key in FLOORS."""
        return self.name.partition(".")[2].partition(".")[0]


def parse(name: str, text: str, is_package: bool = False) -> Module:
    return Module(name, is_package, ast.parse(textwrap.dedent(text)))


@pytest.fixture(scope="module")
def modules() -> dict[str, Module]:
    found = {}
    for path in sorted(SOURCE.rglob("*.py")):
        parts = ["cryograph", *path.relative_to(SOURCE).with_suffix("").parts]
        is_package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if is_package else parts)
        found[name] = parse(name, path.read_text("utf-8"), is_package)
    return found


# --- what a module imports


def imports(module: Module, known: set[str]) -> Iterator[tuple[str, int, bool]]:
    """Every imported module, its line, and whether it is for type checkers only; inside functions too.

    `from a import b` is `a.b` when that is a module of ours, else `a`.
    """
    for node, typing_only in _walk(module.tree, False):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno, typing_only
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = module.name.split(".")[: None if module.is_package else -1]
                above = above[: len(above) - (node.level - 1)]
                base = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                yield (inner if inner in known else base), node.lineno, typing_only


def _walk(node: ast.AST, typing_only: bool) -> Iterator[tuple[ast.AST, bool]]:
    for child in ast.iter_child_nodes(node):
        guarded = typing_only
        if isinstance(child, ast.If) and ast.unparse(child.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            guarded = True
        yield child, guarded
        yield from _walk(child, guarded)


def upward(module: Module, known: set[str]) -> Iterator[str]:
    if module.floor not in FLOORS:
        yield f"{module.name}: {module.floor} is on no floor"
        return
    for name, line, _ in imports(module, known):
        top, _, rest = name.partition(".")
        target = rest.partition(".")[0]
        if top != "cryograph" or target == module.floor:
            continue
        if target not in FLOORS:
            yield f"{module.name}:{line}: imports {name}, which is on no floor"
        elif FLOORS[target] >= FLOORS[module.floor]:
            yield f"{module.name}:{line}: floor {module.floor or 'cryograph'} imports {name} from above or beside"


def cycles(modules: dict[str, Module]) -> list[str]:
    """Every import cycle, imports inside functions counted, those for type checkers not."""
    known = set(modules)
    edges = {
        module.name: sorted({n for n, _, typing in imports(module, known) if n in known and not typing} - {module.name})
        for module in modules.values()
    }
    found: list[str] = []
    done: set[str] = set()

    def visit(name: str, trail: list[str]) -> None:
        if name in trail:
            found.append(" -> ".join([*trail[trail.index(name) :], name]))
        elif name not in done:
            for target in edges[name]:
                visit(target, [*trail, name])
            done.add(name)

    for name in sorted(edges):
        visit(name, [])
    return found


# --- what a module may not hold


def oracle_imports(module: Module) -> Iterator[str]:
    for name, line, _ in imports(module, set()):
        if name.partition(".")[0] in ORACLE:
            yield f"{module.name}:{line}: imports {name}"


def broad_excepts(module: Module) -> Iterator[str]:
    """`except:` and `except Exception`; a handler that ends in a bare `raise` only tidies up and is allowed."""
    for node in ast.walk(module.tree):
        caught: list[ast.expr | None] = []
        if isinstance(node, ast.ExceptHandler):
            last = node.body[-1]
            if isinstance(last, ast.Raise) and last.exc is None:
                continue
            caught = list(node.type.elts) if isinstance(node.type, ast.Tuple) else [node.type]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("suppress"):
            caught = list(node.args)
        for kind in caught:
            if kind is None or ast.unparse(kind).rpartition(".")[2] in ("Exception", "BaseException"):
                yield f"{module.name}:{node.lineno}: catches everything"


def prints(module: Module) -> Iterator[str]:
    if module.floor in FACES:
        return
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("print", "sys.stdout.write", "sys.stderr.write"):
            yield f"{module.name}:{node.lineno}: prints"


def asserts(module: Module) -> Iterator[str]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Assert):
            yield f"{module.name}:{node.lineno}: asserts, where an error of ours is due"


def metaclasses(module: Module) -> Iterator[str]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ClassDef) and any(k.arg == "metaclass" for k in node.keywords):
            yield f"{module.name}:{node.lineno}: {node.name} has a metaclass"


def foreign_errors(module: Module) -> Iterator[str]:
    """`raise ValueError(...)` and the like. KeyError and its kin are allowed where Python's protocols ask for them."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            name = ast.unparse(node.exc.func)
            if name in ("Exception", "ValueError", "TypeError", "RuntimeError", "OSError", "IOError", "AssertionError"):
                yield f"{module.name}:{node.lineno}: raises {name}, which is not an error of ours"


def complain(complaints: Iterable[str]) -> None:
    """Fails with all complaints, each on a line of its own."""
    found = list(complaints)
    assert not found, "\n".join(found)


Rule = Callable[[Module], Iterator[str]]
RULES: dict[str, tuple[Rule, str]] = {
    "no TensorFlow": (oracle_imports, "def f():\n    from tensorflow.python import x"),
    "no broad except": (broad_excepts, "try:\n    f()\nexcept (KeyError, Exception):\n    pass"),
    "no bare except": (broad_excepts, "try:\n    f()\nexcept:\n    pass"),
    "no suppress(Exception)": (broad_excepts, "with contextlib.suppress(Exception):\n    f()"),
    "no print below the faces": (prints, "def f():\n    print(1)"),
    "no assert": (asserts, "def f(x):\n    assert x > 0"),
    "no metaclass": (metaclasses, "class A(metaclass=M):\n    pass"),
    "our own errors": (foreign_errors, "raise ValueError('no')"),
}


@pytest.mark.parametrize("rule", RULES)
def test_rule_holds_in_every_module(rule: str, modules: dict[str, Module]) -> None:
    check, broken = RULES[rule]
    assert list(check(parse("cryograph.base.x", broken))), "the rule does not see what it forbids"
    complain(complaint for module in modules.values() for complaint in check(module))


def test_imports_point_down(modules: dict[str, Module]) -> None:
    known = {"cryograph.wire.scan", "cryograph.base.errors"}
    below = parse("cryograph.wire.scan", "from ..base import errors\nfrom . import scan\nimport numpy")
    assert list(upward(below, known)) == []
    assert list(upward(parse("cryograph.base.x", "def f():\n    from ..wire import scan"), known))
    assert list(upward(parse("cryograph.base.x", "import cryograph.wire.scan"), known))
    assert list(upward(parse("cryograph.base.x", "from .. import api"), known | {"cryograph.api"}))
    assert list(upward(parse("cryograph.view.x", "from cryograph.serve import y"), known))
    assert list(upward(parse("cryograph.api", "from cryograph import load"), known))

    assert len(modules) > 5
    complain(complaint for module in modules.values() for complaint in upward(module, set(modules)))


def test_no_import_cycles(modules: dict[str, Module]) -> None:
    pair = [parse("cryograph.base.a", "from .b import x"), parse("cryograph.base.b", "def f():\n    from . import a")]
    assert cycles({m.name: m for m in pair}) == ["cryograph.base.a -> cryograph.base.b -> cryograph.base.a"]
    complain(cycles(modules))


def test_files_are_short() -> None:
    root = SOURCE.parents[1]
    long = []
    for folder in ("src", "tests", "tools", "benchmarks"):
        for path in sorted((root / folder).rglob("*.py")):
            lines = path.read_text("utf-8").splitlines()
            if len(lines) > MAX_LINES and not (lines and lines[0].startswith("# Generated by tools/")):
                long.append(f"{path.relative_to(root)}: {len(lines)} lines, {MAX_LINES} at most")
    complain(long)


def test_onnxruntime_stays_in_its_engine(modules: dict[str, Module]) -> None:
    users = {m.name for m in modules.values() for n, _, _ in imports(m, set()) if n.partition(".")[0] == "onnxruntime"}
    assert {name for name in users if not name.startswith("cryograph.engines.onnxruntime")} == set()


@pytest.mark.parametrize("package", sorted(OPTIONAL))
def test_optional_package_is_imported_in_one_file(package: str, modules: dict[str, Module]) -> None:
    users = {m.name for m in modules.values() for n, _, _ in imports(m, set()) if n.partition(".")[0] == package}
    assert len(users) <= 1, f"{package} is imported in {sorted(users)}"


def loaded_by(program: str) -> set[str]:
    """The modules that a program loads besides those that Python itself needs."""
    script = f"import json, sys; old = set(sys.modules); {program}; print(json.dumps([*set(sys.modules) - old]))"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(json.loads(run.stdout.splitlines()[-1]))


def test_import_is_light() -> None:
    loaded = loaded_by("import cryograph")
    assert "cryograph" in loaded
    assert sorted(loaded & HEAVY) == []


def test_help_loads_nothing_that_computes() -> None:
    """`cryograph --help` takes at most 0.2 s; numpy alone would take half of that."""
    loaded = loaded_by("from cryograph.cli.main import call; call(['--help'])")
    assert {"cryograph", "click"} <= loaded
    assert sorted(loaded & (HEAVY - {"click"} | {"numpy", "google.protobuf", "ml_dtypes"})) == []
