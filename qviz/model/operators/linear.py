"""Matrix products."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from qviz.model.model import Step
from qviz.model.operators.registry import operator


@operator("MatMul")
def matmul(_step: Step, a: Tensor, b: Tensor) -> Tensor:
    """Matrix product, broadcast over leading axes."""
    return torch.matmul(a, b)


@operator("Gemm")
def gemm(step: Step, a: Tensor, b: Tensor, c: Tensor | None = None) -> Tensor:
    """Sum alpha · A' · B' + beta · C."""
    get = step.attributes.get
    alpha, beta = get("alpha", 1.0), get("beta", 1.0)
    a = a.t() if get("transA", 0) else a
    transposed = bool(get("transB", 0))
    plain = alpha == 1.0 and beta == 1.0 and a.dtype.is_floating_point
    if plain and transposed and (c is None or c.dim() == 1):
        return functional.linear(a, b, c)
    b = b.t() if transposed else b
    if plain:
        return torch.mm(a, b) if c is None else torch.addmm(c, a, b)
    product = torch.mm(a, b)
    product = product if alpha == 1.0 else _scaled(product, alpha)
    if c is None or beta == 0.0:
        return product
    return product + (c if beta == 1.0 else _scaled(c, beta))


@operator("Einsum")
def einsum(step: Step, *operands: Tensor) -> Tensor:
    """Einstein summation."""
    return torch.einsum(step.attributes["equation"], *operands)


def _scaled(x: Tensor, factor: float) -> Tensor:
    return (x * factor).to(x.dtype)
