"""Tensors cross between ONNX, numpy and torch bit for bit."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import onnx_ir as ir
import pytest
import torch
from numpy.typing import NDArray

from qviz.model.tensors import from_numpy, from_onnx, onnx_dtype, size_bytes, to_numpy, to_onnx

TYPES = [
    *(np.float16, np.float32, np.float64, np.bool_, np.complex64),
    *(np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64),
    *(ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2, ml_dtypes.int4),
    *(ml_dtypes.uint4, ml_dtypes.float4_e2m1fn),
]


@pytest.mark.parametrize("dtype", TYPES)
def test_round_trips(dtype: Any) -> None:
    array: NDArray[Any] = np.array([[0, 1, 2], [3, 4, 5]]).astype(dtype)
    value = from_numpy(array)
    assert to_numpy(value).dtype == array.dtype
    assert to_numpy(value).tobytes() == array.tobytes()
    held = to_onnx(value, "name")
    assert (held.name, held.dtype) == ("name", ir.DataType.from_numpy(array.dtype))
    assert to_numpy(from_onnx(held)).tobytes() == array.tobytes()
    assert size_bytes(value) == array.nbytes


def test_text_round_trips() -> None:
    array = np.array([["é", ""]], dtype=object)
    value = from_numpy(array)
    assert onnx_dtype(value) == ir.DataType.STRING
    back = from_onnx(to_onnx(value, "t"))
    assert isinstance(back, np.ndarray)
    assert back.tolist() == [["é", ""]]


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype=">f4").reshape(2, 3),
        np.arange(6, dtype=np.ulonglong).reshape(2, 3),
        np.arange(6, dtype=np.longlong).reshape(2, 3),
        np.arange(12, dtype=np.float32).reshape(2, 6)[:, ::2],
        np.broadcast_to(np.float32(1), (2, 3)),
        np.array(3.0, np.float32),
        np.zeros((0, 4), np.float32),
    ],
    ids=["big-endian", "ulonglong", "longlong", "strided", "read-only", "scalar", "empty"],
)
def test_every_layout_is_taken(array: NDArray[Any]) -> None:
    value = from_numpy(array)
    assert isinstance(value, torch.Tensor)
    assert value.shape == array.shape
    assert value.tolist() == array.tolist()


def test_constants_do_not_share_memory_with_their_file() -> None:
    source = np.ones(3, np.float32)
    copy = from_onnx(ir.tensor(source))
    source[:] = 0
    assert isinstance(copy, torch.Tensor)
    assert copy.tolist() == [1.0, 1.0, 1.0]
