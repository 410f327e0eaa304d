"""Times every training on this machine: films a second, memory, and the work of one film.

One thread and the thread's own processor time, so that other work on the machine matters little.
Each training runs in a process of its own, at the size in which its schedule ends, and learns from
drawn noise, since what films show does not change how long they take.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from ml.training import anatomy, anomaly, detector, gate, paediatric
from ml.training.anatomy import AnatomyNetwork
from ml.training.batches import FilmList
from ml.training.boxes import KINDS, BoxedFilm, Shake
from ml.training.child_networks import build_reader
from ml.training.classifier import Training, read_config
from ml.training.data import Film
from ml.training.detector import LesionNetwork
from ml.training.device import CPU, place
from ml.training.gate_films import draw_one
from ml.training.hours_table import PAGE, PLANS, STORED, update_page
from ml.training.loop import CONFIGS, load_config, make_learner
from ml.vocabulary import CLASSIFIER_LABELS

WARM, TIMED = 1, 4  # steps
# what spares page faults for large tensors; read by the C library when a process starts
ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": "4000000000", "MALLOC_TRIM_THRESHOLD_": "8000000000"}
NOBODY = Film(Path("drawn"), "drawn", "nobody", frozenset(), "train", "films")


@dataclass(frozen=True)
class Work:
    """A training that can be timed.

    step: learns from one batch; prepare: draws that batch, where the processor does so even
    beside a GPU; None where films are changed wherever the network is
    """

    size: int
    batch: int
    step: Callable[[], Any]
    prepare: Callable[[], Any] | None = None


@dataclass(frozen=True)
class Timed:
    """What was measured of a training.

    films_a_second: on one thread; prepared_a_second: by the processor alone, None where that is no
    work of its own; gflop: forward and backward, of one film; memory_mb: of the whole process
    """

    size: int
    batch: int
    films_a_second: float
    prepared_a_second: float | None
    gflop: float
    memory_mb: float


def noise(count: int, size: int) -> np.ndarray:
    """Films [count, size, size] uint8 with nothing on them."""
    return np.random.default_rng(0).integers(0, 255, (count, size, size), np.uint8)


def _anatomy(name: str, _root: Path) -> Work:
    config = load_config(name)
    batch, stored = config["batch"], config["stored"]
    pixels, masks = noise(batch, stored), noise(batch, stored) % 4
    learner = make_learner(place(AnatomyNetwork(), CPU), config)
    shake, rng = anatomy.Shake(**config.get("augment", {})), np.random.default_rng(0)

    def step() -> None:
        anatomy.train_epoch(learner, pixels, masks, config=config, epoch=0)

    def prepare() -> None:
        for film, mask in zip(pixels, masks, strict=True):
            anatomy.shake_pair(film, mask, out=config["size"], shake=shake, rng=rng)

    return Work(config["size"], batch, step, prepare)


def _gate(name: str, _root: Path) -> Work:
    config = {**load_config(name), "steps": 1}
    pixels = noise(64, config["stored"])
    pools, rng = [np.arange(64)] * 3, np.random.default_rng(0)
    learner = make_learner(place(gate.GateNetwork(), CPU), config)

    def step() -> None:
        gate.train_epoch(learner, pools, pixels, config=config, epoch=0)

    def prepare() -> None:
        for _ in range(config["batch"]):
            draw_one(pools, pixels, size=config["size"], rng=rng)

    return Work(config["size"], config["batch"], step, prepare)


def _anomaly(name: str, _root: Path) -> Work:
    config = load_config(name)
    pixels, rng = noise(config["batch"], config["size"]), np.random.default_rng(0)
    network = place(anomaly.build(config), CPU)
    movers = anomaly.optimisers_of(network, config["rate"])
    learner = make_learner(network, config, optimizers=movers)

    def step() -> None:
        anomaly.train_epoch(learner, pixels, config=config, epoch=0)

    def prepare() -> None:
        for film in pixels:
            anomaly.shake(film, rng)

    return Work(config["size"], config["batch"], step, prepare)


def _detector(name: str, _root: Path) -> Work:
    config = load_config(name)
    batch, size = config["batch"], config["size"]
    pixels, rng = noise(batch, config["stored"]), np.random.default_rng(0)
    box = np.array([[0.2, 0.3, 0.5, 0.6]], np.float32)
    items = [BoxedFilm(NOBODY, box, np.array([0]), np.ones(len(KINDS), np.float32))] * batch
    learner = make_learner(place(LesionNetwork(size=size), CPU), config)
    order, shake = np.arange(batch), Shake(**config["augment"])

    def step() -> None:
        detector.train_epoch(learner, items, pixels, order, config=config, epoch=0)

    def prepare() -> None:
        detector.collate(items, pixels, shake=shake, size=size, rng=rng)

    return Work(size, batch, step, prepare)


def _paediatric(name: str, _root: Path) -> Work:
    config = load_config(name)
    config["epoch_films"] = config["batch"]
    truth, rng = np.ones((64, 1), np.float32), np.random.default_rng(0)
    lists = {
        kind: FilmList(noise(64, config["size"]), truth, np.empty(0, np.int64), rng)
        for kind in ("normal", "pneumonia", "adults")
    }
    network = build_reader(config.get("architecture", ""), dropout=config["dropout"])
    learner = make_learner(place(network, CPU), config)
    return Work(
        config["size"],
        config["batch"],
        lambda: paediatric.train_epoch(learner, lists, config=config, epoch=0),
    )


class _NoiseTraining(Training):
    """The classifier's training, of whose films only the list is read."""

    def _load_lists(self, films: Sequence[Film]) -> dict[str, FilmList]:
        targets = np.full((64, len(CLASSIFIER_LABELS)), 0.5, np.float32)
        drawn = noise(64, self.config["network"]["size"])
        return {"films": FilmList(drawn, targets, np.empty(0, np.int64), self.rng)}


