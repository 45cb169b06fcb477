"""From a .pt2 archive to an ExportedProgram, once its text is known to hold nothing but a graph.

torch.export.load evaluates expressions, resolves any name below `torch` as an operator and imports
the classes a file names; a graph needs none of that, so only what a graph needs gets through.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch._export.serde import schema
from torch._export.serde.serialize import ExportedProgramDeserializer, _dict_to_dataclass

from qviz.errors import QvizError
from qviz.model.torch_archive import SAVE_AGAIN, Archive, damaged, read_tensors

_MODEL = re.compile(r"models/(.+)\.json")
_OPERATOR = re.compile(r"torch\.ops\.(aten|prims|torchvision|quantized_decomposed)\.(\w+)\.(\w+)")
_OPENS_FILES = {"aten::from_file", "aten::from_file.out"}
_ON_SIZES = {
    *(f"_operator.{name}" for name in ("getitem", "eq", "ne", "le", "ge", "lt", "gt", "neg")),
    *(f"_operator.{name}" for name in ("pos", "mul", "add", "sub", "floordiv", "mod", "pow")),
    *(f"_operator.{name}" for name in ("truediv", "and_", "or_")),
    *(f"torch.sym_{name}" for name in ("not", "int", "float", "ite", "max", "min", "sqrt")),
    *("torch._sym_sqrt", "math.trunc", "math.floor", "math.ceil"),
}
_CONTROL_FLOW = {
    f"torch.ops.higher_order.{name}"
    for name in (
        *("cond", "while_loop", "scan", "map_impl", "associative_scan"),
        *("wrap_with_set_grad_enabled", "wrap_with_autocast"),
    )
}

# Names become the text of a Python function: those of values its words, those of weights quoted.
_NAME = re.compile(r"\w*", re.ASCII)
_DOTTED = re.compile(r"[\w.]*", re.ASCII)
_WEIGHT_NAME = re.compile(r"[^\"'\\\x00-\x1f]*")
_NAMES = {"name", "as_name"}
_WEIGHT_NAMES = {"parameter_name", "buffer_name", "tensor_constant_name"}
_FREE_TEXT = {"as_string", "expr_str", "metadata"}

_SYMBOL = re.compile(r"[a-z]{1,4}\d{0,6}|int_oo")
_LONGEST = 4000  # characters of an expression
_LARGEST = 2**63
_FUNCTIONS = {
    *("Integer", "Rational", "Add", "Mul", "Max", "Min", "Mod", "PythonMod", "FloorDiv"),
    *("CleanDiv", "CeilDiv", "ModularIndexing", "Where", "CeilToInt", "FloorToInt", "RoundToInt"),
    *("TruncToInt", "TruncToFloat", "FloatTrueDiv", "IntTrueDiv", "ToFloat", "Identity"),
    *("Eq", "Ne", "Lt", "Le", "Gt", "Ge", "Equality", "Unequality", "StrictLessThan", "LessThan"),
    *("StrictGreaterThan", "GreaterThan", "And", "Or", "Not", "floor", "ceiling"),
}
_ASSUMPTIONS = {"positive", "nonnegative", "integer", "real", "zero", "nonzero"}
_EXPONENTS = {str(number) for number in range(-8, 9)}
_BINARY = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod)
_COMPARISONS = (ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE)


def load_program(archive: Archive) -> torch.export.ExportedProgram:
    """The archive's program, on the CPU; its weights are views of the mapped file.

    Raises QvizError when the file asks for more than a graph, or is of another version.
    """
    name = _model_name(archive)
    text = archive.parse(f"models/{name}.json")
    try:
        program = _checked(archive.path, text)
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise damaged(archive.path, "its graph is not written as PyTorch writes one") from error
    folders = ("data/weights/", "data/constants/")
    weights = read_tensors(archive, f"{folders[0]}{name}_weights_config.json", folders[0])
    constants = read_tensors(archive, f"{folders[1]}{name}_constants_config.json", folders[1])
    parsed = _dict_to_dataclass(schema.ExportedProgram, program)
    return ExportedProgramDeserializer().deserialize(parsed, weights, constants, None)


def check_expression(path: Path, text: object) -> None:
    """Raise QvizError unless the text is plain arithmetic over sizes and numbers."""
    try:
        if not isinstance(text, str) or len(text) > _LONGEST:
            raise ValueError("too long")
        tree = ast.parse(text.strip(), mode="eval")
        plain = _is_arithmetic(tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        plain = False
    if not plain:
        raise QvizError(
            path.name,
            f"one of its sizes is '{str(text)[:60]}', which is not plain arithmetic",
            f"{SAVE_AGAIN}; do not trust where this file came from",
        )


def _is_arithmetic(node: ast.AST) -> bool:
    """Whether evaluating this can neither run code nor grow without bound."""
    match node:
        case ast.Expression(body=body):
            return _is_arithmetic(body)
        case ast.Constant(value=int() | float() as number):
            return abs(number) <= _LARGEST
        case ast.Name(id=name):
            return _SYMBOL.fullmatch(name) is not None
        case ast.Call(func=ast.Name(id="Symbol"), args=[ast.Constant(value=str(name))]):
            return _SYMBOL.fullmatch(name) is not None and all(map(_is_assumption, node.keywords))
        case ast.BinOp(left=base, op=ast.Pow(), right=exponent):
            return _is_power(base, exponent)
        case ast.Call(func=ast.Name(id="Pow"), args=[base, exponent], keywords=[]):
            return _is_power(base, exponent)
        case ast.Call(func=ast.Name(id=name), args=parts, keywords=[]):
            return name in _FUNCTIONS and all(map(_is_arithmetic, parts))
        case ast.BinOp(left=left, op=operator, right=right):
            plain = isinstance(operator, _BINARY)
            return plain and _is_arithmetic(left) and _is_arithmetic(right)
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=operand):
            return _is_arithmetic(operand)
        case ast.Compare(left=left, comparators=parts):
            plain = all(isinstance(operator, _COMPARISONS) for operator in node.ops)
            return plain and all(map(_is_arithmetic, [left, *parts]))
    return False


def _is_assumption(keyword: ast.keyword) -> bool:
    known = keyword.arg in _ASSUMPTIONS
    return (
        known and isinstance(keyword.value, ast.Constant) and keyword.value.value in (True, False)
    )


def _is_power(base: ast.expr, exponent: ast.expr) -> bool:
    """Small powers of sizes; a power of numbers alone would be multiplied out at once."""
    of_sizes = any(
        isinstance(part, ast.Name) and part.id not in _FUNCTIONS for part in ast.walk(base)
    )
    number = ast.unparse(exponent).removeprefix("Integer").strip("()")
    return of_sizes and number in _EXPONENTS and _is_arithmetic(base)


def _model_name(archive: Archive) -> str:
    names = [match[1] for name in archive.records if (match := _MODEL.fullmatch(name))]
    if "model" in names:
        return "model"
    if len(names) == 1:
        return names[0]
    cause = f"it holds {len(names)} models: {', '.join(names)}" if names else "it holds no model"
    raise QvizError(archive.path.name, cause, "Save one model with torch.export.save")


def _checked(path: Path, program: Mapping[str, Any]) -> dict[str, Any]:
    """The program's JSON without what a graph does not need; raises QvizError for the rest."""
    saved_by = program.get("torch_version") or "another version"
    if program["schema_version"]["major"] != schema.SCHEMA_VERSION[0]:
        raise QvizError(
            path.name,
            f"PyTorch {saved_by} wrote it in a format that PyTorch {torch.__version__} "
            "does not read",
            "Open it in that version and convert it with torch.onnx.export",
        )
    if any(_SYMBOL.fullmatch(symbol) is None for symbol in program["range_constraints"]):
        raise damaged(path, "its sizes are not named as PyTorch names them")
    module = program["graph_module"]
    graph = _Check(path, frozenset(torch._C._dispatch_get_all_op_names())).clean(module["graph"])
    return {
        **program,
        "guards_code": [],  # torch would run it
        "graph_module": {
            "graph": graph,
            "signature": _Check(path, frozenset()).clean(module["signature"]),
            "module_call_graph": [_call(module["signature"])],
            "metadata": {},
            "treespec_namedtuple_fields": {},
        },
    }


