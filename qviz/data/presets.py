"""The usual ways to preprocess pictures, and the one proposed for an input."""

from __future__ import annotations

from dataclasses import dataclass, replace

from qviz.data.preprocessing import Layout, Preprocessing
from qviz.data.samples import InputSpec
from qviz.errors import QvizError

# From this side on, an input of three channels is taken for one of the ImageNet recipes.
SMALLEST_IMAGENET = 128


@dataclass(frozen=True, slots=True)
class Preset:
    """A named way to preprocess, for an input of 224×224."""

    name: str
    description: str
    preprocessing: Preprocessing

    def sized_for(self, spec: InputSpec) -> Preprocessing:
        """The preset in the layout, channels and size that an input takes.

        Raises:
            QvizError: an input that takes no pictures.
        """
        layout, depth, height, width = read_layout(spec)
        given = _sized(self.preprocessing, height, width)
        if depth == 1:
            mean, std = (_average(values) for values in (given.mean, given.std))
            given = replace(given, channels="gray", mean=mean, std=std)
        return replace(given, layout=layout)


_BYTE = 1.0 / 255.0

IMAGENET = Preset(
    "ImageNet (torchvision)",
    "Shorter side 256, center 224, 0…1, less the mean of ImageNet and over its deviation: "
    "torchvision, timm and most PyTorch models",
    Preprocessing(
        256, "bilinear", 224, scale=_BYTE, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)
    ),
)
TENSORFLOW = Preset(
    "ImageNet (TensorFlow, −1…1)",
    "Shorter side 256, center 224, pixel / 127.5 − 1: MobileNet, Inception and EfficientNet-Lite "
    "from TensorFlow and Keras",
    Preprocessing(256, "bilinear", 224, mean=(127.5,), std=(127.5,)),
)
CAFFE = Preset(
    "ImageNet (Caffe, BGR, mean 103.939…)",
    "Blue first, less the mean of ImageNet in 0…255: VGG and ResNet from Caffe and Keras",
    Preprocessing(256, "bilinear", 224, "BGR", mean=(103.939, 116.779, 123.68)),
)
UNIT = Preset(
    "0…1",
    "Resized to the input, pixel / 255: detectors as YOLO, small networks",
    Preprocessing((224, 224), scale=_BYTE),
)
RAW = Preset(
    "raw 0…255",
    "Resized to the input, pixels as they are: models that normalise by themselves",
    Preprocessing((224, 224)),
)
CLIP = Preset(
    "CLIP",
    "Shorter side 224 with bicubic interpolation, center 224, mean and deviation of CLIP",
    Preprocessing(
        224,
        "bicubic",
        224,
        scale=_BYTE,
        mean=(0.48145466, 0.4578275, 0.40821073),
        std=(0.26862954, 0.26130258, 0.27577711),
    ),
)
PRESETS = (IMAGENET, TENSORFLOW, CAFFE, UNIT, RAW, CLIP)


def propose(spec: InputSpec) -> Preprocessing:
    """The likeliest preprocessing for an input, from its type and shape alone.

    Integer types take pixels as they are (int8 less 128), large colour inputs the ImageNet recipe
    of the framework whose layout they have, all others 0…1.

    Raises:
        QvizError: an input that takes no pictures.
    """
    layout, depth, height, width = read_layout(spec)
    if spec.dtype == "int8":
        return replace(RAW.sized_for(spec), mean=(128.0,))
    if not spec.dtype.startswith("float"):
        return RAW.sized_for(spec)
    large = all(side is None or side >= SMALLEST_IMAGENET for side in (height, width))
    if depth == 1 or not large:
        return UNIT.sized_for(spec)
    return (TENSORFLOW if layout == "NHWC" else IMAGENET).sized_for(spec)


def read_layout(spec: InputSpec) -> tuple[Layout, int, int | None, int | None]:
    """Layout, number of channels, height and width of an input, by where a 1 or 3 is.

    Raises:
        QvizError: an input that takes no pictures.
    """
    if spec.shape is None:
        return "NCHW", 3, None, None
    sizes = spec.shape[1:]
    if len(spec.shape) == 3:
        return "NHW", 1, sizes[0], sizes[1]
    if len(spec.shape) == 4:
        first, last = sizes[0], sizes[2]
        if first in (1, 3):
            return "NCHW", first, sizes[1], sizes[2]
        if last in (1, 3):
            return "NHWC", last, sizes[0], sizes[1]
        if first is None:
            return "NCHW", 3, sizes[1], sizes[2]
    wanted = "×".join("any" if size is None else str(size) for size in sizes) or "scalars"
    raise QvizError(
        f"model input '{spec.name}'",
        f"it takes {wanted}, which is no picture of 1 or 3 channels",
        "Give its samples as arrays in an .npz or .npy file",
    )


def _sized(given: Preprocessing, height: int | None, width: int | None) -> Preprocessing:
    """In the proportions of the preset: 224 of 256 becomes 299 of 342."""
    if height is None or width is None:
        return given
    if height != width or not isinstance(given.crop, int) or not isinstance(given.resize, int):
        return replace(given, resize=(height, width), crop=None)
    return replace(given, resize=round(height * given.resize / given.crop), crop=height)


def _average(values: tuple[float, ...]) -> tuple[float, ...]:
    return (sum(values) / len(values),)
