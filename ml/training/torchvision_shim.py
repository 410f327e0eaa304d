"""Lets torchvision 0.28 be imported beside a CPU build of torch.

The wheel on PyPI is the CUDA build: its operators do not load, and `import torchvision` stops at
the first of them. Declaring the two that are looked for at import is enough; `nms`, which the
detector's training calls, also gets an implementation. Where the operators are there, nothing
happens.
"""

from __future__ import annotations

import sys

import torch

_LIBRARIES: list[
    torch.library.Library
] = []  # a Library that is collected takes its operators along


def _suppress_overlaps(
    boxes: torch.Tensor, scores: torch.Tensor, iou_threshold: float
) -> torch.Tensor:
    """Keep the best box of every group of overlapping ones.

    boxes: [N, 4] x0, y0, x1, y1; scores: [N]
    returns: [K] indices of the boxes kept, best first
    """
    order = scores.argsort(descending=True)
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    keep = []
    while order.numel():
        best, rest = order[0], order[1:]
        keep.append(int(best))
        corner0 = torch.maximum(boxes[rest, :2], boxes[best, :2])
        corner1 = torch.minimum(boxes[rest, 2:], boxes[best, 2:])
        overlap = (corner1 - corner0).clamp(min=0).prod(1)
        iou = overlap / (area[rest] + area[best] - overlap).clamp(min=1e-9)
        order = rest[iou <= iou_threshold]
    return torch.tensor(keep, dtype=torch.long, device=boxes.device)


def install() -> None:
    """Declare torchvision's operators where its own library did not load; call before timm."""
    if _LIBRARIES:
        return
    try:
        import torchvision
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
    else:
        return
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]  # what the failed import left behind
    library = torch.library.Library("torchvision", "DEF")
    library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.impl("nms", _suppress_overlaps, "CPU")
    _LIBRARIES.append(library)
    import torchvision.extension

    torchvision.extension._has_ops = lambda: True  # else torchvision.ops.nms refuses to call it
