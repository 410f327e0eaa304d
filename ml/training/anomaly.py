"""Trains the anomaly networks on films without a finding; both share films, loop and score."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import nn
from torch.nn import functional

from ml.anomaly import THROUGH_PX, shrink
from ml.training.autoencoders import (
    ReversedAutoencoder,
    UNetAutoencoder,
    divergence,
    draw_code,
    embedding_loss,
    squared_error,
)
from ml.training.data import SHARED, cache_prepared, read_layout
from ml.training.device import CPU, autocast, home_of, place, send
from ml.training.groups import Cases, groups_of
from ml.training.loop import (
    Learner,
    TrainingRun,
    begin,
    run_epoch,
    seed_all,
    step_down,
)

# weights of the published training (Bercea et al., MIDL 2023)
BETA_REC, BETA_KL, BETA_NEG, GAMMA_R, EMBEDDING = 0.5, 1.0, 128.0, 1e-8, 0.005


@dataclass(frozen=True)
class PlainFilm:
    """A film for the anomaly networks.

    truth: normal or abnormal; group: which comparison it belongs to
    known: the groups by what is known of its patient (ml.training.groups)
    """

    path: Path
    name: str
    patient: str
    split: str
    group: str
    truth: str
    labels: frozenset[str] = frozenset()
    known: tuple[str, ...] = ()


def cases_of(films: Sequence[PlainFilm]) -> Cases:
    """Films with their patients and groups."""
    return Cases([film.patient for film in films], [film.known for film in films])


def read_children(root: Path) -> list[PlainFilm]:
    """Read guangzhou/films.csv; empty where it is not there."""
    table = root / "guangzhou" / "films.csv"
    if not table.exists():
        return []
    with table.open(newline="") as file:
        return [
            PlainFilm(
                path=root / "guangzhou" / row["file"],
                name=Path(row["file"]).stem,
                patient=f"guangzhou/{row['class']}/{row['patient']}",
                split=row["split"],
                group="children",
                truth="normal" if row["class"] == "NORMAL" else "abnormal",
                known=("children of Guangzhou",),
            )
            for row in csv.DictReader(file)
        ]


def read_plain_films(root: Path) -> list[PlainFilm]:
    """Read every film that the anomaly networks learn from or are measured on.

    groups: normals (RSNA's normal films at 224 px), nih (448 px; truth by RSNA's reading where
    there is one, else by NIH's labels), children
    """
    films = []
    for film in read_layout(root):
        if film.source == "lungs_only":
            continue
        group = "normals" if film.source == "normals" else "nih"
        normal = film.reading == "normal" if film.reading else not film.labels
        films.append(
            PlainFilm(
                path=film.path,
                name=film.name,
                patient=film.patient,
                split=film.split,
                group=group,
                truth="normal" if normal else "abnormal",
                labels=film.labels,
                known=groups_of(film),
            )
        )
    return films + read_children(root)


def load_small(films: Sequence[PlainFilm], *, size: int, number: int, note: str) -> np.ndarray:
    """Prepare films at 224 px, whatever they were, then shrink them.

    returns: [N, size, size] uint8
    """
    through = cache_prepared([f.path for f in films], size=THROUGH_PX, number=number, note=note)
    return np.stack([shrink(film, size=size) for film in through])


def shake(film: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Turn, zoom and shift a little and change the gamma; never mirrored, the heart lies left.

    film: [S, S] uint8; returns: [S, S] float32 in 0..1
    """
    size = film.shape[0]
    affine = cv2.getRotationMatrix2D(
        (size / 2, size / 2), rng.uniform(-4, 4), math.exp(rng.uniform(-0.06, 0.06))
    )
    affine[:, 2] += rng.uniform(-0.04, 0.04, 2) * size
    moved = cv2.warpAffine(film, affine, (size, size), borderMode=cv2.BORDER_REPLICATE)
    return (moved.astype(np.float32) / 255) ** math.exp(rng.uniform(-0.15, 0.15))


def build(config: dict[str, Any]) -> nn.Module:
    """Make the network that `kind` names."""
    if config["kind"] == "unet":
        return UNetAutoencoder(widths=tuple(config["widths"]))
    return ReversedAutoencoder(
        widths=tuple(config["widths"]), code=config["code"], size=config["size"]
    )


def optimisers_of(network: nn.Module, rate: float) -> dict[str, torch.optim.Optimizer]:
    """One optimiser for the U-Net; one for the encoder and one for the decoder otherwise."""
    parts: list[nn.Module] = [network]
    if isinstance(network, ReversedAutoencoder):
        parts = [network.encoder, network.decoder]
    return {
        f"optimizer{number}": torch.optim.Adam(part.parameters(), lr=rate)
        for number, part in enumerate(parts)
    }


def step_unet(
    network: nn.Module,
    optimizers: Sequence[torch.optim.Optimizer],
    film: torch.Tensor,
    *,
    bf16: bool,
) -> float:
    """One step of the plain autoencoder: mean squared error."""
    with autocast(film.device, enabled=bf16):
        rebuilt = network(film)
    loss = functional.mse_loss(rebuilt.float(), film)
    step_down(optimizers, loss)
    return float(loss.detach())


def step_warm(
    network: ReversedAutoencoder,
    optimizers: Sequence[torch.optim.Optimizer],
    film: torch.Tensor,
    *,
    bf16: bool,
) -> float:
    """One step of the plain variational autoencoder, with which soft-intro training starts."""
    scale = 1 / film[0].numel()
    with autocast(film.device, enabled=bf16):
        mean, log_variance, _ = network.encoder(film)
        rebuilt = network.decoder(draw_code(mean, log_variance))
    error = squared_error(film, rebuilt)
    loss = scale * (BETA_REC * error + BETA_KL * divergence(mean, log_variance)).mean()
    step_down(optimizers, loss)
    return float(error.mean().detach()) * scale


def draw_codes(network: ReversedAutoencoder, film: torch.Tensor) -> torch.Tensor:
    """Codes [B, code] of films that do not exist, for as many as there are."""
    return send(torch.randn(len(film), network.code_size), film.device)


def step_encoder(
    network: ReversedAutoencoder,
    optimizer: torch.optim.Optimizer,
    film: torch.Tensor,
    *,
    bf16: bool,
) -> torch.Tensor:
    """Teach the encoder to tell films from what the decoder makes; returns the drawn code.

    film: [B, 1, S, S]
    """
    scale = 1 / film[0].numel()
    network.decoder.requires_grad_(False)
    with autocast(film.device, enabled=bf16):
        fake = network.decoder(draw_codes(network, film))
        mean, log_variance, embeddings = network.encoder(film)
        code = draw_code(mean, log_variance)
        rebuilt = network.decoder(code)
        rebuilt_code = network.encoder(rebuilt.detach())
        fake_code = network.encoder(fake.detach())
        again = network.decoder(draw_code(*rebuilt_code[:2]))
        fake_again = network.decoder(draw_code(*fake_code[:2]))
    real = scale * (
        BETA_REC * squared_error(film, rebuilt) + BETA_KL * divergence(mean, log_variance)
    )
    pushed = torch.zeros(())
    for made, made_again, made_code in (
        (rebuilt.detach(), again, rebuilt_code),
        (fake.detach(), fake_again, fake_code),
    ):
        bound = BETA_REC * squared_error(made, made_again) + BETA_NEG * divergence(*made_code[:2])
        pushed = pushed + 0.25 * torch.exp(-2 * scale * bound).mean()
    similar = embedding_loss(embeddings, rebuilt_code[2])
    step_down([optimizer], real.mean() + pushed + EMBEDDING * similar)
    network.decoder.requires_grad_(True)
    return code.detach()


def step_decoder(
    network: ReversedAutoencoder,
    optimizer: torch.optim.Optimizer,
    film: torch.Tensor,
    code: torch.Tensor,
    *,
    bf16: bool,
) -> float:
    """Teach the decoder to rebuild films and to make films that the encoder takes for real ones."""
    scale = 1 / film[0].numel()
    network.encoder.requires_grad_(False)
    with autocast(film.device, enabled=bf16):
        fake = network.decoder(draw_codes(network, film))
        rebuilt = network.decoder(code)
        rebuilt_code, fake_code = network.encoder(rebuilt), network.encoder(fake)
        again = network.decoder(draw_code(*rebuilt_code[:2]).detach())
        fake_again = network.decoder(draw_code(*fake_code[:2]).detach())
    error = squared_error(film, rebuilt)
    codes = divergence(*rebuilt_code[:2]) + divergence(*fake_code[:2])
    echoes = squared_error(rebuilt.detach(), again) + squared_error(fake.detach(), fake_again)
    loss = BETA_REC * error + 0.5 * BETA_KL * codes + GAMMA_R * 0.5 * BETA_REC * echoes
    step_down([optimizer], scale * loss.mean())
    network.encoder.requires_grad_(True)
    return float(error.mean().detach()) * scale


def step_any(
    network: nn.Module,
    optimizers: Sequence[torch.optim.Optimizer],
    film: torch.Tensor,
    *,
    warm: bool,
    bf16: bool,
) -> float:
    """One step of whichever network; returns the mean squared error of a pixel."""
    if not isinstance(network, ReversedAutoencoder):
        return step_unet(network, optimizers, film, bf16=bf16)
    if warm:
        return step_warm(network, optimizers, film, bf16=bf16)
    code = step_encoder(network, optimizers[0], film, bf16=bf16)
    return step_decoder(network, optimizers[1], film, code, bf16=bf16)


def train_epoch(
    learner: Learner, films: np.ndarray, *, config: dict[str, Any], epoch: int
) -> float:
    """Show `films` of the films, drawn anew; returns the mean squared error."""
    rng = np.random.default_rng((config["seed"], epoch))
    torch.manual_seed(config["seed"] * 1000 + epoch)
    order = rng.permutation(len(films))[: config["films"]]
    optimizers = list(learner.optimizers.values())
    warm = epoch < config.get("warm_epochs", 0)
    here = home_of(learner.network)

    def step(number: int) -> float:
        rows = order[number * config["batch"] : (number + 1) * config["batch"]]
        moved = torch.from_numpy(np.stack([shake(films[row], rng) for row in rows]))
        film = send(moved, here).unsqueeze(1).contiguous(memory_format=torch.channels_last)
        bf16 = config.get("bf16", True)
        return step_any(learner.network, optimizers, film, warm=warm, bf16=bf16)

    steps = len(order) // config["batch"]
    return run_epoch(learner, step, config=config, epoch=epoch, steps=steps)


@torch.no_grad()
def rebuild(network: nn.Module, films: np.ndarray, *, batch: int = 64) -> np.ndarray:
    """Rebuild films [N, S, S] uint8; returns [N, S, S] float32 in 0..1."""
    network.eval()
    here = home_of(network)
    parts = []
    for start in range(0, len(films), batch):
        stack = send(torch.from_numpy(np.array(films[start : start + batch])), here)
        parts.append(network(stack.unsqueeze(1).float() / 255)[:, 0].cpu().numpy())
    return np.concatenate(parts)


def train(
    config: dict[str, Any],
    *,
    root: Path = SHARED,
    threads: int = 1,
    device: torch.device = CPU,
) -> TrainingRun:
    """Train, or go on with, the autoencoder that a config describes; logs the error on `val`."""
    torch.set_num_threads(threads)
    seed_all(config["seed"])
    plain = [f for f in read_plain_films(root) if f.truth == "normal"]
    number, size = config["preprocessing"], config["size"]
    films = load_small(
        [f for f in plain if f.split == "train"], size=size, number=number, note="plain"
    )
    val = load_small(
        [f for f in plain if f.split == "val"], size=size, number=number, note="plain-val"
    )
    print(f"{len(films)} films without a finding, {len(val)} for validation", flush=True)
    network = place(build(config), device)
    learner, run = begin(network, config, optimizers=optimisers_of(network, config["rate"]))
    for epoch in run.epochs(config["epochs"]):
        error = train_epoch(learner, films, config=config, epoch=epoch)
        missed = np.mean((rebuild(learner.ema.network, val) - val / np.float32(255)) ** 2)
        run.log(error=error, val_error=float(missed))
    return run
