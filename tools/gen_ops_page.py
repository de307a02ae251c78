"""Writes `docs/ops.md` and `docs/ops/*.md`: which ops run on which engine, proved by how many cases.

    python tools/gen_ops_page.py            write the pages
    python tools/gen_ops_page.py --check    exit 1 when they are not what would be written

What is counted are the op cases (tests/engines/cases), those of ops that touch files (tests/grants) and the recorded
graphs (tests/engines/golden/graphs); the tests hold that all of them pass. `tools/ops.tsv` lists the ops that matter:
their tier (1 is most used), whether they belong to TensorFlow's core, and how many of eight other converters take them.
"""

from __future__ import annotations

import argparse
import importlib
import re
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cryograph.engines.jax.rules import RULES as JAX_RULES
from cryograph.engines.numpy import rules
from cryograph.engines.numpy.rules import RULES
from cryograph.engines.onnxruntime.left_out import LEFT_OUT as NOT_LOWERED
from cryograph.engines.onnxruntime.lower import Lowering
from cryograph.engines.onnxruntime.lowerings import LOWERINGS
from cryograph.ops.care import CARE, GRANTABLE
from cryograph.ops.left_out import LEFT_OUT

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
PAGE = ROOT / "docs" / "ops.md"
FOLDER = ROOT / "docs" / "ops"

AREAS: dict[str, tuple[str, tuple[str, ...]]] = {
    # file: title, modules of the reference engine
    "strings": (
        "Strings, regular expressions, Unicode",
        ("digests", "regexes", "texts", "unicode", "printing", "edits"),
    ),
    "tables": ("Tables, lists, maps", ("tables", "lists", "maps")),
    "sparse": ("Sparse tensors, sets, counts", ("sparse", "sparse_maths", "sets", "counts", "crosses")),
    "ragged": ("Ragged tensors", ("ragged",)),
    "media": ("Pictures and sound, coded and decoded", ("pictures", "audio", "projections")),
    "parsing": (
        "Examples and other records",
        ("examples", "sequence_examples", "json_examples", "records", "protos", "csv"),
    ),
    "linear_algebra": (
        "Linear algebra and special functions",
        ("factorings", "solvers", "tridiagonal", "matrices", "rare_functions", "special", "spectra"),
    ),
    "quantised": (
        "Quantised numbers",
        (
            "quantised",
            "quantised_images",
            "quantised_maths",
            "fused_quantised",
            "fake_quantisation",
            "uniform_quantisation",
        ),
    ),
    "random": (
        "Random numbers",
        (
            "candidates",
            "distributions",
            "permutations",
            "random",
            "random_state",
            "sobol",
            "stateless",
            "truncated",
            "xla_random",
        ),
    ),
    "training": (
        "Gradients and optimizers",
        (
            *(
                "image_grads",
                "norm_grads",
                "pool_grads",
                "recurrent_grads",
                "segment_grads",
                "cudnn_grads",
            ),
            *("fractional_pools", "optimizers", "losses", "ctc", "beams"),
        ),
    ),
}
"""What most converters have next to nothing of has a page of its own."""


@dataclass
class Proof:
    """What is known of one op."""

    op: str
    answered: int = 0
    refused: int = 0
    lowered: int = 0
    graphs: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    dtypes: set[str] = field(default_factory=set)

    @property
    def numpy(self) -> str:
        """The reference engine's column."""
        if self.op in RULES and self.answered + self.graphs:
            return "yes"
        if self.op in GRANTABLE and self.answered:
            return "yes, by grant"
        if self.graphs and self.op not in RULES:
            return "yes, as structure"
        return "no"

    @property
    def jax(self) -> str:
        """The column of the engine that compiles."""
        return "yes" if self.op in JAX_RULES and self.answered + self.graphs else "-"

    @property
    def onnxruntime(self) -> str:
        """The fast engine's column."""
        if self.op not in LOWERINGS:
            return "-"
        if not self.reasons:
            return "yes"
        return f"in {self.lowered} of {self.answered} cases"


