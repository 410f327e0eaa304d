"""Says where on the film the classifier found a disease: its class activation map.

The graph gives, beside the logits, the last feature map weighted by the head of each label; their
mean over the film is the logit. So the map costs no second pass. Source: Zhou et al., Learning Deep
Features for Discriminative Localization, CVPR 2016.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def activation_map(maps: np.ndarray, *, labels: Sequence[str], label: str) -> np.ndarray:
    """Scale one label's map to what speaks for the label.

    maps: [L, h, w] float32, logits of each place
    returns: [h, w] float32 in 0..1; 0 is the film's median place or less, 1 its strongest
    """
    places = maps[list(labels).index(label)].astype(np.float32)  # [h, w]
    floor, peak = float(np.median(places)), float(places.max())
    return np.clip((places - floor) / max(peak - floor, 1e-6), 0, 1).astype(np.float32)
