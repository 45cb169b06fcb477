"""Train the bundled demo network on Fashion-MNIST and export it with 2,000 test images.

A depthwise-separable CNN with BatchNorm, trained from a fixed seed on one thread, so that a
second run on the same versions writes the same weights. See PROVENANCE.md for the result.
"""

import argparse
import gzip
import logging
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn
from torch.nn import functional

log = logging.getLogger("train")

Floats = npt.NDArray[np.float32]
Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]
Weights = dict[str, Floats]

CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
SAMPLES_PER_CLASS = 200
PIXEL_MAX = 255.0


@dataclass(frozen=True)
class Recipe:
    """How the network is trained; `spread` is the exponent S of the initial gammas 2^U(-S, S)."""

    seed: int
    epochs: int
    batch: int
    rate: float
    decay: float
    spread: float


@dataclass(frozen=True)
class BlockShape:
    """One depthwise-separable block; a residual block adds its input to its output."""

    name: str
    inputs: int
    outputs: int
    stride: int = 1

    @property
    def residual(self) -> bool:
        """Whether input and output have the same shape."""
        return self.inputs == self.outputs and self.stride == 1


STEM = 16
BLOCKS = (
    BlockShape("block1", 16, 32, stride=2),
    BlockShape("block2", 32, 32),
    BlockShape("block3", 32, 64, stride=2),
    BlockShape("block4", 64, 64),
    BlockShape("block5", 64, 128),
)
FEATURES = BLOCKS[-1].outputs