def _call(signature: Mapping[str, Any]) -> dict[str, Any]:
    """How the module is called: tensors in order. The file's own description names classes."""
    specs = enumerate(signature["input_specs"])
    names = [name for number, spec in specs for name in _argument_names(spec, number)]
    given = sum("user_output" in spec for spec in signature["output_specs"])
    inputs = _tuple_spec(_tuple_spec(*[_LEAF] * len(names)), _spec("builtins.dict", "[]", []))
    return {
        "fqn": "",
        "signature": {
            "inputs": [],
            "outputs": [],
            "in_spec": json.dumps([1, inputs]),
            "out_spec": json.dumps([1, _tuple_spec(*[_LEAF] * given)]),
            "forward_arg_names": names,
        },
    }


def _argument_names(spec: Mapping[str, Any], number: int) -> list[str]:
    """The name of one argument of forward; none for weights."""
    if "constant_input" in spec:
        return [spec["constant_input"]["name"] or f"constant_{number}"]
    if "user_input" not in spec:
        return []
    (argument,) = spec["user_input"]["arg"].values()
    name = argument.get("name") or argument.get("as_name") if isinstance(argument, dict) else None
    return [name or f"constant_{number}"]


def _spec(kind: str | None, context: str | None, children: list[Any]) -> dict[str, Any]:
    return {"type": kind, "context": context, "children_spec": children}