def proofs() -> dict[str, Proof]:
    """By op."""
    golden: Any = importlib.import_module("tests.support.golden")
    graph_cases: Any = importlib.import_module("tests.support.graph_cases")
    found: dict[str, Proof] = {}
    for family in golden.families():
        answers = golden.answers_of(family)
        seen: set[str] = set()
        for case in golden.cases_of(family):
            key = golden.digest(case)
            if key in seen or key not in answers:
                continue
            seen.add(key)
            proof = found.setdefault(case.op, Proof(case.op))
            if answers[key] is None:
                proof.refused += 1
                continue
            proof.answered += 1
            proof.dtypes |= {array.dtype.name for array in case.inputs[:1]}
            if case.op in LOWERINGS:
                reason = _refusal(case, answers[key])
                proof.lowered += not reason
                if reason:
                    proof.reasons[reason] += 1
    file_cases: Any = importlib.import_module("tests.support.file_cases")
    for file_case in file_cases.cases():
        proof = found.setdefault(file_case.case.op, Proof(file_case.case.op))
        if file_case.key in file_cases.read():
            proof.refused += file_case.case.refused
            proof.answered += not file_case.case.refused
    for family in graph_cases.families():
        for case in graph_cases.read_graphs(family):
            for op in case.ops():
                found.setdefault(op, Proof(op)).graphs += 1
    return found


def _refusal(case: Any, answers: Any) -> str:
    """Why ONNX Runtime does not take a case with known shapes; empty when it does, one way or another."""
    op_cases: Any = importlib.import_module("tests.support.op_cases")
    tests: Any = importlib.import_module("tests.engines.test_op_cases")
    reason = ""
    for fixed in sorted(tests.ways_to_fix(case)):
        lowering = Lowering(op_cases.program_of(replace(case, fixed=fixed), answers, True))
        if not lowering.refusals:
            return ""
        reason = next(iter(lowering.refusals.values()))
    return re.sub(r"\[[^]]*\]", "[...]", reason)


def listed() -> dict[str, tuple[str, bool, int]]:
    """By op: tier, whether it is a core op, how many converters take it."""
    rows = [line.split("\t") for line in (ROOT / "tools" / "ops.tsv").read_text().splitlines()[1:]]
    return {op: (tier, core == "core", int(peers)) for op, tier, core, peers in rows}


def row(proof: Proof, known: Mapping[str, tuple[str, bool, int]]) -> str:
    """One line of a table."""
    tier = known.get(proof.op, ("", False, 0))[0]
    reasons = [reason for reason, _ in proof.reasons.most_common(2)] or [NOT_LOWERED.get(proof.op, "")]
    notes = "; ".join(reasons).replace("|", "\\|")
    counts = f"{proof.answered} + {proof.refused}" if proof.refused else str(proof.answered)
    cells = (proof.op, tier, proof.numpy, proof.onnxruntime, proof.jax, counts, str(proof.graphs), notes)
    return "| " + " | ".join(cells) + " |"


HEAD = (
    "| op | tier | numpy | ONNX Runtime | JAX | cases | graphs | not by ONNX Runtime |\n"
    "|---|---|---|---|---|---|---|---|\n"
)


def table(found: Iterable[Proof], known: Mapping[str, tuple[str, bool, int]]) -> str:
    """A table of ops by name."""
    return HEAD + "".join(row(proof, known) + "\n" for proof in sorted(found, key=lambda proof: proof.op))


