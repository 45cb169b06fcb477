"""Devices: where models can run, why some cannot be chosen, and what it means that one failed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from qviz.errors import QvizError, root_cause
from qviz.model.step_runner import CPU as CPU

GPU_SHARE = 4  # results kept to be used again take one part in four of a GPU's free memory

# What torch's messages hold when the device is to blame, and not the model or the samples.
_BLAMED = ("out of memory", "CUDA", "cuDNN", "CUBLAS", "MPS", "Metal", "same device", "HIP error")


@dataclass(frozen=True, slots=True)
class Device:
    """One entry of the menu."""

    name: str  # "cpu", "cuda:0", "mps"
    title: str
    why_not: str = ""  # why it cannot be chosen; "" where it can

    @property
    def place(self) -> torch.device:
        """The same for torch."""
        return torch.device(self.name)


THE_CPU = Device("cpu", "CPU")


class DeviceFailedError(QvizError):
    """A device failed while a model ran on it: it has too little memory, or cannot do a thing."""


def devices() -> tuple[Device, ...]:
    """The CPU, every CUDA device and MPS; those that are missing have an entry that says why."""
    return (THE_CPU, *_cuda(), _mps())


def _cuda() -> tuple[Device, ...]:
    if not torch.backends.cuda.is_built():
        return (Device("cuda", "NVIDIA GPU (CUDA)", "this build of PyTorch has no CUDA"),)
    if not torch.cuda.is_available():
        return (Device("cuda", "NVIDIA GPU (CUDA)", "no CUDA device was found"),)
    count = torch.cuda.device_count()
    return tuple(Device(f"cuda:{at}", torch.cuda.get_device_name(at)) for at in range(count))


def _mps() -> Device:
    title = "Apple GPU (MPS)"
    if not torch.backends.mps.is_built():
        return Device("mps", title, "this build of PyTorch has no MPS, which is for Macs")
    if not torch.backends.mps.is_available():
        return Device("mps", title, "no Apple GPU was found, or macOS is older than 12.3")
    return Device("mps", title)


def find_device(name: str, offered: Callable[[], tuple[Device, ...]] = devices) -> Device:
    """The device of a name that can be chosen; "cuda" is the first of CUDA's.

    Raises:
        QvizError: there is none of this name, or it is missing.
    """
    known = offered()
    found = next((device for device in known if device.name == name), None)
    if found is None and name == "cuda":
        found = next((device for device in known if device.name.startswith("cuda")), None)
    usable = ", ".join(device.name for device in known if not device.why_not)
    if found is None:
        raise QvizError(f"device {name}", "there is no such device", f"Use one of {usable}")
    if found.why_not:
        raise QvizError(f"device {name}", found.why_not, f"Use one of {usable}")
    return found


def keep_full_precision() -> None:
    """Float32 products in float32: NVIDIA's GPUs shorten factors to 10 bits (TF32) unless told."""
    # The old names: of the new ones only some are set, which torch.export then refuses to read.
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.deterministic = True


def memory_on(place: torch.device, budget: int | None) -> int | None:
    """The bytes of a `budget` (None: a quarter of what is free) that a device's own memory has."""
    if place.type != "cuda":
        return budget  # which MPS shares with the CPU
    share = torch.cuda.mem_get_info(place)[0] // GPU_SHARE
    return share if budget is None else min(budget, share)


def release_memory(place: torch.device) -> None:
    """Give back what torch holds of a device's memory and does not use."""
    if place.type == "cuda":
        torch.cuda.empty_cache()
    elif place.type == "mps":
        torch.mps.empty_cache()


def is_blamed(error: BaseException) -> bool:
    """Whether what failed is the device, by the innermost error."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, torch.OutOfMemoryError) or any(w in str(cause) for w in _BLAMED):
            return True
        cause = cause.__cause__
    return False


def failure(place: torch.device, error: BaseException) -> DeviceFailedError:
    """What is said of a device that failed."""
    cause = root_cause(error)
    if isinstance(error, torch.OutOfMemoryError) or "out of memory" in cause:
        cause = "it has too little free memory"
    return DeviceFailedError(f"device {place}", cause, "Use the CPU")