_LEAF = _spec(None, None, [])


def _tuple_spec(*children: dict[str, Any]) -> dict[str, Any]:
    return _spec("builtins.tuple", "null", list(children))


class _Check:
    """Walks the JSON of a graph and copies it, checking each operator, expression and object."""

    def __init__(self, path: Path, registered: frozenset[str]) -> None:
        """`registered` holds the operators there are, as 'aten::add.Tensor'."""
        self._path = path
        self._registered = registered

    def clean(self, value: Any) -> Any:
        """The same value with everything on the CPU and only module names as metadata."""
        if isinstance(value, list):
            return [self.clean(item) for item in value]
        if not isinstance(value, dict):
            return value
        for key, item in value.items():
            self._check_name(key, item)
        if "expr_str" in value:
            check_expression(self._path, value["expr_str"])
        for key in ("target", "as_operator"):
            if isinstance(value.get(key), str):
                self._check_operator(value[key])
        if "as_custom_obj" in value or value.get("custom_obj_values"):
            raise QvizError(
                self._path.name,
                "it holds script objects, which are pickled and could run code",
                "Export the module with plain tensors, or open the Python file that builds it",
            )
        if "type" in value and set(value) <= {"type", "index"}:
            return {"type": "cpu", "index": None}
        if not isinstance(value.get("target"), str):
            return {key: self.clean(item) for key, item in value.items()}
        stack = value.get("metadata", {}).get("nn_module_stack")
        kept = {key: self.clean(item) for key, item in value.items() if key != "metadata"}
        return {**kept, "metadata": {"nn_module_stack": stack} if stack else {}}

    def _check_name(self, key: str, value: Any) -> None:
        """Refuse names that would be more than a name in the code torch makes of the graph."""
        fits = _WEIGHT_NAME if key in _WEIGHT_NAMES else _NAME if key in _NAMES else _DOTTED
        named = isinstance(value, str) and key not in _FREE_TEXT
        if not _DOTTED.fullmatch(key) or (named and not fits.fullmatch(value)):
            shown = value if named else key
            raise damaged(self._path, f"'{shown[:60]}' in it is no name that PyTorch gives")

    def _check_operator(self, target: str) -> None:
        if target in _ON_SIZES or target in _CONTROL_FLOW:
            return
        match = _OPERATOR.fullmatch(target)
        if match is not None:
            namespace, name, overload = match.groups()
            full = f"{namespace}::{name}" + (f".{overload}" if overload != "default" else "")
            if full in self._registered and full not in _OPENS_FILES:
                return
        short = target.removeprefix("torch.ops.")
        raise QvizError(
            self._path.name,
            f"it calls '{short}', which is not one of PyTorch's operators on tensors",
            "Open the Python file that builds the module, or convert it with torch.onnx.export",
        )
