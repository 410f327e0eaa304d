"""The classifier's network for grey films, and how prepared films pass through it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ml.training import torchvision_shim

torchvision_shim.install()

import timm  # noqa: E402  (timm imports torchvision)
from safetensors.torch import load_file  # noqa: E402

from ml.training.depthwise import speed_up_depthwise  # noqa: E402
from ml.training.device import autocast, home_of, send  # noqa: E402


def build_network(config: dict[str, Any], *, outputs: int, start: Path | None) -> nn.Module:
    """Build the network for grey films.

    start: safetensors of the ImageNet weights without head, None for random weights
    raises: RuntimeError where the weights do not fit
    """
    network: nn.Module = timm.create_model(
        config["architecture"],
        in_chans=1,
        num_classes=outputs,
        drop_rate=config["dropout"],
        drop_path_rate=config["drop_path"],
    )
    if start is not None:
        weights = load_file(start)
        stem = next(name for name, value in weights.items() if value.shape[1:2] == (3,))
        weights[stem] = weights[stem].sum(1, keepdim=True)  # grey stands for three equal colours
        missing, unexpected = network.load_state_dict(weights, strict=False)
        absent = [name for name in missing if not name.startswith("classifier.")]
        if absent or unexpected:
            raise RuntimeError(f"{start.name} does not fit: lacks {absent}, has {unexpected}")
    speed_up_depthwise(network)
    return network.to(memory_format=torch.channels_last)


def set_prior(network: nn.Module, targets: np.ndarray) -> None:
    """Start the head at the logit of each finding's share, so that early steps teach findings."""
    share = torch.from_numpy(targets.mean(0)).clamp(1e-3, 1 - 1e-3)
    head = network.get_submodule("classifier")
    assert isinstance(head, nn.Linear)
    with torch.no_grad():
        head.bias.copy_(torch.logit(share))
        head.weight.mul_(0.1)


@torch.inference_mode()
def infer(
    network: nn.Module,
    pixels: np.ndarray,
    config: dict[str, Any],
    *,
    mirrored: bool,
    batch: int = 64,
) -> np.ndarray:
    """Give logits for prepared films.

    pixels: [N, S, S] uint8; mirrored: take the mean with the mirrored film
    returns: [N, L] float32
    """
    network.eval()
    here = home_of(network)
    parts = []
    for begin in range(0, len(pixels), batch):
        stack = torch.from_numpy(np.array(pixels[begin : begin + batch]))
        chunk = send(stack, here).float()[:, None]
        chunk = ((chunk - config["mean"]) / config["std"]).to(memory_format=torch.channels_last)
        with autocast(here):
            logits = network(chunk).float()
            if mirrored:
                logits = (logits + network(chunk.flip(3)).float()) / 2
        parts.append(logits.cpu().numpy())
    return np.concatenate(parts)
