"""Runs one recipe: `python -m tests.conformance.making.run MODULE FUNCTION FOLDER`."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np

from tests.conformance.recipes import REFERENCE, save_cases


def main(module: str, function: str, folder: str) -> None:
    """Makes the files in `folder` and writes the cases beside them, after a look at the numbers."""
    cases = getattr(importlib.import_module(f"tests.conformance.making.{module}"), function)(Path(folder))
    for key, case in cases.items():
        for name, value in case.outputs.items():
            array = np.asarray(value)
            if array.dtype.kind == "f" and (not np.isfinite(array).all() or (array.size > 1 and np.ptp(array) == 0)):
                raise SystemExit(
                    f"{function}: the answer {key}|{name} is constant or not finite; it would prove nothing."
                )
    save_cases(Path(folder) / REFERENCE, cases)


if __name__ == "__main__":
    main(*sys.argv[1:])
