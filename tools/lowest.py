"""Prints the oldest version of each package that pyproject.toml admits, as constraints for pip.

python tools/lowest.py > constraints.txt && pip install -e '.[test]' -c constraints.txt

Test tools themselves (pytest and its kin) are left to pip: what matters is what the library runs beside.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
EXTRAS = ("jax", "keras", "images", "remote", "safetensors", "scipy", "text")


def lowest(requirements: list[str]) -> list[str]:
    """`name>=1.2,<3` becomes `name==1.2`; a requirement without a lower bound is an error."""
    pins = []
    for requirement in requirements:
        match = re.match(r"^([\w.-]+)(?:\[[^]]*\])?[^;]*?>=([\w.]+)", requirement)
        if match is None:
            raise SystemExit(f"pyproject.toml: {requirement!r} has no lower bound")
        pins.append(f"{match[1]}=={match[2]}")
    return pins


def main() -> None:
    """Prints the constraints of the core packages and of the extras that the tests use."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [*project["dependencies"], *(r for e in EXTRAS for r in project["optional-dependencies"][e])]
    print("\n".join(lowest(wanted)))


if __name__ == "__main__":
    main()