def _classifier(name: str, root: Path) -> Work:
    config = read_config(CONFIGS / f"{name}.toml")
    config["network"].pop("continues", None)
    training = _NoiseTraining(config, root, Path())
    training.progress = 0.99  # films at full size
    return Work(config["network"]["size"], config["schedule"]["batch"], training.step)


MAKERS: dict[str, Callable[[str, Path], Work]] = {
    "classifier": _classifier,
    "detector": _detector,
    "unet": _anomaly,
    "reversed_ae": _anomaly,
    "anatomy": _anatomy,
    "gate": _gate,
    "paediatric": _paediatric,
}


def _seconds(work: Callable[[], Any], times: int) -> float:
    begun = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - begun) / times


def time_work(work: Work) -> Timed:
    """Run a few steps of a training on one thread."""
    torch.set_num_threads(1)
    for _ in range(WARM):
        work.step()
    took = _seconds(work.step, TIMED)
    prepared = None if work.prepare is None else work.batch / _seconds(work.prepare, TIMED)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    counter = FlopCounterMode(display=False)
    with counter:
        work.step()
    return Timed(
        size=work.size,
        batch=work.batch,
        films_a_second=round(work.batch / took, 2),
        prepared_a_second=None if prepared is None else round(prepared, 1),
        gflop=round(3 * _convolutions(counter) / work.batch / 1e9, 3),
        memory_mb=round(memory),
    )


def _convolutions(counter: FlopCounterMode) -> int:
    """Operations of the forward convolutions; the way back takes twice as many, which the counter
    overstates where kernels are depthwise."""
    counts = counter.get_flop_counts()["Global"]
    return int(sum(flops for name, flops in counts.items() if str(name).endswith("convolution")))


def _time_one(network: str, config: str, root: Path) -> dict[str, Any]:
    return asdict(time_work(MAKERS[network](config, root)))


def processor() -> str:
    """The model name of this machine's processor, or empty."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    named = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(named, "")


def write(root: Path, *, names: Sequence[str] = ()) -> dict[str, Any]:
    """Time all trainings, or those whose configs are named, and store the figures."""
    said: dict[str, Any] = {"trainings": {}}
    if names and STORED.exists():
        said = json.loads(STORED.read_text())
    said |= {"processor": processor(), "torch": torch.__version__, "steps": TIMED}
    for name, value in ALLOCATOR.items():
        os.environ.setdefault(name, value)
    for plan in PLANS:
        if names and plan.config not in names:
            continue
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            said["trainings"][plan.config] = pool.apply(
                _time_one, (plan.network, plan.config, root)
            )
        print(plan.config, said["trainings"][plan.config], flush=True)
    STORED.write_text(json.dumps(said, indent=1) + "\n")
    if PAGE.exists():
        update_page()
    return said
