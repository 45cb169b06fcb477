"""Models of torch.export.save: what they compute, how their layers are called, what is refused."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import logging
import pickle
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from torch import nn

from qviz.errors import QvizError
from qviz.model.model import Model
from qviz.model.read_torch import quiet_torch, read_torch
from qviz.model.runtime import Runtime
from qviz.model.torch_program import check_expression


class _Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1, groups=2)
        self.norm = nn.BatchNorm2d(4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.norm(self.conv(x))) + x


class _ConvNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3)
        self.block = nn.Sequential(_Block(), _Block())
        self.up = nn.ConvTranspose2d(4, 2, 2, stride=2)
        self.act = nn.GELU()
        self.fc = nn.Linear(2, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        pooled = self.act(self.up(self.block(self.stem(x)))).mean((2, 3))
        result: torch.Tensor = self.fc(pooled) + self.fc(pooled.flip(0)).flip(0)
        return result


class _Lstm(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(6, 5, num_layers=2, batch_first=True, bidirectional=True)
        self.out = nn.Linear(10, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        states, _ = self.lstm(x)
        result: torch.Tensor = self.out(states[:, -1])
        return result


class _Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.layer(x)
        return result


class _Gru(nn.Module):
    """Two inputs, one of them a dict."""

    def __init__(self) -> None:
        super().__init__()
        self.emb = nn.Embedding(11, 6)
        self.gru = nn.GRU(6, 4, batch_first=True)

    def forward(self, given: dict[str, torch.Tensor], scale: torch.Tensor) -> torch.Tensor:
        states, _ = self.gru(self.emb(given["tokens"]))
        result: torch.Tensor = states[:, -1] * scale
        return result


class _Branch(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.low = nn.Linear(4, 4)
        self.high = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        chosen = torch.cond(x.sum() > 0, self.low, self.high, (x,))
        assert isinstance(chosen, torch.Tensor)
        return chosen


class _Case(NamedTuple):
    module: nn.Module
    args: Callable[[int], tuple[Any, ...]]


def _tokens(batch: int) -> tuple[Any, ...]:
    return {"tokens": torch.randint(0, 11, (batch, 7))}, torch.rand(batch, 4)


_CASES = {
    "conv": _Case(_ConvNet(), lambda batch: (torch.randn(batch, 3, 8, 8),)),
    "lstm": _Case(_Lstm(), lambda batch: (torch.randn(batch, 7, 6),)),
    "encoder": _Case(_Encoder(), lambda batch: (torch.randn(batch, 5, 8),)),
    "gru": _Case(_Gru(), _tokens),
    "branch": _Case(_Branch(), lambda batch: (torch.randn(batch, 4),)),
}


def _save(path: Path, case: _Case) -> None:
    torch.manual_seed(1)
    module = case.module.eval()
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d) and layer.running_mean is not None:
            layer.running_mean.normal_()
    batch = {0: torch.export.Dim.DYNAMIC}
    args = case.args(3)
    shapes = torch.utils._pytree.tree_map(lambda _: batch, args)
    with quiet_torch():
        program = torch.export.export(module, args, dynamic_shapes=shapes, strict=False)
        torch.export.save(program, path)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pt2")
    paths = {name: folder / f"{name}.pt2" for name in _CASES}
    for name, path in paths.items():
        _save(path, _CASES[name])
    return paths


@pytest.fixture(scope="module")
def models(files: dict[str, Path]) -> dict[str, Model]:
    return {name: read_torch(path) for name, path in files.items()}


def _feeds(model: Model, args: tuple[Any, ...]) -> dict[str, torch.Tensor]:
    leaves = torch.utils._pytree.tree_leaves(args)
    return {info.name: leaf for info, leaf in zip(model.inputs, leaves, strict=True)}


@pytest.mark.parametrize("batch", [1, 3, 4])
@pytest.mark.parametrize("name", list(_CASES))
def test_it_computes_what_torch_computes(models: dict[str, Model], name: str, batch: int) -> None:
    model = models[name]
    args = _CASES[name].args(batch)
    with torch.no_grad():
        wanted = _CASES[name].module(*args)
    result = Runtime(model).run(_feeds(model, args))[model.outputs[0]]
    assert isinstance(result, torch.Tensor)
    assert float((result - wanted).abs().max() / wanted.abs().max()) < 1e-5


def test_layers_are_named_after_their_modules(models: dict[str, Model]) -> None:
    names = {name: [layer.name for layer in model.layers] for name, model in models.items()}
    assert names["conv"] == ["stem", "block.0.conv", "block.1.conv", "up", "fc", "fc_2"]
    assert names["lstm"] == ["lstm", "lstm_2", "out"]
    assert names["encoder"] == [
        *("layer.self_attn", "layer.self_attn.MatMul", "layer.self_attn.MatMul_2"),
        *("layer.self_attn.out_proj", "layer.linear1", "layer.linear2"),
    ]
    assert names["gru"] == ["emb", "gru"]


def test_other_steps_are_named_after_their_modules_too(models: dict[str, Model]) -> None:
    steps = {step.name: step.op for step in models["conv"].steps}
    assert steps["block.0.Relu"] == "Relu"
    assert steps["act"] == "Gelu"
    assert steps["block.1.Add"] == "Add"
    assert models["encoder"].steps[-1].name == "layer.norm2"


def test_folded_weights_are_named_after_their_layer(models: dict[str, Model]) -> None:
    slots = models["lstm"].slots
    assert slots["lstm.weight"].value == "lstm.W"
    assert slots["lstm.weight.R"].value == "lstm.R"
    assert models["encoder"].slots["layer.self_attn.weight"].value == "layer.self_attn.weight"


def test_its_interface_keeps_names_and_the_open_batch(models: dict[str, Model]) -> None:
    (image,) = models["conv"].inputs
    assert (image.name, image.shape) == ("x", ("batch", 3, 8, 8))
    assert image.dtype == torch.float32
    assert [info.name for info in models["gru"].inputs] == ["given_tokens", "scale"]
    assert [info.dtype for info in models["gru"].inputs] == [torch.int64, torch.float32]
    assert models["conv"].graph.opset_imports[""] >= 18


def test_hash_and_size_are_the_files(files: dict[str, Path], models: dict[str, Model]) -> None:
    data = files["conv"].read_bytes()
    assert models["conv"].hash == hashlib.sha256(data).hexdigest()
    assert models["conv"].source_bytes == len(data)


def test_the_model_outlives_its_file(files: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "net.pt2"
    path.write_bytes(files["lstm"].read_bytes())
    model = read_torch(path)
    args = _CASES["lstm"].args(2)
    with torch.no_grad():
        wanted = _CASES["lstm"].module(*args)
    path.write_bytes(b"")
    torch.testing.assert_close(
        Runtime(model).run(_feeds(model, args))[model.outputs[0]], wanted, rtol=1e-5, atol=1e-5
    )


def test_nothing_of_the_authors_machine_is_kept(models: dict[str, Model]) -> None:
    for node in models["conv"].graph.graph.all_nodes():
        assert not node.metadata_props
        assert not node.meta


def test_reading_is_quiet(
    files: dict[str, Path], capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    read_torch(files["gru"])
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")
    assert not [record for record in caplog.records if record.levelno >= logging.INFO]


def test_bfloat16_weights_keep_their_bits(tmp_path: Path) -> None:
    module = nn.Linear(4, 3, dtype=torch.bfloat16)
    path = tmp_path / "half.pt2"
    _save(path, _Case(module, lambda batch: (torch.randn(batch, 4, dtype=torch.bfloat16),)))
    model = read_torch(path)
    assert torch.equal(model.constants["weight"], module.weight.detach())


class _Rich(nn.Module):
    """A lifted constant, a buffer, a region without gradients, keywords and named outputs."""

    shift: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 3)
        self.register_buffer("shift", torch.arange(3.0))

    def forward(self, x: torch.Tensor, *, gain: torch.Tensor) -> dict[str, torch.Tensor]:
        with torch.no_grad():
            y = self.fc(x) * gain
        return {"score": y + torch.tensor([0.5, 1.0, 2.0]), "shifted": (y + self.shift).flatten()}


def test_constants_buffers_keywords_and_a_gpus_file(tmp_path: Path) -> None:
    module = _Rich().eval()
    args, gain = (torch.randn(2, 4),), torch.tensor(3.0)
    path = tmp_path / "rich.pt2"
    with quiet_torch():
        torch.export.save(torch.export.export(module, args, {"gain": gain}), path)
    records = _records(path)
    for name in [name for name in records if name.endswith(".json")]:
        records[name] = records[name].replace(b'"type": "cpu"', b'"type": "cuda"')
    model = read_torch(_write(path, records))
    assert [info.name for info in model.inputs] == ["x", "gain"]
    result = Runtime(model).run({"x": args[0], "gain": gain})
    with torch.no_grad():
        wanted = module(*args, gain=gain)
    torch.testing.assert_close(result[model.outputs[0]], wanted["score"])
    torch.testing.assert_close(result[model.outputs[1]], wanted["shifted"])


# -- what is refused ---------------------------------------------------------------------------

Records = dict[str, bytes]


def _records(path: Path) -> Records:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _write(path: Path, records: Records, kind: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", kind) as archive:
        for name, data in records.items():
            archive.writestr(name, data)
    return path


def _edit_json(records: Records, part: str, edit: Callable[[Any], None]) -> None:
    name = next(name for name in records if name.endswith(part))
    content = json.loads(records[name])
    edit(content)
    records[name] = json.dumps(content).encode()


class _Canary:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str, str]]:
        return open, (str(self._path), "w")


def _torch_pickle(value: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


Attack = Callable[[Records, Path], None]


def _in_sample_inputs(records: Records, canary: Path) -> None:
    name = next(name for name in records if "sample_inputs" in name)
    records[name] = _torch_pickle(((_Canary(canary),), {}))


def _in_weights(records: Records, canary: Path) -> None:
    def edit(table: Any) -> None:
        payload = table["config"]["stem.weight"]
        payload["use_pickle"] = True
        records[f"conv/data/weights/{payload['path_name']}"] = _torch_pickle(_Canary(canary))

    _edit_json(records, "model_weights_config.json", edit)


def _in_legacy_weights(records: Records, canary: Path) -> None:
    records["conv/data/weights/model.pt"] = _torch_pickle(_Canary(canary))


def _in_constants(records: Records, canary: Path) -> None:
    payload = {"path_name": "opaque_obj_0", "is_param": False, "use_pickle": True}
    records["conv/data/constants/opaque_obj_0"] = pickle.dumps(_Canary(canary))
    _edit_json(
        records,
        "model_constants_config.json",
        lambda table: table["config"].update(c={**payload, "tensor_meta": None}),
    )


def _in_tensor_constants(records: Records, canary: Path) -> None:
    payload = {"path_name": "tensor_0", "is_param": False, "use_pickle": True, "tensor_meta": None}
    records["conv/data/constants/tensor_0"] = _torch_pickle(_Canary(canary))
    _edit_json(
        records, "model_constants_config.json", lambda table: table["config"].update(c=payload)
    )


def _graph(program: Any) -> Any:
    return program["graph_module"]["graph"]


def _in_an_expression(records: Records, canary: Path) -> None:
    code = f"__import__('pathlib').Path({str(canary)!r}).touch()"
    _edit_json(
        records,
        "models/model.json",
        lambda program: _graph(program)["tensor_values"]["x"]["sizes"][0]["as_expr"].update(
            expr_str=code
        ),
    )


def _in_an_operator(records: Records, canary: Path) -> None:
    text = {"name": "", "arg": {"as_string": f"touch {canary}"}, "kind": 1}

    def edit(program: Any) -> None:
        node = dict(_graph(program)["nodes"][0], target="torch.os.system", inputs=[text])
        _graph(program)["nodes"].insert(0, {**node, "outputs": [{"as_none": True}]})

    _edit_json(records, "models/model.json", edit)


def _in_a_name(records: Records, canary: Path) -> None:
    """PyTorch writes a function with this argument, whose default is evaluated at once."""
    name = next(name for name in records if name.endswith("models/model.json"))
    code = f"x=__import__('pathlib').Path({str(canary)!r}).touch()"
    records[name] = records[name].replace(b'"x"', json.dumps(code).encode())


def _in_the_call(records: Records, canary: Path) -> None:
    """A defaultdict's factory is any function of any module, imported by its name."""
    (canary.parent / "planted_canary.py").write_text(f"open({str(canary)!r}, 'w').close()")

    def edit(program: Any) -> None:
        leaf: dict[str, Any] = {"type": None, "context": None, "children_spec": []}
        factory = {
            "default_factory_module": "planted_canary",
            "default_factory_name": "x",
            "dict_context": "[]",
        }
        spec = {"type": "collections.defaultdict", "context": factory, "children_spec": [leaf]}
        call = program["graph_module"]["module_call_graph"][0]["signature"]
        call["out_spec"] = json.dumps([1, spec])

    _edit_json(records, "models/model.json", edit)