def pages() -> dict[Path, str]:
    """All pages."""
    found, known = proofs(), listed()
    for op in known:
        found.setdefault(op, Proof(op))
    runs = {op for op, proof in found.items() if proof.numpy != "no"}
    core = {op for op, (_, is_core, _) in known.items() if is_core}
    missing = sorted(core - runs)
    unexplained = [op for op in missing if op not in LEFT_OUT and op not in CARE]
    made: dict[Path, str] = {}
    area_of = _areas(found)
    answered, refused = sum(p.answered for p in found.values()), sum(p.refused for p in found.values())
    lines = [
        "# Ops",
        "",
        "Made by `tools/gen_ops_page.py` from the tests' cases: an op counts as running when cases prove it against",
        "TensorFlow's own answers, on each engine that takes it. `cases` are single ops with inputs and TensorFlow's",
        "answers, and (after the plus) inputs that TensorFlow refuses and cryograph does, too; `graphs` are recorded",
        "graphs that hold the op. An op that runs `as structure` is turned into state, a loop or a branch before an",
        "engine sees it; one that runs `by grant` touches files, and runs where the caller names it (`allow=`). What",
        "ONNX Runtime does not take runs on numpy, in the same program.",
        "",
        f"Of the {len(core)} core ops of TensorFlow 2.21 {len(core & runs)} run; {len(core - runs)} do not, each named",
        f"below with its reason. In all {len(runs)} ops run, {len(runs & LOWERINGS.keys())} of them on ONNX Runtime",
        f"and {len(runs & JAX_RULES.keys())} on JAX,",
        f"proved by {answered} cases, {refused} refusals and {_graphs()} graphs.",
        "",
        "| area | ops that run | on ONNX Runtime | core ops that do not run |",
        "|---|---|---|---|",
    ]
    by_area: dict[str, list[Proof]] = {}
    for op, proof in found.items():
        by_area.setdefault(area_of[op], []).append(proof)
    for name in [*AREAS, ""]:
        ops = by_area.get(name, [])
        title = f"[{AREAS[name][0]}](ops/{name}.md)" if name else "all others, below"
        counts = (
            sum(proof.op in runs for proof in ops),
            sum(proof.op in runs and proof.op in LOWERINGS for proof in ops),
            sum(proof.op in core and proof.op not in runs for proof in ops),
        )
        lines.append(f"| {title} | {counts[0]} | {counts[1]} | {counts[2]} |")
        if name:
            text = f"# {AREAS[name][0]}\n\nOne of the areas of [Ops](../ops.md), where the columns are explained.\n\n"
            made[FOLDER / f"{name}.md"] = text + table([p for p in ops if p.op in runs], known)
    lines += ["", "## Core ops that do not run", "", "| op | why |", "|---|---|"]
    lines += [f"| {op} | {LEFT_OUT.get(op) or CARE.get(op) or 'not yet'} |" for op in missing]
    lines += ["", "## All other ops that run", "", table([p for p in by_area.get("", []) if p.op in runs], known)]
    made[PAGE] = "\n".join(lines).rstrip() + "\n"
    if unexplained:
        print(f"without a reason: {' '.join(unexplained)}", file=sys.stderr)
    return made


def _graphs() -> int:
    graph_cases: Any = importlib.import_module("tests.support.graph_cases")
    return sum(len(graph_cases.read_graphs(family)) for family in graph_cases.families())


def _areas(found: Iterable[str]) -> dict[str, str]:
    """The area of each op: that of the module which holds its rule, or whose pattern its name fits."""
    homes = {op: name for name in rules.FAMILIES for op in rules.family(name).RULES}
    areas = {module: name for name, (_, modules) in AREAS.items() for module in modules}
    return {op: areas.get(homes.get(op, ""), "") for op in found}


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    made = pages()
    wrong = [path for path, text in made.items() if not path.exists() or path.read_text() != text]
    stale = [path for path in FOLDER.glob("*.md") if path not in made]
    if check:
        for path in (*wrong, *stale):
            print(f"{path.relative_to(ROOT)} is not what tools/gen_ops_page.py writes")
        return 1 if wrong or stale else 0
    FOLDER.mkdir(exist_ok=True)
    for path in wrong:
        path.write_text(made[path])
    for path in stale:
        path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
