"""Asks TensorFlow every op case and writes its answers to `tests/engines/golden/`.

    python tools/gen_golden.py [FAMILY ...]            write the golden files of these families; of all without
    python tools/gen_golden.py [FAMILY ...] --check    exit 1, and say what differs, when TensorFlow answers otherwise

Answers that are known are asked again and written anew only when they differ by more than the case allows: on another
machine TensorFlow's floats differ in their last bits.
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

sys.path.insert(0, str(Path(__file__).parents[1]))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

PLAIN = frozenset({"quantised"})
"""Families that are asked of TensorFlow's own kernels, as oneDNN's, which stand in for them, lack some dtypes."""


def modules() -> tuple[Any, Any, Any]:
    """The tests' own modules: the golden files, the oracle and the cases."""
    names = ("tests.support.golden", "tests.conformance.ops.oracle", "tests.support.op_cases")
    golden, oracle, cases = map(importlib.import_module, names)
    return golden, oracle, cases


def record(family: str, check: bool) -> list[str]:
    """Writes the golden file of one family, or says what is wrong with it."""
    golden, oracle, cases = modules()
    known = golden.answers_of(family)
    wrong: list[str] = []
    made: dict[str, list[Any] | None] = {}
    for case in golden.cases_of(family):
        key = golden.digest(case)
        said = oracle.ask(case)
        answers = None if isinstance(said, cases.Refused) else said
        if (answers is None) != case.refused:
            wrong.append(f"{family}: {case.id}: {said.message if answers is None else 'is not refused'}")
        elif key not in known:
            if check:
                wrong.append(f"{family}: {case.id}: has no golden answer")
            made[key] = answers
        else:
            difference = _difference(cases, case, answers, known[key])
            if difference and check:
                wrong.append(f"{family}: {case.id}: {difference}")
            made[key] = answers if difference else known[key]
    left = len(known.keys() - made.keys())
    if check and left:
        wrong.append(f"{family}: {left} golden answers belong to no case")
    if not check and (left or any(made[key] is not known.get(key, ...) for key in made)):
        golden.write_answers(golden.GOLDEN / f"{family}.bin", made)
    return wrong


def _difference(cases: Any, case: Any, answers: list[Any] | None, known: list[Any] | None) -> str:
    if answers is None or known is None:
        return "" if answers is known else "refused once and answered once"
    try:
        cases.assert_answers(case, cases.wanted_of(case, answers), known)
    except AssertionError as error:
        return str(error) or "other numbers"
    return ""


def record_kernel_types(check: bool) -> list[str]:
    """Writes the dtypes of TensorFlow's CPU kernels, or says that they are others."""
    import tensorflow  # noqa: F401 # the oracle: tells the house's scripts which environment this needs

    _, oracle, cases = modules()
    text = "\n".join(oracle.kernel_types()) + "\n"
    if not check:
        cases.KERNEL_TYPES.write_text(text)
    elif cases.KERNEL_TYPES.read_text() != text:
        return ["the dtypes of TensorFlow's kernels differ from kernel_types.txt"]
    return []


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("families", nargs="*", metavar="FAMILY")
    parser.add_argument("--check", action="store_true")
    said = parser.parse_args()
    wrong = [] if said.families else record_kernel_types(said.check)
    golden: Any = importlib.import_module("tests.support.golden")
    families = said.families or golden.families()
    for flag, group in (("1", set(families) - PLAIN), ("0", set(families) & PLAIN)):
        if group:
            os.environ["TF_ENABLE_ONEDNN_OPTS"] = flag  # which TensorFlow reads when a process imports it
            with ProcessPoolExecutor(min(2, len(group)), mp_context=get_context("spawn")) as pool:
                largest_first = sorted(group, key=lambda family: -len(golden.cases_of(family)))
                for found in pool.map(record, largest_first, [said.check] * len(group)):
                    wrong += found
    for line in wrong:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
