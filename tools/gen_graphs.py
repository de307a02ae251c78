"""Runs the graph recipes of tests/conformance/graphs with TensorFlow and records graphs and answers.

python tools/gen_graphs.py [FAMILY ...]            write tests/engines/golden/graphs of these families; of all without
python tools/gen_graphs.py [FAMILY ...] --check    exit 1, and say what differs, when TensorFlow answers otherwise
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")


def difference(cases: Any, ours: Any, known: Any) -> str:
    """In words, how a recorded case differs from what TensorFlow does now; empty when it does not."""
    if ours.proto() != known.proto():
        return "the graph is another"
    if ours.assets != known.assets:
        return "the files beside it are others"
    if len(ours.turns) != len(known.turns):
        return f"{len(known.turns)} turns are recorded, {len(ours.turns)} are asked"
    for number, (now, then) in enumerate(zip(ours.turns, known.turns, strict=True)):
        if (now.answers is None) != (then.answers is None):
            return f"turn {number} was {'refused' if then.answers is None else 'answered'} when it was recorded"
        values = [*now.feeds, *(now.answers or ()), *now.after.values()]
        try:
            for a, b in zip(values, [*then.feeds, *(then.answers or ()), *then.after.values()], strict=True):
                cases.assert_alike(a, b, ours.tolerance)
        except (AssertionError, ValueError) as error:
            return f"turn {number}: {error}"
    return ""


def record(family: str, check: bool) -> list[str]:
    """Writes the file of one family, or says what is wrong with it."""
    import tensorflow  # noqa: F401 # the oracle: tells the house's scripts which environment this needs

    making = importlib.import_module("tests.conformance.graphs.making")
    graphs = importlib.import_module("tests.support.graph_cases")
    cases = importlib.import_module("tests.support.op_cases")
    importlib.import_module(f"tests.conformance.graphs.{family}")
    path = graphs.GRAPHS / f"{family}.bin"
    known = {case.name: case for case in graphs.read_graphs(family)} if path.exists() else {}
    made = [making.record(recipe) for recipe in making.RECIPES[family]]
    differs = {
        case.name: difference(cases, case, known[case.name]) if case.name in known else "is not recorded"
        for case in made
    }
    differs |= dict.fromkeys(known.keys() - differs.keys(), "belongs to no recipe")
    if check:
        return [f"{family}: {name}: {why}" for name, why in differs.items() if why]
    if any(differs.values()):
        graphs.write_graphs(path, [case if differs[case.name] else known[case.name] for case in made])
    return []


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("families", nargs="*", metavar="FAMILY")
    parser.add_argument("--check", action="store_true")
    said = parser.parse_args()
    there = {path.stem for path in (ROOT / "tests" / "conformance" / "graphs").glob("*.py")} - {"making"}
    families = said.families or sorted(there)
    with ProcessPoolExecutor(min(2, len(families)), mp_context=get_context("spawn")) as pool:
        wrong = [line for found in pool.map(record, families, [said.check] * len(families)) for line in found]
    for line in wrong:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
