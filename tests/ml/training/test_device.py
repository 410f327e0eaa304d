"""Trainings run where they are told to, and every tensor of a step lies where the network does.

No GPU takes part: torch's device "meta", whose tensors have shapes and no values, stands for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ml.cli import main
from ml.training import anatomy, anomaly, detector, gate, paediatric
from ml.training.anatomy import AnatomyNetwork
from ml.training.batches import FilmList, augment, draw_batch, mix
from ml.training.boxes import KINDS, BoxedFilm
from ml.training.data import Film
from ml.training.detector import LesionNetwork
from ml.training.device import CPU, DeviceError, autocast, choose_device, home_of, place, to_cpu
from ml.training.gate import GateNetwork
from ml.training.gate_films import GateDraw
from ml.training.loop import Learner, load_config, make_learner

pytestmark = pytest.mark.training

META = torch.device("meta")
SIZE = 64
MOVES = ("_to_copy", "copy_")  # what brings a tensor from one device to another
CONFIG = {"seed": 0, "size": SIZE, "batch": 4, "epochs": 1, "warmup": 1, "rate": 1e-3, "ema": 0.5,
          "weight_decay": 0.0}  # fmt: skip


class OneDevice(TorchDispatchMode):
    """Fails where an operation meets tensors of two devices; single numbers may lie anywhere."""

    def __torch_dispatch__(
        self, operation: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        tensors = [
            t for t in tree_leaves((args, kwargs)) if isinstance(t, torch.Tensor) and t.dim()
        ]
        devices = {tensor.device.type for tensor in tensors}
        moves = any(name in str(operation) for name in MOVES)
        assert moves or len(devices) < 2, f"{operation} meets {sorted(devices)}"
        return operation(*args, **kwargs)


@pytest.fixture
def losses(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[torch.device]]:
    """Devices of the losses of every step; nothing learns from them, since they have no value."""
    seen: list[torch.device] = []

    def learn(self: Learner, loss: torch.Tensor, *, limit: float = 5.0) -> float:
        seen.append(loss.device)
        return 0.0

    monkeypatch.setattr(Learner, "learn", learn)
    for module in (anatomy, anomaly, detector, gate, paediatric):
        monkeypatch.setattr(module, "autocast", lambda device, enabled=True: nullcontext())
    with OneDevice():
        yield seen


def films(count: int = 4) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (count, SIZE, SIZE), np.uint8)


def film_list(count: int, rng: np.random.Generator) -> FilmList:
    return FilmList(films(count), np.ones((count, 1), np.float32), np.empty(0, np.int64), rng)


def learner_of(network: nn.Module) -> Learner:
    return make_learner(place(network, META), CONFIG)


def test_auto_takes_a_gpu_where_torch_sees_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == choose_device("cpu") == CPU
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", False)
    assert choose_device("auto") == choose_device("cuda") == torch.device("cuda")
    assert choose_device("cpu") == CPU


@pytest.mark.parametrize(("built", "said"), [(None, "docs/training.md"), ("13.0", "nvidia-smi")])
def test_a_gpu_that_is_not_there_is_an_error_that_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, built: str | None, said: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", built)
    with pytest.raises(DeviceError, match=said):
        choose_device("cuda")


def test_the_command_says_so_and_trains_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert main(["train", "gate", "--data", str(tmp_path), "--device", "cuda"]) == 2
    assert "--device cpu trains without one" in capsys.readouterr().out


def test_on_the_cpu_autocast_is_what_it_was() -> None:
    with autocast(CPU):
        assert torch.is_autocast_enabled("cpu")
        assert torch.get_autocast_dtype("cpu") == torch.bfloat16


def test_checkpoints_hold_tensors_of_the_cpu_alone() -> None:
    layer = nn.Linear(2, 2)
    mover = torch.optim.Adam(layer.parameters())
    layer(torch.ones(1, 2)).sum().backward()
    mover.step()
    state = to_cpu({"network": layer.state_dict(), "mover": mover.state_dict(), "seen": 3})
    assert torch.equal(state["network"]["weight"], layer.weight)
    assert state["mover"]["param_groups"] == mover.state_dict()["param_groups"]
    mover.load_state_dict(state["mover"])
    assert home_of(layer) == home_of(nn.ReLU()) == CPU


def test_a_step_of_the_outline_stays_where_its_network_is(losses: list[torch.device]) -> None:
    config = {**CONFIG, "edge_weight": 2.0}
    masks = np.ones((4, SIZE, SIZE), np.uint8)
    anatomy.train_epoch(learner_of(AnatomyNetwork()), films(), masks, config=config, epoch=0)
    assert losses == [META]


def test_a_step_of_the_gate_stays_where_its_network_is(losses: list[torch.device]) -> None:
    network = place(GateNetwork(), META)
    assert isinstance(network, GateNetwork)
    draws = [GateDraw(film, row, 0, 0, row < 2) for row, film in enumerate(films())]
    assert gate.loss_of(network, draws, bf16=True).device == META


def test_a_step_of_the_childrens_reader_stays_where_its_network_is(
    losses: list[torch.device],
) -> None:
    config = {**CONFIG, **{k: v for k, v in load_config("paediatric_shapes").items()
                           if k in ("augment", "shortcuts", "smoothing")},
              "adults": 0.2, "epoch_films": 4}  # fmt: skip
    rng = np.random.default_rng(0)
    lists = {name: film_list(4, rng) for name in ("normal", "pneumonia", "adults")}
    learner = learner_of(paediatric.build_reader(""))
    paediatric.train_epoch(learner, lists, config=config, epoch=0)
    assert losses == [META]


def test_a_batch_of_the_detector_is_sent_to_its_network(losses: list[torch.device]) -> None:
    free = BoxedFilm(
        Film(Path("f"), "f", "p", frozenset(), "train", "films"),
        np.array([[0.2, 0.2, 0.6, 0.6]], np.float32),
        np.array([0]),
        np.ones(len(KINDS), np.float32),
    )
    learner = learner_of(LesionNetwork(size=SIZE))
    with pytest.raises((RuntimeError, NotImplementedError), match="meta"):
        detector.train_epoch(
            learner, [free] * 4, films(), np.arange(4), config=CONFIG, epoch=0
        )  # ultralytics' loss asks for values


@pytest.mark.parametrize("warm", [True, False])
@pytest.mark.parametrize("kind", ["unet", "reversed_ae"])
def test_a_step_of_the_anomaly_networks_stays_where_its_network_is(
    losses: list[torch.device], monkeypatch: pytest.MonkeyPatch, kind: str, *, warm: bool
) -> None:
    config = {"kind": kind, "widths": [4, 8, 8], "code": 8, "size": SIZE}
    network = place(anomaly.build(config), META)
    movers = list(anomaly.optimisers_of(network, 1e-3).values())
    stepped: list[torch.device] = []

    def step(optimizers: Any, loss: torch.Tensor, *, limit: float = 5.0) -> None:
        stepped.append(loss.device)

    monkeypatch.setattr(anomaly, "step_down", step)
    film = torch.zeros(4, 1, SIZE, SIZE, device=META)
    with pytest.raises(RuntimeError, match="meta"):  # the loss that is logged has no value
        anomaly.step_any(network, movers, film, warm=warm, bf16=True)
    assert set(stepped) == {META}
    assert len(stepped) == (2 if kind == "reversed_ae" and not warm else 1)


def test_films_are_changed_where_they_lie(losses: list[torch.device]) -> None:
    config = {"soften": 1.0, "soften_px": 32, "rotate_deg": 5.0, "scale": 0.1, "shift": 0.1,
              "gamma": 0.2, "contrast": 0.1, "brightness": 5.0}  # fmt: skip
    rng = np.random.default_rng(0)
    draw: Callable[..., Any] = draw_batch
    pixels, targets = draw(
        {"films": film_list(4, rng)}, shares={"films": 1.0}, size=4, rng=rng, device=META
    )
    pixels = augment(pixels, config, size=48)
    pixels, targets = mix(pixels, targets, strength=0.4)
    assert (pixels.device, targets.device) == (META, META)
    assert pixels.shape == (4, 1, 48, 48)
