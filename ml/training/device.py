"""Where a training runs: on the CPU, or on a GPU that torch's CUDA build sees.

Networks are placed once, batches are sent to where their network is, and checkpoints are written
from the CPU, so that each can be read anywhere. On the CPU nothing here changes a number.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

CHOICES = ("auto", "cpu", "cuda")
CPU = torch.device("cpu")


class DeviceError(Exception):
    """The device that was asked for is not there; the message says what to do."""


def choose_device(name: str) -> torch.device:
    """The device that a choice means; auto takes a GPU where torch sees one, else the CPU.

    raises: DeviceError where a GPU is asked for and none is seen
    """
    seen = torch.cuda.is_available()
    if name == "cuda" and not seen:
        built = torch.version.cuda
        why = (
            f"this build of torch ({torch.__version__}) is for the CPU alone; docs/training.md "
            "names the index of CUDA builds"
            if built is None
            else f"torch was built for CUDA {built}, but its driver shows no GPU; see nvidia-smi"
        )
        raise DeviceError(f"--device cuda: {why}. --device cpu trains without one.")
    if name == "cpu" or not seen:
        return CPU
    torch.backends.cudnn.benchmark = True  # films of a training are of few sizes
    return torch.device("cuda")


def home_of(network: nn.Module) -> torch.device:
    """The device that a network's weights lie on; the CPU where it has none."""
    weight = next(network.parameters(), None)
    return CPU if weight is None else weight.device


def place(network: nn.Module, device: torch.device) -> nn.Module:
    """Move a network to a device, its kernels laid out for channels_last."""
    return network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]


def send(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Move a tensor to a device; to a GPU by pinned memory, without waiting."""
    if device.type == "cuda" and tensor.device.type == "cpu":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


def autocast(device: torch.device, *, enabled: bool = True) -> torch.autocast:
    """bfloat16 for convolutions and products, twice as fast on a CPU too; needs no loss scaling."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=enabled)


def to_cpu(state: Any) -> Any:
    """A state_dict, or what holds some, with every tensor on the CPU."""
    if isinstance(state, torch.Tensor):
        return state.cpu()
    if isinstance(state, dict):
        return {key: to_cpu(value) for key, value in state.items()}
    if isinstance(state, list):
        return [to_cpu(value) for value in state]
    return state
