"""Losses of networks that answer many questions of yes and no."""

from __future__ import annotations

import torch
from torch.nn import functional


def loss_of(
    logits: torch.Tensor,
    targets: torch.Tensor,
    *,
    gamma_with: float = 0.0,
    gamma_without: float = 0.0,
) -> torch.Tensor:
    """Binary cross-entropy, mean over all answers that are known.

    logits, targets: [B, L]; a target is in 0..1, or nan where it is not known
    gamma_with, gamma_without: how much less easy films with and without a finding count; equal ones
    make the focal loss (Lin et al., ICCV 2017), a greater gamma_without the asymmetric one (Ridnik
    et al., ICCV 2021)
    """
    known = ~targets.isnan()
    logits, targets = logits[known], targets[known]
    if not gamma_with and not gamma_without:
        return functional.binary_cross_entropy_with_logits(logits, targets)
    given = logits.sigmoid()
    for_it = targets * (1 - given) ** gamma_with * functional.logsigmoid(logits)
    against = (1 - targets) * given**gamma_without * functional.logsigmoid(-logits)
    return -(for_it + against).mean()
