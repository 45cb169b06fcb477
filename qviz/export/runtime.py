"""The exported file in onnxruntime: a session with its optimisations off or on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnxruntime
from torch import Tensor

from qviz.errors import QvizError, root_cause
from qviz.model.model import Value
from qviz.model.node_session import open_session
from qviz.model.tensors import from_numpy, to_numpy

_ORT: Any = onnxruntime  # its types are not declared


class FileSession:
    """Runs a file, or its bytes, in onnxruntime on the processor."""

    def __init__(
        self,
        file: Path | bytes,
        *,
        optimised: bool,
        threads: int = 1,
        without: Sequence[str] = (),
        config: Mapping[str, str] | None = None,
        optimised_path: Path | None = None,
    ) -> None:
        """`without` names optimisers to leave out, `config` holds session entries.

        The optimised graph is saved where `optimised_path` says so.

        Raises:
            QvizError: onnxruntime cannot load it.
        """
        content = str(file) if isinstance(file, Path) else file
        self._name = file.name if isinstance(file, Path) else "the exported graph"
        try:
            if not optimised and threads == 1:
                self._session = open_session(content)
            else:
                options = _options(threads, optimised_path, optimised=optimised)
                for name, value in (config or {}).items():
                    options.add_session_config_entry(name, value)
                more = {"disabled_optimizers": list(without)} if without else {}
                self._session = _ORT.InferenceSession(
                    content, options, providers=["CPUExecutionProvider"], **more
                )
        except Exception as error:
            raise self._refused("load", error) from error
        self._inputs = [given.name for given in self._session.get_inputs()]
        self._outputs = [output.name for output in self._session.get_outputs()]

    def run(self, feeds: Mapping[str, Value]) -> dict[str, Value]:
        """The outputs by name.

        Raises:
            QvizError: onnxruntime fails at it.
        """
        given = {name: _array(feeds[name]) for name in self._inputs if name in feeds}
        try:
            found = self._session.run(self._outputs, given)
        except Exception as error:
            raise self._refused("run", error) from error
        return {name: _value(each) for name, each in zip(self._outputs, found, strict=True)}

    def _refused(self, what: str, error: Exception) -> QvizError:
        return QvizError(
            self._name,
            f"onnxruntime {onnxruntime.__version__} cannot {what} it: {root_cause(error)}",
            "Choose another format for the layer it names, or run it on another runtime",
        )


def _options(threads: int, optimised_path: Path | None, *, optimised: bool) -> Any:
    options = _ORT.SessionOptions()
    levels = _ORT.GraphOptimizationLevel
    level = levels.ORT_ENABLE_ALL if optimised else levels.ORT_DISABLE_ALL
    options.graph_optimization_level = level
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    if optimised_path is not None:
        options.optimized_model_filepath = str(optimised_path)
    return options


def _array(value: Value) -> Any:
    return to_numpy(value) if isinstance(value, Tensor) else value


def _value(found: Any) -> Value:
    return from_numpy(found) if hasattr(found, "dtype") else found