class Block(nn.Module):
    """Depthwise 3x3, BatchNorm, ReLU, pointwise 1x1, BatchNorm, optional Add, ReLU."""

    def __init__(self, shape: BlockShape) -> None:
        """Build the layers of `shape`."""
        super().__init__()
        c, k = shape.inputs, shape.outputs
        self.residual = shape.residual
        self.dw = nn.Conv2d(c, c, 3, shape.stride, 1, groups=c, bias=False)
        self.dw_bn = nn.BatchNorm2d(c)
        self.pw = nn.Conv2d(c, k, 1, bias=False)
        self.pw_bn = nn.BatchNorm2d(k)

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, inputs, H, W] to [N, outputs, H/stride, W/stride]."""
        y = functional.relu(self.dw_bn(self.dw(x)))
        y = self.pw_bn(self.pw(y))
        return functional.relu(x + y if self.residual else y)


class FashionCnn(nn.Module):
    """The demo network: a convolution, five blocks, global average pooling, one Gemm."""

    def __init__(self) -> None:
        """Build the layers with the parameter names the ONNX file uses."""
        super().__init__()
        self.conv1 = nn.Conv2d(1, STEM, 3, 1, 1, bias=False)
        self.conv1_bn = nn.BatchNorm2d(STEM)
        for shape in BLOCKS:
            self.add_module(shape.name, Block(shape))
        self.fc = nn.Linear(FEATURES, len(CLASSES))

    def forward(self, x: Tensor) -> Tensor:
        """Map images [N, 1, 28, 28] in 0..1 to logits [N, 10]."""
        x = functional.relu(self.conv1_bn(self.conv1(x)))
        for shape in BLOCKS:
            x = self.get_submodule(shape.name)(x)
        logits: Tensor = self.fc(x.mean((2, 3)))
        return logits


def read_idx(path: Path) -> Images:
    """Read a gzipped IDX file of bytes (the format of MNIST)."""
    raw = bytearray(gzip.decompress(path.read_bytes()))
    shape = np.frombuffer(raw, ">i4", count=raw[3], offset=4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(shape)


def read_part(folder: Path, part: str) -> tuple[Images, Labels]:
    """Images [N, 1, 28, 28] and labels [N] of `part` ("train" or "t10k")."""
    images = read_idx(folder / f"{part}-images-idx3-ubyte.gz")
    labels = read_idx(folder / f"{part}-labels-idx1-ubyte.gz")
    return images[:, None], labels.astype(np.int64)


def balanced_subset(labels: Labels, seed: int) -> Labels:
    """Indices of 200 images of every class, drawn and shuffled by `seed`."""
    rng = np.random.default_rng(seed)
    drawn = [
        rng.choice(np.flatnonzero(labels == label), SAMPLES_PER_CLASS, replace=False)
        for label in range(len(CLASSES))
    ]
    return rng.permutation(np.concatenate(drawn)).astype(np.int64)


def spread_gammas(model: FashionCnn, spread: float) -> None:
    """Draw the gammas of the depthwise BatchNorms from 2^U(-spread, spread)."""
    for shape in BLOCKS:
        gamma = model.get_parameter(f"{shape.name}.dw_bn.weight")
        gamma.data = torch.exp2((2 * torch.rand_like(gamma) - 1) * spread)


def train(images: Images, labels: Labels, recipe: Recipe) -> FashionCnn:
    """Train with SGD, Nesterov momentum and a one-cycle rate; the only augmentation is a flip."""
    torch.manual_seed(recipe.seed)
    model = FashionCnn()
    if recipe.spread:
        spread_gammas(model, recipe.spread)
    x, y = torch.from_numpy(images), torch.from_numpy(labels)
    named = list(model.named_parameters())
    depthwise = [p for name, p in named if ".dw" in name]
    others = [p for name, p in named if ".dw" not in name]
    optimizer = torch.optim.SGD(
        [{"params": others, "weight_decay": recipe.decay}, {"params": depthwise}],
        recipe.rate,
        momentum=0.9,
        nesterov=True,
    )
    steps = recipe.epochs * math.ceil(len(x) / recipe.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.rate, total_steps=steps, pct_start=0.2
    )
    model.train()
    for epoch in range(recipe.epochs):
        total = 0.0
        for index in torch.randperm(len(x)).split(recipe.batch):
            batch = x[index].float() / PIXEL_MAX
            flip = torch.rand(len(index)) < 0.5
            batch = torch.where(flip[:, None, None, None], batch.flip(3), batch)
            loss = functional.cross_entropy(model(batch), y[index])
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
            total += loss.item() * len(index)
        log.info("epoch %d: training loss %.4f", epoch + 1, total / len(x))
    return model.eval()


class GraphBuilder:
    """Collects ONNX nodes in order; a node's output carries the node's name."""

    def __init__(self, weights: Weights) -> None:
        """Start an empty graph whose initializers come from `weights`."""
        self.weights = weights
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []

    def add(
        self, op: str, name: str, inputs: list[str], own: str = "", **attributes: object
    ) -> str:
        """Append a node reading `inputs` and its `own` parameters; return its output."""
        parameters = [f"{name}.{parameter}" for parameter in own.split()]
        self.initializers += [numpy_helper.from_array(self.weights[p], p) for p in parameters]
        self.nodes.append(helper.make_node(op, inputs + parameters, [name], name, **attributes))
        return name

    def conv(self, name: str, x: str, size: int, stride: int = 1, group: int = 1) -> str:
        """Append a convolution without bias and its BatchNormalization."""
        pads = [size // 2] * 4
        kernel, strides = [size, size], [stride, stride]
        y = self.add(
            "Conv",
            name,
            [x],
            "weight",
            kernel_shape=kernel,
            strides=strides,
            pads=pads,
            group=group,
        )
        return self.add(
            "BatchNormalization",
            f"{name}_bn",
            [y],
            "weight bias running_mean running_var",
            epsilon=1e-5,
        )

    def block(self, shape: BlockShape, x: str) -> str:
        """Append one depthwise-separable block."""
        name = shape.name
        y = self.conv(f"{name}.dw", x, 3, shape.stride, group=shape.inputs)
        y = self.add("Relu", f"{name}.dw_relu", [y])
        y = self.conv(f"{name}.pw", y, 1)
        if shape.residual:
            y = self.add("Add", f"{name}.add", [x, y])
        return self.add("Relu", f"{name}.pw_relu", [y])


def export(model: FashionCnn, recipe: Recipe) -> onnx.ModelProto:
    """The network as ONNX, for pixel values in 0..255: conv1 takes over the scale 1/255."""
    weights = {name: value.numpy() for name, value in model.state_dict().items()}
    weights["conv1.weight"] = weights["conv1.weight"] / np.float32(PIXEL_MAX)
    graph = GraphBuilder(weights)
    x = graph.add("Relu", "conv1_relu", [graph.conv("conv1", "image", 3)])
    for shape in BLOCKS:
        x = graph.block(shape, x)
    x = graph.add("GlobalAveragePool", "gap", [x])
    x = graph.add("Flatten", "flatten", [x])
    graph.add("Gemm", "fc", [x], "weight bias", transB=1)
    graph.nodes[-1].output[0] = "logits"
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 1, 28, 28])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", len(CLASSES)])
    proto = helper.make_model(
        helper.make_graph(graph.nodes, "fashion_cnn", [image], [logits], graph.initializers),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
        producer_name="qviz demo train.py",
    )
    helper.set_model_props(
        proto,
        {
            "source": "trained by resources/demo/train.py of qviz on Fashion-MNIST (Zalando SE, MIT)",
            "recipe": str(recipe),
            "seed": str(recipe.seed),
            "license": "Apache-2.0",
            "classes": ", ".join(CLASSES),
        },
    )
    onnx.checker.check_model(proto, full_check=True)
    return proto


def fold(proto: onnx.ModelProto) -> onnx.ModelProto:
    """The same network with every BatchNormalization folded into the convolution before it."""
    values = {i.name: numpy_helper.to_array(i) for i in proto.graph.initializer}
    nodes = list(proto.graph.node)
    folded: list[onnx.NodeProto] = []
    for node in nodes:
        if node.op_type != "BatchNormalization":
            folded.append(onnx.NodeProto.FromString(node.SerializeToString()))
            continue
        gamma, beta, mean, variance = (values.pop(name) for name in node.input[1:])
        conv, gain = folded[-1], gamma / np.sqrt(variance + 1e-5)
        values[conv.input[1]] = values[conv.input[1]] * gain[:, None, None, None]
        values[f"{conv.name}.bias"] = beta - mean * gain
        conv.input.append(f"{conv.name}.bias")
        conv.output[0] = node.output[0]
    initializers = [numpy_helper.from_array(v.astype(np.float32), k) for k, v in values.items()]
    graph = helper.make_graph(folded, "folded", proto.graph.input, proto.graph.output, initializers)
    return helper.make_model(graph, opset_imports=proto.opset_import, ir_version=8)


def quantize(proto: onnx.ModelProto, bits: int, per_channel: bool) -> onnx.ModelProto:
    """The folded network with symmetric, restricted-range min-max weights; biases stay float."""
    quantized = onnx.ModelProto.FromString(proto.SerializeToString())
    top = 2 ** (bits - 1) - 1
    for initializer in quantized.graph.initializer:
        w = numpy_helper.to_array(initializer)
        if w.ndim > 1:
            axes = tuple(range(1, w.ndim)) if per_channel else None
            scale = np.abs(w).max(axes, keepdims=True) / np.float32(top)
            codes = np.clip(np.rint(w / np.where(scale > 0, scale, 1)), -top, top)
            initializer.CopyFrom(numpy_helper.from_array(codes * scale, initializer.name))
    return quantized


def logits_of(proto: onnx.ModelProto, images: Images) -> Floats:
    """Logits [N, 10] from onnxruntime on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    chunks = np.split(images, range(500, len(images), 500))
    outputs = [session.run(["logits"], {"image": c.astype(np.float32)})[0] for c in chunks]
    return np.concatenate(outputs).astype(np.float32)


