"""Train the bundled demo network on Fashion-MNIST; export it with 2,000 test images.

One thread and one seed: a second run on the same versions and processor writes the same weights.
"""

import argparse
import gzip
import logging
import math
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.capi.onnxruntime_inference_collection import InferenceSession
from torch import Tensor, nn
from torch.nn import functional

log = logging.getLogger("train")

Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]
Weights = dict[str, npt.NDArray[np.float32]]

CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
SAMPLES_PER_CLASS = 200
PIXEL_MAX = 255.0
EPOCHS = 10
BATCH = 128
PEAK_RATE = 0.2
WEIGHT_DECAY = 2e-3  # on all but the depthwise layers


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


def train(images: Images, labels: Labels, seed: int) -> FashionCnn:
    """Train with SGD, Nesterov momentum and a one-cycle rate; the only augmentation is a flip."""
    torch.manual_seed(seed)
    model = FashionCnn()
    x, y = torch.from_numpy(images), torch.from_numpy(labels)
    named = list(model.named_parameters())
    # MobileNet's recipe (arXiv:1704.04861) leaves depthwise filters without decay. Where the
    # channel before one dies away, its variance vanishes and the folded filter grows huge.
    groups: list[dict[str, Any]] = [
        {"params": [p for name, p in named if ".dw" not in name], "weight_decay": WEIGHT_DECAY},
        {"params": [p for name, p in named if ".dw" in name]},
    ]
    optimizer = torch.optim.SGD(groups, PEAK_RATE, momentum=0.9, nesterov=True)
    steps = EPOCHS * math.ceil(len(x) / BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_RATE, steps, pct_start=0.2)
    model.train()
    for epoch in range(EPOCHS):
        total = 0.0
        for index in torch.split(torch.randperm(len(x)), BATCH):
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

    def add(self, op: str, name: str, inputs: list[str], own: str = "", **attributes: Any) -> str:
        """Append a node reading `inputs` and its `own` parameters; return its output."""
        parameters = [f"{name}.{parameter}" for parameter in own.split()]
        self.initializers += [numpy_helper.from_array(self.weights[p], p) for p in parameters]
        self.nodes.append(helper.make_node(op, inputs + parameters, [name], name, **attributes))
        return name

    def conv(self, name: str, x: str, size: int, stride: int = 1, group: int = 1) -> str:
        """Append a convolution without bias and its BatchNormalization."""
        shape = {"kernel_shape": [size] * 2, "strides": [stride] * 2, "pads": [size // 2] * 4}
        y = self.add("Conv", name, [x], "weight", group=group, **shape)
        normalization = "weight bias running_mean running_var"
        return self.add("BatchNormalization", f"{name}_bn", [y], normalization, epsilon=1e-5)

    def block(self, shape: BlockShape, x: str) -> str:
        """Append one depthwise-separable block."""
        name = shape.name
        y = self.conv(f"{name}.dw", x, 3, shape.stride, group=shape.inputs)
        y = self.add("Relu", f"{name}.dw_relu", [y])
        y = self.conv(f"{name}.pw", y, 1)
        if shape.residual:
            y = self.add("Add", f"{name}.add", [x, y])
        return self.add("Relu", f"{name}.pw_relu", [y])


def export(model: FashionCnn, seed: int) -> onnx.ModelProto:
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
    properties = {
        "source": "qviz resources/demo/train.py on Fashion-MNIST (Zalando SE, MIT)",
        "seed": str(seed),
        "license": "Apache-2.0",
        "classes": ", ".join(CLASSES),
    }
    helper.set_model_props(proto, properties)
    onnx.checker.check_model(proto, full_check=True)
    return proto


def quantize(model: FashionCnn, bits: int, per_channel: bool) -> FashionCnn:
    """A copy with BatchNorm folded and weights on the symmetric restricted min-max grid."""
    copy, top = deepcopy(model), 2 ** (bits - 1) - 1
    modules = dict(copy.named_modules())
    for name, layer in modules.items():
        if not isinstance(layer, nn.Conv2d | nn.Linear):
            continue
        norm = modules.get(f"{name}_bn")
        if isinstance(norm, nn.BatchNorm2d):
            variance = norm.get_buffer("running_var")
            gain = norm.weight.data / torch.sqrt(variance + norm.eps)
            layer.weight.data *= gain[:, None, None, None]
            norm.get_buffer("running_mean").mul_(gain)
            variance.fill_(1 - norm.eps)
            norm.weight.data.fill_(1)
        rows = layer.weight.data.flatten(1)
        scale = (rows.abs().amax(1, keepdim=True) if per_channel else rows.abs().max()) / top
        codes = (rows / torch.where(scale > 0, scale, 1)).round().clamp(-top, top)
        layer.weight.data = (codes * scale).view_as(layer.weight)
    return copy


@torch.inference_mode()
def logits_of(model: FashionCnn, images: Images) -> Tensor:
    """Logits [N, 10] of `images` in 0..255."""
    x = torch.from_numpy(images)
    return torch.cat([model(x[i : i + 500].float() / PIXEL_MAX) for i in range(0, len(x), 500)])


def report(model: FashionCnn, images: Images, labels: Labels, subset: Labels) -> None:
    """Log the top-1 accuracy of float and quantized weights on the subset and on all images."""
    variants = {
        "float": model,
        "int8 per tensor": quantize(model, 8, per_channel=False),
        "int8 per channel": quantize(model, 8, per_channel=True),
        "int4 per channel": quantize(model, 4, per_channel=True),
    }
    log.info("weights           2,000 samples  10,000 test images")
    for name, variant in variants.items():
        correct = 100.0 * (logits_of(variant, images).argmax(1).numpy() == labels)
        log.info("%-17s %11.2f %% %18.2f %%", name, correct[subset].mean(), correct.mean())


def main() -> None:
    """Train, write the three files of the demo, check and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("/usr/share/datasets/fashion-mnist"))
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    seed, out = arguments.seed, arguments.out
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)

    model = train(*read_part(arguments.data, "train"), seed)
    images, labels = read_part(arguments.data, "t10k")
    subset = balanced_subset(labels, seed)
    onnx.save(export(model, seed), out / "fashion_cnn.onnx")
    np.savez_compressed(out / "fashion_test_2000.npz", image=images[subset], labels=labels[subset])
    (out / "classes.txt").write_text("\n".join(CLASSES) + "\n")

    session = InferenceSession(out / "fashion_cnn.onnx", providers=["CPUExecutionProvider"])
    outputs = session.run(["logits"], {"image": images[subset].astype(np.float32)})
    difference = np.abs(np.asarray(outputs[0]) - logits_of(model, images[subset]).numpy()).max()
    log.info("torch against onnxruntime: largest difference of a logit %.1e", difference)
    report(model, images, labels, subset)


if __name__ == "__main__":
    main()
