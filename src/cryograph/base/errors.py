"""Every error that cryograph raises.

Error                          the root: `except cryograph.Error` catches all of them
├── FileError                  a file or directory cannot be read or written (missing, permission, disk full)
├── FormatError                the bytes are not what was expected
│   ├── WrongKindError         a whole file, but of another kind: "this is a SavedModel, not a GraphDef"
│   └── DamagedError           a file of the right kind whose parts do not add up
├── LimitError                 a named limit would be passed (nesting, counts, sizes)
├── UnknownNameError           no node, tensor, variable, signature or tag set of that name
├── GraphError                 a graph, or a change of it, that makes no sense
├── MissingWeightsError        variables without values, where values are needed
├── InputError                 an argument or a feed of the wrong type, shape or dtype
├── UnsupportedError           an op, attribute, dtype or target that cannot be done
│   └── RefusedError           an op that touches files, code or the network and was not granted
├── RunError                   the numbers are at fault while a program runs (a failed Assert, an index out of range)
│   └── OutOfRangeError        an iterator has no element left
└── MissingExtraError          an optional package is not installed

A message says where, what came, what was expected and the way out; context is added on the way up with `from`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class Error(Exception):
    """The root of all errors of this library."""


class FileError(Error):
    """A file or directory cannot be read or written."""


class FormatError(Error):
    """The bytes are not what was expected."""


class WrongKindError(FormatError):
    """A whole file, but of another kind than the one asked for."""


class DamagedError(FormatError):
    """A file of the right kind whose parts do not add up."""


class LimitError(Error):
    """A named limit would be passed."""


class UnknownNameError(Error):
    """No node, tensor, variable, signature or tag set has that name."""


class GraphError(Error):
    """A graph, or a change of it, that makes no sense."""


class MissingWeightsError(Error):
    """Variables have no values where values are needed."""


class InputError(Error):
    """An argument or a feed has the wrong type, shape or dtype."""


class UnsupportedError(Error):
    """An op, attribute, dtype or target that cannot be done."""


class RefusedError(UnsupportedError):
    """An op that touches files, code or the network and was not granted by name."""


class RunError(Error):
    """The numbers themselves are at fault while a program runs."""


class OutOfRangeError(RunError):
    """An iterator has no element left, as TensorFlow calls it."""


class MissingExtraError(Error):
    """An optional package is not installed."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs {package}, which is not installed: pip install 'cryograph[{extra}]'")


def nearest(name: str, choices: Iterable[str], limit: int = 5) -> str:
    """The end of a sentence about an unknown name: ' Nearest: a, b.', or the choices when they are few.

    A name that stands in a choice, or a choice in it, is nearer than any spelling: users leave out scopes.
    """
    known = list(dict.fromkeys(choices))
    if not known:
        return " There are none."
    if len(known) <= limit:
        return f" There is: {known[0]}." if len(known) == 1 else f" Choices: {', '.join(known)}."
    folded = name.lower()
    inside = [c for c in known if folded and (folded in c.lower() or c.lower() in folded)]
    inside.sort(key=lambda c: abs(len(c) - len(name)))
    # difflib is quadratic in the length of the names and linear in their number: bounded, as graphs have 100,000 nodes.
    spelled = difflib.get_close_matches(name, known if len(known) <= 20_000 else known[:20_000], n=limit, cutoff=0.6)
    found = list(dict.fromkeys([*inside[: limit - 2], *spelled, *inside]))[:limit]
    return f" Nearest: {', '.join(found)}." if found else f" There are {len(known)}, none of a name like it."
