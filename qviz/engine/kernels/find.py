"""Find: the kernel of a layer under encodings, where its operands are integers of 8 bits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import torch
from torch import Tensor

from qviz.engine.chains import Clip
from qviz.engine.kernels.codes import Bytes, weight_codes
from qviz.engine.kernels.exact import ExactConvolution, ExactProduct
from qviz.engine.kernels.layer import Convolution, Product
from qviz.engine.kernels.onednn import OneDnnConvolution, OneDnnProduct, can_run
from qviz.model.model import Step
from qviz.model.operators.window import read_window
from qviz.quant.encoding import Encoding

_MOST_TERMS = 65_000  # products of 255·128 that an int32 sum can hold


class Kernel(Protocol):
    """A layer on codes."""

    taken: Bytes  # the codes of its input

    def run(self, codes: Tensor, clip: Clip | None = None, given: Bytes | None = None) -> Tensor:
        """The layer's output after `clip`: float32, or codes as `given` says."""
        ...


def find_kernel(
    step: Step,
    constants: Mapping[str, Tensor],
    input_encoding: Encoding,
    weight_encoding: Encoding,
    *,
    native: bool,
) -> Kernel | None:
    """The kernel of a layer; `native` on 8-bit instructions, else the same in floating point.

    None where codes of 8 bits cannot say what the encodings do.
    """
    taken, describe = Bytes.of(input_encoding), _DESCRIBE.get((step.domain, step.op))
    weight = constants.get(step.inputs[1])
    bias_name = step.inputs[2] if len(step.inputs) > 2 else ""
    bias = constants.get(bias_name)
    if taken is None or describe is None or weight is None or (bias_name and bias is None):
        return None
    if not weight.numel():
        return None
    if bias is not None and (bias.dtype != torch.float32 or not bool(bias.isfinite().all())):
        return None
    layer = describe(step, taken, weight, weight_encoding, bias)
    if isinstance(layer, Convolution):
        native = native and can_run(layer)
        return OneDnnConvolution(layer) if native else ExactConvolution(layer)
    if isinstance(layer, Product):
        return OneDnnProduct(layer) if native else ExactProduct(layer)
    return None


def _convolution(
    step: Step, taken: Bytes, weight: Tensor, encoding: Encoding, bias: Tensor | None
) -> Convolution | None:
    if weight.ndim not in (3, 4) or weight[0].numel() > _MOST_TERMS:
        return None
    codes = weight_codes(weight, encoding, 0)
    if codes is None:
        return None
    size = weight.shape[2:]
    groups = int(step.attributes.get("group", 1))
    return Convolution(taken, codes, bias, groups, lambda outer: read_window(step, outer, size))


def _gemm(
    step: Step, taken: Bytes, weight: Tensor, encoding: Encoding, bias: Tensor | None
) -> Product | None:
    given = step.attributes.get
    if given("transA", 0) or given("alpha", 1.0) != 1.0 or given("beta", 1.0) != 1.0:
        return None
    return _product(taken, weight, encoding, 0 if given("transB", 0) else 1, bias)


def _matmul(
    step: Step, taken: Bytes, weight: Tensor, encoding: Encoding, bias: Tensor | None
) -> Product | None:
    del step
    return _product(taken, weight, encoding, 1, bias)


def _product(
    taken: Bytes, weight: Tensor, encoding: Encoding, out_axis: int, bias: Tensor | None
) -> Product | None:
    if weight.ndim != 2 or weight.shape[1 - out_axis] > _MOST_TERMS:
        return None
    if bias is not None:
        if bias.shape[-1:].numel() != bias.numel():  # it differs from row to row
            return None
        if bias.numel() not in (1, weight.shape[out_axis]):
            return None
        bias = bias.reshape(-1).expand(weight.shape[out_axis]).contiguous()
    codes = weight_codes(weight, encoding, out_axis)
    return None if codes is None else Product(taken, codes, bias)


_Describe = Callable[[Step, Bytes, Tensor, Encoding, Tensor | None], Convolution | Product | None]
_DESCRIBE: Mapping[tuple[str, str], _Describe] = {
    ("", "Conv"): _convolution,
    ("", "Gemm"): _gemm,
    ("", "MatMul"): _matmul,
}
