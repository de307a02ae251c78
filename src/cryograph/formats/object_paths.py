"""The object graph of a TF2 checkpoint: by which attributes each value is reached from the root object.

A TrackableObjectGraph lists objects; each has named children, and attributes whose values stand in the checkpoint under
`checkpoint_key`. Slot variables of optimizers are no children: they belong to an optimizer, a variable and a name.
Source: TensorFlow's trackable_object_graph.proto.
"""

from __future__ import annotations

from ..base.errors import DamagedError, LimitError
from ..wire import messages as pb

OBJECT_GRAPH_KEY = "_CHECKPOINTABLE_OBJECT_GRAPH"
"""The entry in which TF2 keeps the tree of objects that the values belong to."""

MAX_PATH_BYTES = 1 << 25
"""Characters of all paths together. Those of a hundred thousand variables have some ten million."""

_TABLE_PARTS = ("-keys", "-values")


def object_paths(graph: pb.TrackableObjectGraph, where: str) -> dict[str, str]:
    """For each key of the checkpoint the attributes that lead to its object (`model.layers.0.kernel`), by the shortest
    of several ways; for slot variables how they are got: `optimizer.get_slot(model.layers.0.kernel, 'm')`. Keys of a
    lookup table's contents lead to the table.

    DamagedError, which says `where`, for objects that are not there; LimitError for paths that are too long.
    """
    paths: dict[int, str] = {0: ""}
    waiting = [0]
    room = MAX_PATH_BYTES
    for number in waiting:
        for child in _node(graph, number, where).children:
            if child.node_id not in paths:
                path = f"{paths[number]}.{child.local_name}" if paths[number] else child.local_name
                room -= len(path)
                if room < 0:
                    raise LimitError(f"{where}: the paths of its objects take more than {MAX_PATH_BYTES} characters.")
                paths[child.node_id] = path
                waiting.append(child.node_id)
    for number in waiting.copy():
        for slot in _node(graph, number, where).slot_variables:
            if slot.slot_variable_node_id not in paths:
                of = paths.get(slot.original_variable_node_id, "?")
                path = f"{paths[number]}.get_slot({of}, {slot.slot_name!r})"
                room -= len(path)
                if room < 0:
                    raise LimitError(f"{where}: the paths of its objects take more than {MAX_PATH_BYTES} characters.")
                paths[slot.slot_variable_node_id] = path
                waiting.append(slot.slot_variable_node_id)
    found: dict[str, str] = {}
    for number in waiting:
        for attribute in _node(graph, number, where).attributes:
            key, path = attribute.checkpoint_key, paths[number] or "(root)"
            if key and attribute.name == "VARIABLE_VALUE":
                found.setdefault(key, path)
            elif key:
                for part in ("", *_TABLE_PARTS):
                    found.setdefault(key + part, path)
    return found


def _node(graph: pb.TrackableObjectGraph, number: int, where: str) -> pb.TrackableObjectGraph.TrackableObject:
    if not 0 <= number < len(graph.nodes):
        raise DamagedError(f"{where}: its object graph mentions the object {number} of {len(graph.nodes)}.")
    return graph.nodes[number]