def report(proto: onnx.ModelProto, images: Images, labels: Labels, subset: Labels) -> None:
    """Log the top-1 accuracy of float and quantized weights on the subset and on all images."""
    folded = fold(proto)
    variants = {
        "float": proto,
        "float, folded": folded,
        "int8 per tensor": quantize(folded, 8, per_channel=False),
        "int8 per channel": quantize(folded, 8, per_channel=True),
        "int4 per channel": quantize(folded, 4, per_channel=True),
    }
    for name, variant in variants.items():
        correct = logits_of(variant, images).argmax(1) == labels
        log.info("%-17s %.2f %% of the samples, %.2f %% of all test images",
                 name, 100 * correct[subset].mean(), 100 * correct.mean())  # fmt: skip


def main() -> None:
    """Train, export, check against torch, and write the three files of the demo."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("/usr/share/datasets/fashion-mnist"))
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rate", type=float, default=0.1)
    parser.add_argument("--decay", type=float, default=5e-4)
    parser.add_argument("--spread", type=float, default=0.0)
    arguments = vars(parser.parse_args())
    data, out = arguments.pop("data"), arguments.pop("out")
    recipe = Recipe(**arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)

    model = train(*read_part(data, "train"), recipe)
    images, labels = read_part(data, "t10k")
    subset = balanced_subset(labels, recipe.seed)
    proto = export(model, recipe)
    with torch.inference_mode():
        expected = model(torch.from_numpy(images[subset]).float() / PIXEL_MAX).numpy()
    difference = np.abs(logits_of(proto, images[subset]) - expected).max()
    log.info("torch against onnxruntime: largest difference of a logit %.1e", difference)
    report(proto, images, labels, subset)

    onnx.save(proto, out / "fashion_cnn.onnx")
    samples = {"image": images[subset], "labels": labels[subset]}
    np.savez_compressed(out / "fashion_test_2000.npz", allow_pickle=False, **samples)
    (out / "classes.txt").write_text("\n".join(CLASSES) + "\n")


if __name__ == "__main__":
    main()