_ATTACKS: dict[str, tuple[Attack, str | None]] = {
    "sample inputs": (_in_sample_inputs, None),  # never read, so the model still opens
    "weights": (_in_weights, "pickled"),
    "legacy weights": (_in_legacy_weights, "pickled"),
    "constants": (_in_constants, "pickled"),
    "tensor constants": (_in_tensor_constants, "pickled"),
    "expression": (_in_an_expression, "plain arithmetic"),
    "operator": (_in_an_operator, "not one of PyTorch's operators"),
    "name": (_in_a_name, "no name"),
    "call": (_in_the_call, None),
}


@pytest.mark.parametrize("where", list(_ATTACKS))
def test_code_in_the_file_never_runs(
    files: dict[str, Path], tmp_path: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    attack, refusal = _ATTACKS[where]
    monkeypatch.syspath_prepend(tmp_path)
    canary = tmp_path / "canary"
    records = _records(files["conv"])
    attack(records, canary)
    path = _write(tmp_path / "evil.pt2", records)
    if refusal is None:
        assert read_torch(path).layers
    else:
        with pytest.raises(QvizError, match=refusal):
            read_torch(path)
    assert not canary.exists()


# PyTorch itself refuses the operator, and reads the older weights as weights only.
@pytest.mark.parametrize("where", [w for w in _ATTACKS if w not in ("operator", "legacy weights")])
def test_the_attacks_are_real(
    files: dict[str, Path], tmp_path: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the checks each of these runs: the test above would not pass by accident."""
    monkeypatch.syspath_prepend(tmp_path)
    canary = tmp_path / "canary"
    records = _records(files["conv"])
    _ATTACKS[where][0](records, canary)
    path = _write(tmp_path / "evil.pt2", records)
    with quiet_torch(), contextlib.suppress(Exception):
        torch.export.load(path).graph_module.recompile()
    sys.modules.pop("planted_canary", None)
    assert canary.exists()


@pytest.mark.parametrize(
    "text",
    [
        *("s77", "2*s77 + 1", "Symbol('s77', positive=True, integer=True)", "s0**2", "int_oo"),
        "Add(Mul(Integer(2), Symbol('s77', integer=True)), Integer(-1))",
        "Pow(Symbol('s0', integer=True), Integer(-1))",
        "FloorDiv(Symbol('s0', positive=True, integer=True), Integer(2))",
        *("Max(1, s0 // 2)", "Equality(Mod(Symbol('u0', integer=True), Integer(2)), Integer(0))"),
    ],
)
def test_arithmetic_is_let_through(text: str) -> None:
    check_expression(Path("net.pt2"), text)


@pytest.mark.parametrize(
    "text",
    [
        *("__import__('os')", "s0.__class__", "Symbol('s0').func", "(lambda: 1)()", "[s0]", ""),
        *("Symbol('__import__')", "Symbol('s0', **{})", "Symbol('s0', cls=1)", "eval('1')"),
        *(
            "9**9**9",
            "Pow(Integer(9), Integer(99))",
            "s0**99",
            "2 << 99",
            "10**100",
            "s0 if 1 else 2",
        ),
        *("1" * 5000, "(" * 300 + "1" + ")" * 300, "f'{s0}'", "s0 ^ 2", "sympify('1')", "s0!"),
        7,
    ],
)
def test_anything_else_is_no_expression(text: object) -> None:
    with pytest.raises(QvizError, match="plain arithmetic"):
        check_expression(Path("net.pt2"), text)


def _set(records: Records, part: str, data: bytes) -> None:
    records[next(name for name in records if name.endswith(part))] = data


def _huge_shape(records: Records) -> None:
    def edit(table: Any) -> None:
        meta = table["config"]["stem.bias"]["tensor_meta"]
        meta["sizes"] = [{"as_int": 1 << 40}]
        meta["strides"] = [{"as_int": 0}]

    _edit_json(records, "model_weights_config.json", edit)


def _outside(records: Records) -> None:
    def edit(table: Any) -> None:
        table["config"]["stem.bias"]["tensor_meta"]["storage_offset"] = {"as_int": 2}

    _edit_json(records, "model_weights_config.json", edit)


def _other_schema(records: Records) -> None:
    _edit_json(
        records,
        "models/model.json",
        lambda program: program.update(schema_version={"major": 99, "minor": 0}),
    )


def _opens_a_file(records: Records) -> None:
    _edit_json(
        records,
        "models/model.json",
        lambda program: _graph(program)["nodes"][0].update(
            target="torch.ops.aten.from_file.default"
        ),
    )


def _unknown_operator(records: Records) -> None:
    _edit_json(
        records,
        "models/model.json",
        lambda program: _graph(program)["nodes"][0].update(target="torch.ops.mine.conv.default"),
    )


_DAMAGE: dict[str, tuple[Callable[[Records], None], str]] = {
    "compiled code": (
        lambda records: records.update({"conv/data/aotinductor/model/a.so": b"\x7fELF"}),
        "machine code",
    ),
    "older format": (
        lambda records: records.update({"serialized_exported_program.json": b"{}"}),
        "before 2.8",
    ),
    "newer archive": (lambda records: _set(records, "archive_version", b"7"), "newer than"),
    "other schema": (_other_schema, "does not read"),
    "huge shape": (_huge_shape, "larger than the file"),
    "values outside": (_outside, "does not hold as many values"),
    "no graph": (lambda records: _set(records, "models/model.json", b"{"), "not valid JSON"),
    "empty graph": (lambda records: _set(records, "models/model.json", b"{}"), "graph"),
    "deep graph": (
        lambda records: _set(records, "models/model.json", b"[" * 100000 + b"]" * 100000),
        "not valid JSON",
    ),
    "no tensors": (lambda records: _set(records, "weights_config.json", b"[]"), "lists no tensors"),
    "opens a file": (_opens_a_file, "aten.from_file"),
    "unknown operator": (_unknown_operator, "mine.conv"),
}


@pytest.mark.parametrize("kind", list(_DAMAGE))
def test_what_is_wrong_is_named_with_its_cure(
    files: dict[str, Path], tmp_path: Path, kind: str
) -> None:
    damage, cause = _DAMAGE[kind]
    records = _records(files["conv"])
    damage(records)
    with pytest.raises(QvizError, match=cause) as caught:
        read_torch(_write(tmp_path / "bad.pt2", records))
    assert caught.value.subject == "bad.pt2"
    assert caught.value.cure


def test_a_compressed_archive_is_refused_before_it_is_unpacked(
    files: dict[str, Path], tmp_path: Path
) -> None:
    records = {**_records(files["conv"]), "conv/extra/zeros": bytes(64 << 20)}
    path = _write(tmp_path / "bomb.pt2", records, zipfile.ZIP_DEFLATED)
    with pytest.raises(QvizError, match="larger than the file can hold"):
        read_torch(path)
    del records["conv/extra/zeros"]
    with pytest.raises(QvizError, match="compressed"):
        read_torch(_write(path, records, zipfile.ZIP_DEFLATED))


def test_half_a_file_is_refused(files: dict[str, Path], tmp_path: Path) -> None:
    data = files["conv"].read_bytes()
    path = tmp_path / "half.pt2"
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(QvizError, match="only part of one"):
        read_torch(path)
    with pytest.raises(QvizError, match="no such file"):
        read_torch(tmp_path / "none.pt2")


def test_weights_without_a_graph_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.pt2"
    torch.save({"weight": torch.ones(2)}, path)
    with pytest.raises(QvizError, match="no graph"):
        read_torch(path)


def test_a_module_exported_for_training_is_refused(tmp_path: Path) -> None:
    module = nn.Sequential(nn.Linear(3, 3), nn.Dropout())
    path = tmp_path / "training.pt2"
    with quiet_torch():
        torch.export.save(torch.export.export(module.train(), (torch.eye(3),)), path)
    with pytest.raises(QvizError, match="exported for training") as caught:
        read_torch(path)
    assert "eval()" in caught.value.cure


def test_operators_that_onnx_lacks_are_named(tmp_path: Path) -> None:
    class Sorted(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            result: torch.Tensor = torch.linalg.eigvalsh(x)
            return result

    path = tmp_path / "eigen.pt2"
    with quiet_torch():
        torch.export.save(torch.export.export(Sorted(), (torch.eye(3),)), path)
    with pytest.raises(QvizError, match="eig") as caught:
        read_torch(path)
    assert "\n" not in str(caught.value)
