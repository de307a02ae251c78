"""Where first values come from: the model's own initialisers, found in what it says of itself.

1. A SavedModel names an operation that is run after loading (`__saved_model_init_op`, or the collections of old); a
   MetaGraph one for local variables, which checkpoints do not hold.
2. A variable has an initialiser: its VariableDef names it, or it is the assignment that its scope holds (`w/Assign`).
3. A table whose contents are no constants has an operation that fills it; one that a checkpoint holds is restored.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..base.errors import GraphError
from ..formats.state import has_checkpoint
from ..graph.calls import find_ops
from ..graph.document import Document, Variable
from ..graph.node import Port
from ..graph.walks import ancestors
from ..program.program import State
from ..transforms.tables import table_initializers

INIT_SIGNATURE = "__saved_model_init_op"
INIT_COLLECTIONS = ("saved_model_main_op", "legacy_init_op", "local_init_op")
IMPORTS = frozenset({"LookupTableImport", "LookupTableImportV2"})
ASSIGNMENTS = frozenset({"Assign", "AssignVariableOp"})


def starting(document: Document) -> list[str]:
    """The nodes that are run when a session starts. A MetaGraph without any value starts as it is, to be
    initialised."""
    if document.variables and all(variable.tensor is None for variable in document.variables.values()):
        return []
    found: dict[str, None] = {}
    signature = document.signatures.get(INIT_SIGNATURE)
    if signature is not None:
        found.update((Port.parse(spec.tensor).node, None) for spec in signature.outputs.values())
    for name in INIT_COLLECTIONS:
        collection = document.collections.get(name)
        if collection is not None and collection.kind == "node_list":
            found.update((Port.parse(value).node, None) for value in collection.values)
    return [name for name in found if name in document.graph]


def restoring_tables(document: Document) -> str:
    """The node that restores tables from a checkpoint, which a session does when it starts; empty where there is none
    or no checkpoint. Variables have their values then already."""
    operation = Port.parse(document.meta.saver_def.restore_op_name).node
    graph = document.graph
    if not operation or operation not in graph or not document.weights or not has_checkpoint(document.weights):
        return ""
    imports = {root.name for _, root, _ in find_ops(graph, IMPORTS)}
    return operation if imports and imports & ancestors(graph, [operation]) else ""


def initialisers(document: Document, names: Iterable[str]) -> list[str]:
    """The nodes that initialise these variables; GraphError lists those for which there is none."""
    found: list[str] = []
    without: list[str] = []
    for name in names:
        node = _initialiser(document, document.variables[name])
        if node is None:
            without.append(name)
        else:
            found.append(node)
    if without:
        raise GraphError(
            f"The graph has no initialiser for {', '.join(without[:5])}{' ...' if len(without) > 5 else ''}; "
            "give the weights with restore(prefix), or assign values."
        )
    return found


def _initialiser(document: Document, variable: Variable) -> str | None:
    graph = document.graph
    if variable.definition is not None and variable.definition.initializer_name:
        named = Port.parse(variable.definition.initializer_name).node
        if named in graph:
            return named
    node = graph.nodes.get(f"{variable.node}/Assign")
    if node is not None and node.op in ASSIGNMENTS and node.data_inputs[:1] == [Port(variable.node or "")]:
        return node.name
    return None


def fillers(document: Document, lacking: Sequence[State]) -> list[str]:
    """The nodes that fill the tables among state that has no value."""
    names = {state.name.rpartition("/")[0] for state in lacking if state.name.endswith(("/keys", "/values"))}
    if not names:
        return []
    found = []
    for table, initializer in table_initializers(document).items():
        shared = document.graph.nodes[table].attr("shared_name") if table in document.graph else b""
        called = {table, shared.decode("utf-8", "replace") if isinstance(shared, bytes) else ""}
        if called & names and initializer.node in document.graph:
            found.append(initializer.node)
    return found
