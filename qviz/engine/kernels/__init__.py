"""Kernels: layers on integer codes, natively or with the same numbers in floating point."""

from qviz.engine.kernels.codes import Bytes, NotANumberError
from qviz.engine.kernels.find import Kernel, find_kernel
from qviz.engine.kernels.onednn import works as onednn_works

__all__ = ["Bytes", "Kernel", "NotANumberError", "find_kernel", "onednn_works"]
