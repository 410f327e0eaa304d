"""The anomaly networks' score: how far a film's errors lie from those of normal films.

A film's errors are summed up in a short vector; normal training films give its mean and spread, for
adults and for children apart; the score is the Mahalanobis distance to the nearer of the two, and
normal validation films turn it into a percentile.

The map shows where a film is brighter than its reconstruction, in standard deviations of what
normal films show at the same place, so that ribs, borders and letters do not stand out by habit.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from ml.training.autoencoders import ReversedAutoencoder, divergence

GRID = 6
RIDGE = 0.02  # share of the mean variance that is added to every direction
BLUR = 9  # px, side of the mean that smooths a map, taken BLURS times
BLURS = 3
FLOOR = 0.25  # share of the mean spread that is added to the spread of every place
CLIP = 6.0  # standard deviations at which one element of the vector stops counting more


class AnomalyGraph(nn.Module):
    """An autoencoder with its score: what is exported.

    parts: which elements go into the vector: "grid" (mean error in GRID × GRID fields, signed and
    absolute), "global" (mean and spread of the error), "code" (the encoder's mean code),
    "embeddings" (distance between the film's embeddings and its reconstruction's)
    """

    means: torch.Tensor  # [K, F]
    spreads: torch.Tensor  # [K, F]
    factors: torch.Tensor  # [K, F, F], whitens the standardised vector
    place_means: torch.Tensor  # [S, S], brightness beyond the reconstruction, of normal films
    place_spreads: torch.Tensor  # [S, S]
    reference: torch.Tensor  # [], deviation that is drawn as 1

    def __init__(self, network: nn.Module, parts: Sequence[str]) -> None:
        super().__init__()
        self.network = network
        self.parts = tuple(parts)

    def elements(self, film: torch.Tensor) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        """Give every part that this kind of network has, [B, F] each, and the excess [B, S, S].

        film: [B, 1, S, S] in 0..1; the excess is how much brighter than its reconstruction a film
        is, smoothed
        """
        found: dict[str, torch.Tensor] = {}
        if isinstance(self.network, ReversedAutoencoder):
            mean, log_variance, embeddings = self.network.encoder(film)
            rebuilt = self.network.decoder(mean)
            if "embeddings" in self.parts:
                _, _, echoes = self.network.encoder(rebuilt)
                found["embeddings"] = _compare(embeddings, echoes, divergence(mean, log_variance))
            found["code"] = mean
        else:
            rebuilt = self.network(film)
        signed = film - rebuilt
        absolute = signed.abs()
        found["grid"] = torch.cat([_fields(signed), (_fields(absolute) + 1e-4).log()], 1)
        moments = [absolute.mean((1, 2, 3)) + 1e-5, signed.pow(2).mean((1, 2, 3)) + 1e-6]
        found["global"] = torch.stack(moments, 1).log()
        return found, _blur(signed.clamp(min=0))[:, 0]

    def fit_places(self, excess: np.ndarray) -> None:
        """Take the mean and spread of normal films' excess [N, S, S] at every place."""
        mean, spread = excess.mean(0), excess.std(0)
        spread = spread + FLOOR * spread.mean()
        self.register_buffer("place_means", torch.tensor(mean, dtype=torch.float32))
        self.register_buffer("place_spreads", torch.tensor(spread, dtype=torch.float32))
        top = float(np.percentile((excess - mean) / spread, 99.5))
        self.register_buffer("reference", torch.tensor(top))

    def fit(self, vectors: Sequence[np.ndarray]) -> None:
        """Take the means and spreads of the groups of normal films; one [N, F] per group."""
        means, spreads, factors = [], [], []
        for group in vectors:
            mean, spread = group.mean(0), group.std(0) + 1e-6
            standard = np.clip((group - mean) / spread, -CLIP, CLIP)
            covariance = np.cov(standard.T).reshape(len(mean), len(mean))
            covariance += RIDGE * np.trace(covariance) / len(mean) * np.eye(len(mean))
            values, axes = np.linalg.eigh(covariance)
            factors.append(axes / np.sqrt(np.maximum(values, 1e-6)))
            means.append(mean)
            spreads.append(spread)
        for name, value in (("means", means), ("spreads", spreads), ("factors", factors)):
            self.register_buffer(name, torch.tensor(np.stack(value), dtype=torch.float32))

    def distance(self, vector: torch.Tensor) -> torch.Tensor:
        """Give the mean squared whitened deviation from the nearer group, [B], of [B, F]."""
        distances = []
        for group in range(self.means.shape[0]):
            standard = ((vector - self.means[group]) / self.spreads[group]).clamp(-CLIP, CLIP)
            whitened = standard @ self.factors[group]
            distances.append(whitened.pow(2).mean(1))
        return torch.stack(distances, 1).amin(1)

    def forward(self, film: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Give distance [B] and map [B, S, S] in 0..1.

        film: [B, 1, S, S] in 0..1
        """
        found, excess = self.elements(film)
        vector = torch.cat([found[part] for part in self.parts], 1)
        deviation = (excess - self.place_means) / self.place_spreads
        return self.distance(vector), (deviation / self.reference).clamp(0, 1)


def _blur(values: torch.Tensor) -> torch.Tensor:
    """Smooth [B, 1, S, S] by repeated means, the border repeated outwards."""
    edge = BLUR // 2
    for _ in range(BLURS):
        wide = functional.pad(values, (edge, edge, edge, edge), mode="replicate")
        values = functional.avg_pool2d(wide, BLUR, stride=1)
    return values


def _compare(
    ours: Sequence[torch.Tensor], echoes: Sequence[torch.Tensor], rarity: torch.Tensor
) -> torch.Tensor:
    """Logs of one minus the cosine of each pair of embeddings, and of the code's divergence."""
    parts = [
        1 - functional.cosine_similarity(left.flatten(1), right.flatten(1)) + 1e-6
        for left, right in zip(ours, echoes, strict=True)
    ]
    return torch.stack([*parts, rarity + 1e-6], 1).log()


def _fields(values: torch.Tensor) -> torch.Tensor:
    """Means over GRID × GRID fields of [B, 1, S, S], as [B, GRID * GRID]."""
    side = values.shape[-1] // GRID
    cut = values[..., : side * GRID, : side * GRID]
    return functional.avg_pool2d(cut, side).flatten(1)


def fit_percentiles(distances: np.ndarray, *, points: int = 60) -> dict[str, list[float]]:
    """Store how rare each distance is among normal films.

    returns: distances, ascending, with the log of the share of normal films that lie beyond
    """
    ordered = np.sort(distances)
    shares = np.linspace(0, 1 - 5 / len(ordered), points)
    marks = np.quantile(ordered, shares)
    keep = np.concatenate([[True], np.diff(marks) > 1e-9])
    return {
        "distance": [float(v) for v in marks[keep]],
        "log_beyond": [float(v) for v in np.log(1 - shares[keep])],
    }
