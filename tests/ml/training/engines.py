"""Compares the exported graph of a network with torch, in either engine."""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from ml.bundle import Input
from ml.imaging.phantom import draw_phantom
from ml.training.export import Contract, Evidence, write_bundle


def assert_engines_agree(
    network: nn.Module,
    folder: Path,
    *,
    size: int,
    outputs: tuple[str, ...],
    engine: str,
    tolerance: float = 5e-3,
    channels: int = 1,
    bits: int = 16,
) -> None:
    """Export, load in the engine, and compare on a drawn chest.

    tolerance: of the largest value of each output; weights are stored in these bits
    """
    from ml.runtime import load_graph

    contract = Contract(
        input=Input(size=size, channels=channels, mean=0.0, std=255.0),
        preprocessing=1,
        labels=(),
        outputs=outputs,
        operating_points={},
    )
    evidence = Evidence("A test.", "Drawings.", "AGPL-3.0", metrics={})
    bundle = write_bundle(
        "gate", "1", network.eval(),
        contract=contract, evidence=evidence, weights=folder, bits=bits,
    )  # fmt: skip
    films = [draw_phantom(seed, size).film for seed in range(1, channels + 1)]
    film = np.stack(films)[None].astype(np.float32)
    found = load_graph(bundle, backend=engine).run(film)
    with torch.no_grad():
        expected = network(torch.from_numpy(film))
    expected = expected if isinstance(expected, tuple) else (expected,)
    for ours, theirs in zip(found, expected, strict=True):
        largest = max(1e-3, float(theirs.abs().max()))
        assert np.abs(ours - theirs.numpy()).max() <= tolerance * largest
