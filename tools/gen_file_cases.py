"""Asks TensorFlow every case of the ops that touch files and writes its answers to `tests/grants/golden.bin`.

python tools/gen_file_cases.py            write the golden file
python tools/gen_file_cases.py --check    exit 1, and say what differs, when TensorFlow answers otherwise
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")


def difference(ours: Any, known: Any) -> str:
    """In words, how an answer differs from a recorded one; empty when it does not."""
    op_cases: Any = importlib.import_module("tests.support.op_cases")
    if ours is None or known is None:
        return "" if ours is known else "refused once and answered once"
    if ours.files != known.files:
        return "other files are left"
    try:
        for a, b in zip(ours.outputs, known.outputs, strict=True):
            op_cases.assert_alike(a, b)
    except (AssertionError, ValueError) as error:
        return str(error)
    return ""


def main() -> int:
    """The command."""
    import tensorflow  # noqa: F401 # the oracle: tells the house's scripts which environment this needs

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    names = ("tests.support.file_cases", "tests.conformance.ops.oracle", "tests.support.op_cases")
    file_cases, oracle, op_cases = map(importlib.import_module, names)
    made: dict[str, Any] = {}
    wrong: list[str] = []

    def run(case: Any) -> Any:
        said = oracle.ask(case)
        if isinstance(said, op_cases.Refused):
            raise LookupError(said.message)
        return said

    known = file_cases.read()
    for case in file_cases.cases():
        answer: Any = None
        message = "is not refused"
        with tempfile.TemporaryDirectory() as folder:
            try:
                answer = file_cases.ask(case, Path(folder), run)
            except LookupError as error:
                message = str(error)
        if (answer is None) != case.case.refused:
            wrong.append(f"{case.case.id}: {message}")
        elif check:
            said = difference(answer, known[case.key]) if case.key in known else "has no golden answer"
            wrong += [f"{case.case.id}: {said}"] if said else []
        made[case.key] = answer
    wrong += [f"{key} belongs to no case" for key in known.keys() - made.keys() if check]
    if not check and any(difference(made[key], known[key]) if key in known else True for key in made):
        file_cases.write(made)
    for line in wrong:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
