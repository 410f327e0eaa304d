"""MobileNetV2's first stages from the shared ImageNet weights; gate and anatomy build on them."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn

from ml.training import torchvision_shim
from ml.training.depthwise import speed_up_depthwise

START = "mobilenetv2_100.imagenet.safetensors"
IMAGENET_MEAN, IMAGENET_STD = 0.449, 0.226  # means over the three channels
CHANNELS = (16, 24, 32, 64, 96, 160, 320)  # out of each stage
STRIDES = (2, 4, 8, 16, 16, 32, 32)


class MobileStages(nn.Module):
    """The stem and the first `stages` stages of MobileNetV2, for grey films."""

    def __init__(self, stages: int) -> None:
        super().__init__()
        torchvision_shim.install()
        import timm  # needs torchvision's operators declared
        from timm.models._efficientnet_blocks import InvertedResidual

        whole = timm.create_model("mobilenetv2_100", num_classes=0)
        # the shared weights hold the first block in its expanded form
        whole.blocks[0][0] = InvertedResidual(32, 16, exp_ratio=1.0, act_layer=nn.ReLU6)
        self.stem = nn.Sequential(whole.conv_stem, whole.bn1)
        self.blocks = nn.ModuleList(list(whole.blocks.children())[:stages])
        speed_up_depthwise(self)

    def load_start(self, path: Path) -> None:
        """Load the ImageNet weights of these stages; raises ValueError where any is missing."""
        stored = load_file(path)
        renamed = {k.replace("conv_stem", "stem.0"): v for k, v in stored.items()}
        renamed |= {f"stem.1.{k[4:]}": v for k, v in stored.items() if k.startswith("bn1.")}
        own = self.state_dict()
        fitting = {k: v for k, v in renamed.items() if k in own and own[k].shape == v.shape}
        missing = sorted(set(own) - set(fitting))
        if missing:
            raise ValueError(f"{path} lacks {missing[:3]}")
        self.load_state_dict(fitting)

    def forward(self, film: torch.Tensor) -> list[torch.Tensor]:
        """Give the features after every stage.

        film: [B, 1, S, S] in 0..1
        returns: stage i is [B, CHANNELS[i], S / STRIDES[i], S / STRIDES[i]]
        """
        flow = self.stem(((film - IMAGENET_MEAN) / IMAGENET_STD).expand(-1, 3, -1, -1))
        features = []
        for block in self.blocks:
            flow = block(flow)
            features.append(flow)
        return features
