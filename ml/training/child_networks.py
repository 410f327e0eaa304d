"""The networks that read children's films: MobileNetV2, and one of Xception's kind beside it."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from ml.training.backbone import CHANNELS, IMAGENET_MEAN, IMAGENET_STD, MobileStages
from ml.training.depthwise import speed_up_depthwise

FEATURES = 1280
XCEPTION = "xception"


class ChildNetwork(nn.Module):
    """What both share: features, their mean, one output, a logit of pneumonia."""

    def __init__(self, width: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.drop = nn.Dropout(dropout)
        self.head = nn.Linear(width, 1)

    def features(self, film: torch.Tensor) -> torch.Tensor:
        """Film [B, 1, S, S] in 0..1 to features [B, width, S / 32, S / 32]."""
        raise NotImplementedError

    def forward(self, film: torch.Tensor) -> torch.Tensor:
        """Film [B, 1, S, S] in 0..1 to logits [B, 1]."""
        logits: torch.Tensor = self.head(self.drop(self.features(film).mean((2, 3))))
        return logits


class PaediatricNetwork(ChildNetwork):
    """MobileNetV2 for grey films."""

    def __init__(self, *, dropout: float = 0.0) -> None:
        super().__init__(FEATURES, dropout=dropout)
        self.stages = MobileStages(len(CHANNELS))
        self.widen = nn.Conv2d(CHANNELS[-1], FEATURES, 1, bias=False)
        self.norm = nn.BatchNorm2d(FEATURES)

    def load_start(self, path: Path) -> None:
        """Load ImageNet weights for all but the head."""
        from safetensors.torch import load_file

        self.stages.load_start(path)
        stored = load_file(path)
        self.widen.weight.data.copy_(stored["conv_head.weight"])
        kept = {k[4:]: v for k, v in stored.items() if k.startswith("bn2.")}
        self.norm.load_state_dict(kept, strict=False)

    def features(self, film: torch.Tensor) -> torch.Tensor:
        """Film [B, 1, S, S] in 0..1 to features [B, 1280, S / 32, S / 32]."""
        return functional.relu6(self.norm(self.widen(self.stages(film)[-1])))


def separable(inward: int, outward: int) -> nn.Sequential:
    """A 3 x 3 convolution of each channel by itself, then one of the channels at each place."""
    return nn.Sequential(
        nn.Conv2d(inward, inward, 3, padding=1, groups=inward, bias=False),
        nn.Conv2d(inward, outward, 1, bias=False),
        nn.BatchNorm2d(outward),
    )


class SeparableBlock(nn.Module):
    """Separable convolutions beside a residual link; a halving block links by a 1 x 1 convolution.

    [B, inward, H, W] -> [B, outward, H / 2, W / 2], or the same size where it does not halve
    """

    def __init__(self, inward: int, outward: int, *, halve: bool) -> None:
        super().__init__()
        widths = (inward, outward, outward) if halve else (inward, outward, outward, outward)
        layers: list[nn.Module] = []
        for narrow, wide in pairwise(widths):
            layers += [nn.ReLU(), separable(narrow, wide)]
        self.body = nn.Sequential(*layers)
        self.link: nn.Module = nn.Identity()
        if halve:
            self.body.append(nn.MaxPool2d(3, 2, 1))
            self.link = nn.Sequential(
                nn.Conv2d(inward, outward, 1, 2, bias=False), nn.BatchNorm2d(outward)
            )

    def forward(self, flow: torch.Tensor) -> torch.Tensor:
        """[B, inward, H, W] to [B, outward, ...]."""
        result: torch.Tensor = self.body(flow) + self.link(flow)
        return result


class XceptionNetwork(ChildNetwork):
    """Entry, middle and exit flow of Xception at a quarter of its width and half its middle.

    No starting weights are at hand.
    source: F. Chollet, Xception: Deep Learning with Depthwise Separable Convolutions, CVPR 2017
    """

    ENTRY = (32, 64, 128, 192)
    MIDDLE = 4
    EXIT = (256, 384, 512)

    def __init__(self, *, dropout: float = 0.0) -> None:
        super().__init__(self.EXIT[-1], dropout=dropout)
        self.stem = nn.Sequential(
            nn.Conv2d(1, 16, 3, 2, 1, bias=False),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.Conv2d(16, self.ENTRY[0], 3, 1, 1, bias=False),
            nn.BatchNorm2d(self.ENTRY[0]),
        )
        blocks = [SeparableBlock(narrow, wide, halve=True) for narrow, wide in pairwise(self.ENTRY)]
        deep = self.ENTRY[-1]
        blocks += [SeparableBlock(deep, deep, halve=False) for _ in range(self.MIDDLE)]
        self.blocks = nn.Sequential(*blocks, SeparableBlock(deep, self.EXIT[0], halve=True))
        self.last = nn.Sequential(
            separable(self.EXIT[0], self.EXIT[1]),
            nn.ReLU(),
            separable(self.EXIT[1], self.EXIT[2]),
            nn.ReLU(),
        )
        speed_up_depthwise(self)

    def features(self, film: torch.Tensor) -> torch.Tensor:
        """Film [B, 1, S, S] in 0..1 to features [B, 512, S / 32, S / 32]."""
        features: torch.Tensor = self.last(
            self.blocks(self.stem((film - IMAGENET_MEAN) / IMAGENET_STD))
        )
        return features


def build_reader(architecture: str, *, dropout: float = 0.0) -> ChildNetwork:
    """Make the network that a config names; MobileNetV2 where it names none."""
    if architecture == XCEPTION:
        return XceptionNetwork(dropout=dropout)
    return PaediatricNetwork(dropout=dropout)


class PaediatricGraph(nn.Module):
    """The network as it is served: logit, and what each place adds to it, mean with the mirror."""

    def __init__(self, network: ChildNetwork) -> None:
        super().__init__()
        self.network = network

    def _maps(self, film: torch.Tensor) -> torch.Tensor:
        head = self.network.head
        features = self.network.features(film)
        return functional.conv2d(features, head.weight[:, :, None, None], head.bias)

    def forward(self, film: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Film [B, 1, S, S] in 0..1 to logits [B, 1] and maps [B, 1, h, w]."""
        maps = (self._maps(film) + self._maps(film.flip(3)).flip(3)) / 2
        return maps.mean((2, 3)), maps
