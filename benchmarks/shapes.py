"""ResNet-18 and MobileNetV2 shapes at 224x224 with drawn weights, for timing only.

He et al. 2016 (1512.03385), Sandler et al. 2018 (1801.04381); no trained weights are shipped.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

SIZE = 224
CLASSES = 1000


class _Block(nn.Module):
    """Two 3x3 convolutions and a shortcut."""

    def __init__(self, width_in: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width_in, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.down = (
            nn.Sequential(nn.Conv2d(width_in, width, 1, stride, bias=False), nn.BatchNorm2d(width))
            if stride > 1 or width_in != width
            else nn.Identity()
        )

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.bn2(self.conv2(y)) + self.down(x))


def resnet18() -> Classifier:
    """1.8 G multiply-accumulates, 11.7 M weights."""
    stem = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU()]
    blocks: list[nn.Module] = []
    width_in = 64
    for width, first in ((64, 1), (128, 2), (256, 2), (512, 2)):
        blocks += [_Block(width_in, width, first), _Block(width, width, 1)]
        width_in = width
    return Classifier(nn.Sequential(*stem, nn.MaxPool2d(3, 2, 1), *blocks), 512)


class _Inverted(nn.Module):
    """Expand, depthwise, project; a shortcut where the shape stays."""

    def __init__(self, width_in: int, width: int, stride: int, expand: int) -> None:
        super().__init__()
        inner = width_in * expand
        steps: list[nn.Module] = []
        if expand > 1:
            steps += [nn.Conv2d(width_in, inner, 1, bias=False), nn.BatchNorm2d(inner), nn.ReLU6()]
        steps += [
            nn.Conv2d(inner, inner, 3, stride, 1, groups=inner, bias=False),
            nn.BatchNorm2d(inner),
            nn.ReLU6(),
            nn.Conv2d(inner, width, 1, bias=False),
            nn.BatchNorm2d(width),
        ]
        self.body = nn.Sequential(*steps)
        self.shortcut = stride == 1 and width_in == width

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.body(x)
        return x + y if self.shortcut else y


def mobilenet_v2() -> Classifier:
    """0.3 G multiply-accumulates, 3.5 M weights, 17 depthwise convolutions."""
    steps: list[nn.Module] = [nn.Conv2d(3, 32, 3, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU6()]
    width_in = 32
    table = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2))
    for expand, width, count, first in (*table, (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)):
        for number in range(count):
            steps.append(_Inverted(width_in, width, first if number == 0 else 1, expand))
            width_in = width
    steps += [nn.Conv2d(320, 1280, 1, bias=False), nn.BatchNorm2d(1280), nn.ReLU6()]
    return Classifier(nn.Sequential(*steps), 1280)


class Classifier(nn.Module):
    """Features, their mean over the picture, and one score per class."""

    def __init__(self, features: nn.Module, width: int) -> None:
        """`width` features come out of `features`."""
        super().__init__()
        self.features = features
        self.head = nn.Linear(width, CLASSES)

    def pooled(self, images: Tensor) -> Tensor:
        """Features [n, width]."""
        pooled: Tensor = self.features(images).mean((2, 3))
        return pooled

    def forward(self, images: Tensor) -> Tensor:
        """Scores [n, classes]."""
        scores: Tensor = self.head(self.pooled(images))
        return scores


def _pictures(count: int, kinds: int = 20) -> tuple[Tensor, Tensor]:
    """Smooth patterns of some kinds, each drawn anew with its own noise; and which kind each is."""
    patterns = torch.randn(kinds, 3, 7, 7)
    labels = torch.arange(count) % kinds
    drawn = patterns[labels] + 0.9 * torch.randn(count, 3, 7, 7)
    return nn.functional.interpolate(drawn, SIZE, mode="bicubic"), labels


@torch.no_grad()
def drawn_model(name: str) -> Classifier:
    """A network whose weights are drawn as training starts (He et al. 2015, 1502.01852).

    Norms are fitted to pictures, and each class's scores point to the mean of its features, so that
    the margins spread like a classifier's.
    """
    model = {"resnet18": resnet18, "mobilenet_v2": mobilenet_v2}[name]()
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # plain averages
    images, labels = _pictures(100)
    model.train()(images)
    model.eval()
    pooled = model.pooled(images)
    centred = pooled - pooled.mean(0)
    means = torch.stack([centred[labels == kind].mean(0) for kind in range(int(labels.max()) + 1)])
    means = 6.0 * means / means.norm(dim=1).square().mean()
    model.head.weight.normal_(0.0, float(means.std()))
    model.head.weight[: len(means)] = means
    model.head.bias.copy_(-model.head.weight @ pooled.mean(0))
    model.head.bias[len(means) :] -= 6.0
    return model


def write(folder: Path, name: str, count: int = 128) -> tuple[Path, Path]:
    """An ONNX file and `count` labelled samples."""
    torch.manual_seed(0)
    model = drawn_model(name)
    images, labels = _pictures(count)
    path, samples = folder / f"{name}.onnx", folder / f"{name}.npz"
    batch = torch.export.Dim("batch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own
        torch.onnx.export(
            model, (images[:2],), str(path), dynamo=True, dynamic_shapes={"images": {0: batch}},
            input_names=["images"], output_names=["scores"], external_data=False, verbose=False,
        )  # fmt: skip
    np.savez(samples, images=images.numpy(), labels=labels.numpy())
    return path, samples
