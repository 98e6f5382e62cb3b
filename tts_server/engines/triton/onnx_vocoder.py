"""The vocoder's TFLite graph as ONNX, for Triton's ONNX Runtime backend on a GPU.

The graph is a chain of one-dimensional convolutions that TensorFlow has dressed up in two dimensions, with dilation as
a detour through the batch, and with lengths that it computes as it goes. ONNX has all of this as attributes. So tensors
of shape (batch, time, channels) become (batch, channels, time), and what only changes shapes is left out.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tts_server.engines.protocol import EngineError
from tts_server.engines.triton.contract import VOCODER, Array

_OPSET = 17
_IR_VERSION = 8
"""Of that opset's time: newer ones do not load in older Tritons."""
# What computes lengths.
_LENGTHS = {"SHAPE", "STRIDED_SLICE", "PACK", "FLOOR_MOD", "SUB", "MUL", "CONCATENATION"}
_SAME, _VALID = 0, 1


@dataclass
class _Graph:
    """The nodes and weights of the ONNX graph so far, and what each tensor of the TFLite graph is called in it."""

    tflite: Any
    onnx: Any
    nodes: list[Any] = field(default_factory=list)
    weights: list[Any] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=dict)
    dilations: dict[int, int] = field(default_factory=dict)
    """Of tensors whose time is spread over the batch."""

    def constant(self, tensor: int) -> Array | None:
        """Return the values of a tensor that is part of the file."""
        found = self.tflite.subgraphs[0].tensors[tensor]
        data = self.tflite.buffers[found.buffer].data
        dtype = {0: np.float32, 2: np.int32}.get(found.type)
        if data is None or dtype is None:
            return None
        return np.asarray(data, np.uint8).view(dtype).reshape([int(size) for size in found.shape])

    def weight(self, values: Array) -> str:
        """Add an array to the file, and return its name."""
        name = f"weight{len(self.weights)}"
        self.weights.append(self.onnx.numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def add(self, kind: str, inputs: list[str], output: int, **attributes: Any) -> None:
        """Add a node whose output stands for a tensor of the TFLite graph."""
        self.names[output] = f"tensor{output}"
        self.nodes.append(self.onnx.helper.make_node(kind, inputs, [self.names[output]], **attributes))


def to_onnx(tflite: bytes) -> bytes:
    """Return the graph as ONNX, with the inputs and outputs of the vocoder's contract.

    Raises EngineError if the file is not the graph that this is for, or the packages are missing.
    """
    try:
        import onnx  # noqa: PLC0415 - only for this
        from ai_edge_litert import schema_py_generated as schema  # noqa: PLC0415 - as above
    except ImportError as error:
        raise EngineError(
            f"To write a repository for GPUs, the Python package of {error.name} is needed, which the image of the "
            "server leaves out. Install the extras server and onnx of tts-operator, and run it there."
        ) from error
    model: Any = schema.ModelT.InitFromObj(schema.Model.GetRootAs(tflite, 0))
    kinds = {number: name for name, number in vars(schema.BuiltinOperator).items() if isinstance(number, int)}
    graph = _Graph(model, onnx)
    whole = model.subgraphs[0]
    mel, samples = VOCODER.inputs[0], VOCODER.outputs[0]
    graph.add("Transpose", [mel.name], int(whole.inputs[0]), perm=[0, 2, 1])
    for operator in whole.operators:
        code = model.operatorCodes[operator.opcodeIndex]
        kind = kinds[max(code.builtinCode, code.deprecatedBuiltinCode)]
        if kind in _LENGTHS:
            continue
        activation = getattr(operator.builtinOptions, "fusedActivationFunction", None)
        if kind not in _NODES or activation:
            raise EngineError(f"The vocoder has an operator that cannot be converted to ONNX: {kind}.")
        _NODES[kind](graph, [int(each) for each in operator.inputs], int(operator.outputs[0]), operator.builtinOptions)
    last = graph.names[int(whole.outputs[0])]
    graph.nodes.append(onnx.helper.make_node("Squeeze", [last, graph.weight(np.array([1]))], [samples.name]))
    made = onnx.helper.make_graph(
        graph.nodes,
        "mb_melgan",
        [onnx.helper.make_tensor_value_info(mel.name, onnx.TensorProto.FLOAT, ["batch", "frames", *mel.shape[1:]])],
        [onnx.helper.make_tensor_value_info(samples.name, onnx.TensorProto.FLOAT, ["batch", "samples"])],
        graph.weights,
    )
    opset = onnx.helper.make_opsetid("", _OPSET)
    written = onnx.helper.make_model(made, opset_imports=[opset], ir_version=_IR_VERSION, producer_name="tts-server")
    onnx.checker.check_model(written, full_check=True)
    return bytes(written.SerializeToString())


def write_onnx(source: Path, target: Path) -> None:
    """Convert the TFLite file ``source``. Raises EngineError and OSError."""
    target.write_bytes(to_onnx(source.read_bytes()))


def _alias(graph: _Graph, inputs: list[int], output: int, _: Any) -> None:
    graph.names[output] = graph.names[inputs[0]]
    if inputs[0] in graph.dilations:
        graph.dilations[output] = graph.dilations[inputs[0]]


def _dilate(graph: _Graph, inputs: list[int], output: int, _: Any) -> None:
    graph.names[output] = graph.names[inputs[0]]
    block = graph.constant(inputs[1])
    graph.dilations[output] = 1 if block is None else int(block[0])


def _undilate(graph: _Graph, inputs: list[int], output: int, _: Any) -> None:
    graph.names[output] = graph.names[inputs[0]]


def _pad(mode: str) -> Callable[[_Graph, list[int], int, Any], None]:
    def node(graph: _Graph, inputs: list[int], output: int, _: Any) -> None:
        pads = graph.constant(inputs[1])
        if pads is None or pads[[0, 2]].any():
            raise EngineError("The vocoder pads something else than time.")
        before, after = (int(each) for each in pads[1])
        shape = graph.weight(np.array([0, 0, before, 0, 0, after]))
        graph.add("Pad", [graph.names[inputs[0]], shape], output, mode=mode)

    return node


def _convolve(graph: _Graph, inputs: list[int], output: int, options: Any) -> None:
    kernel, bias = graph.constant(inputs[1]), graph.constant(inputs[2])
    if kernel is None or bias is None or options.padding != _VALID or options.strideW != 1:
        raise EngineError("The vocoder has a convolution that cannot be converted to ONNX.")
    # (out, 1, time, in) to (out, in, time)
    names = [graph.names[inputs[0]], graph.weight(kernel[:, 0].transpose(0, 2, 1)), graph.weight(bias)]
    dilation = graph.dilations.get(inputs[0], options.dilationWFactor)
    graph.add("Conv", names, output, dilations=[int(dilation)])


def _convolve_transposed(graph: _Graph, inputs: list[int], output: int, options: Any) -> None:
    kernel = graph.constant(inputs[1])
    if kernel is None or options.padding != _SAME:
        raise EngineError("The vocoder has a transposed convolution that cannot be converted to ONNX.")
    # Time is the second or the third dimension; the other is 1. (out, time, in) to (in, out, time)
    kernel = kernel.squeeze(2 if kernel.shape[2] == 1 else 1).transpose(2, 0, 1)
    stride = max(int(options.strideH), int(options.strideW))
    cut = kernel.shape[2] - stride
    names = [graph.names[inputs[2]], graph.weight(kernel)]
    graph.add("ConvTranspose", names, output, strides=[stride], pads=[cut // 2, cut - cut // 2])


def _add(graph: _Graph, inputs: list[int], output: int, _: Any) -> None:
    names = []
    for each in inputs:
        values = graph.constant(each)
        names.append(graph.names[each] if values is None else graph.weight(values.reshape(1, -1, 1)))
    graph.add("Add", names, output)


def _leaky(graph: _Graph, inputs: list[int], output: int, options: Any) -> None:
    graph.add("LeakyRelu", [graph.names[inputs[0]]], output, alpha=float(options.alpha))


def _tanh(graph: _Graph, inputs: list[int], output: int, _: Any) -> None:
    graph.add("Tanh", [graph.names[inputs[0]]], output)


def _quantise(graph: _Graph, inputs: list[int], output: int, _: Any) -> None:
    graph.add("QuantizeLinear", [graph.names[inputs[0]], *_scale(graph, output)], output)


def _dequantise(graph: _Graph, inputs: list[int], output: int, _: Any) -> None:
    graph.add("DequantizeLinear", [graph.names[inputs[0]], *_scale(graph, inputs[0])], output)


def _scale(graph: _Graph, tensor: int) -> list[str]:
    found = graph.tflite.subgraphs[0].tensors[tensor].quantization
    scale, zero = np.float32(found.scale[0]), np.int8(found.zeroPoint[0])
    return [graph.weight(np.array(scale)), graph.weight(np.array(zero))]


_NODES: dict[str, Callable[[_Graph, list[int], int, Any], None]] = {
    "ADD": _add,
    "BATCH_TO_SPACE_ND": _undilate,
    "CONV_2D": _convolve,
    "DEQUANTIZE": _dequantise,
    "EXPAND_DIMS": _alias,
    "LEAKY_RELU": _leaky,
    "MIRROR_PAD": _pad("reflect"),
    "PAD": _pad("constant"),
    "QUANTIZE": _quantise,
    "SPACE_TO_BATCH_ND": _dilate,
    "SQUEEZE": _alias,
    "TANH": _tanh,
    "TRANSPOSE_CONV": _convolve_transposed,
}
