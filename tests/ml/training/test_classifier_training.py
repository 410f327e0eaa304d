"""A small run learns what was drawn, goes on where it was cut off, and exports what it learnt."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from ml.imaging.phantom import draw_phantom
from ml.training import ablation
from ml.training.ablation_table import table
from ml.training.batches import augment, mix, soften
from ml.training.classifier import Config, Training, read_config, steps_of, train
from ml.training.classifier_export import (
    OUTPUTS,
    ClassifierGraph,
    Member,
    keep_members,
    load_serving,
)
from ml.training.classifier_network import build_network, infer
from ml.training.data import Film, read_layout, split_into_folds
from ml.training.depthwise import speed_up_depthwise
from ml.training.losses import loss_of
from ml.training.metrics import roc_auc
from ml.training.storing import round_weights, step_of
from ml.training.targets import side_answers, targets_of, truth_of
from ml.training.views import lungs_left
from ml.vocabulary import CLASSIFIER_LABELS
from tests.ml.training.engines import assert_engines_agree

pytestmark = pytest.mark.training

SIZE = 64
EFFUSION = CLASSIFIER_LABELS.index("Effusion")
ABNORMAL = CLASSIFIER_LABELS.index("abnormal")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn chests, every other one with fluid in the lower third."""
    root = tmp_path_factory.mktemp("data")
    rows = ["film,patient,labels,age,sex,view,split,rsna"]
    (root / "nih" / "films").mkdir(parents=True)
    for number in range(72):
        film = draw_phantom(number, SIZE).film
        if number % 2:
            film[SIZE * 2 // 3 :, : SIZE // 2] = 0.9
        path = root / "nih" / "films" / f"{number}.webp"
        cv2.imwrite(str(path), np.rint(film * 255).astype(np.uint8))
        split = "val" if number >= 48 else "train"
        rows.append(f"{number},p{number},{'Effusion' if number % 2 else ''},50,F,PA,{split},")
    (root / "nih" / "films.csv").write_text("\n".join(rows) + "\n")
    for source in ("normals", "lungs_only"):
        (root / "nih" / f"{source}.csv").write_text(rows[0] + "\n")
    return root


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.setattr("ml.training.data.CACHE", tmp_path / "cache")
    small = read_config()
    small["network"] |= {"size": SIZE, "drop_path": 0.0, "dropout": 0.0}
    small["schedule"] |= {
        "films": 640, "batch": 16, "warm_up_steps": 5, "early_sizes": [[48, 0.3]],
        "evaluate_every": 320, "learning_rate": 2e-3, "head_learning_rate": 5e-3,
    }  # fmt: skip
    return small


def test_a_short_run_learns_what_was_drawn_and_serves_it(data, config, tmp_path):
    training = Training(config, data, tmp_path / "run")
    for module in training.network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 0.2  # few steps: statistics must follow quickly
    for _ in steps_of(training, minutes=None):
        pass
    kept = tmp_path / "kept.pt"
    keep_members([training.save("best.pt")], kept)
    member = load_serving(kept).get_submodule("members.0")
    assert isinstance(member, Member)
    pixels = np.asarray(training._prepared(training.val, "val-films"))
    logits = infer(member.network, pixels, config["network"], mirrored=False)
    truth = truth_of(training.val)
    assert roc_auc(truth[:, EFFUSION], logits[:, EFFUSION]) > 0.9
    assert roc_auc(truth[:, ABNORMAL], logits[:, ABNORMAL]) > 0.9


def test_the_last_weights_of_a_schedule_are_measured_and_kept(data, config, tmp_path):
    config["schedule"] |= {"films": 48, "evaluate_every": 10**6}
    best = train(config, data=data, folder=tmp_path / "run")
    assert torch.load(best, weights_only=True)["seen"] >= 48


def test_a_run_that_was_cut_off_goes_on_where_it_was(data, config, tmp_path):
    first = Training(config, data, tmp_path / "run")
    steps = steps_of(first, minutes=None)
    for _ in range(4):
        next(steps)
    first.save("last.pt")
    second = Training(config, data, tmp_path / "run")
    assert second.resume()
    assert (second.steps, second.seen, second.progress) == (4, 64, first.progress)
    for ours, theirs in zip(
        second.average.state_dict().values(), first.average.state_dict().values(), strict=True
    ):
        assert torch.equal(ours, theirs)


def test_the_clock_can_end_the_schedule(data, config, tmp_path):
    config["schedule"]["films"] = 10**9
    training = Training(config, data, tmp_path / "run")
    losses = list(steps_of(training, minutes=0.05))
    assert training.progress >= 1
    assert 1 <= len(losses) < 200


def test_targets_lean_on_soft_labels_and_on_radiologists():
    plain, normal = (
        Film(Path("f"), name, "p", frozenset({"Mass"}), "train", "films", reading=reading)
        for name, reading in (("a", ""), ("b", "normal"))
    )
    mass = CLASSIFIER_LABELS.index("Mass")
    soft = {"a": {"Mass": 0.6, "Edema": 0.2}}
    found = targets_of([plain, normal], soft, soft_share=0.5, normal_share=0.25)
    assert found[0, mass] == pytest.approx(0.8)
    assert found[0, CLASSIFIER_LABELS.index("Edema")] == pytest.approx(0.1)
    assert found[1, mass] == pytest.approx(0.25)
    assert found[0, ABNORMAL] == 1
    assert found[1, ABNORMAL] == 0


def test_smoothing_draws_mined_labels_towards_one_half():
    film = Film(Path("f"), "a", "p", frozenset({"Mass"}), "train", "films")
    found = targets_of([film], {}, soft_share=0.5, normal_share=0.5, smoothing=0.1)
    assert found[0, CLASSIFIER_LABELS.index("Mass")] == pytest.approx(0.95)
    assert found[0, EFFUSION] == pytest.approx(0.05)


def test_side_questions_without_an_answer_cost_nothing():
    films = [
        Film(Path("f"), "a", "p", frozenset(), "train", "films", age=50, sex="M", view="AP"),
        Film(Path("f"), "b", "q", frozenset(), "train", "films"),
    ]
    answers = side_answers(films)
    assert answers[0].tolist() == [0.5, 1.0, 1.0]
    assert np.isnan(answers[1]).all()
    logits = torch.zeros(2, 3)
    assert float(loss_of(logits, torch.from_numpy(answers))) == pytest.approx(np.log(2), abs=1e-5)


def test_focal_and_asymmetric_losses_let_easy_films_count_less():
    logits, targets = torch.tensor([[-3.0, 3.0]]), torch.tensor([[0.0, 1.0]])
    plain = float(loss_of(logits, targets))
    focal = float(loss_of(logits, targets, gamma_with=2.0, gamma_without=2.0))
    asymmetric = float(loss_of(logits, targets, gamma_without=2.0))
    assert focal < asymmetric < plain
    assert asymmetric > plain / 2.1  # the film with the finding counts as before


def test_mixed_films_have_mixed_targets():
    torch.manual_seed(3)
    films = torch.arange(4.0)[:, None, None, None].expand(4, 1, 2, 2)
    mixed, targets = mix(films, films[:, 0, 0, :1], strength=0.5)
    assert torch.allclose(mixed[:, 0, 0, :1], targets)
    assert not torch.allclose(mixed, films)
    assert mix(films, targets, strength=0.0)[0] is films


def test_softened_films_lose_their_detail_and_keep_their_size():
    torch.manual_seed(3)
    films = torch.rand(8, 1, 64, 64) * 255
    softer = soften(films, share=0.5, through=16)
    same = (softer == films).flatten(1).all(1)
    assert 0 < int(same.sum()) < 8
    assert float(softer[~same].std()) < float(films.std()) / 2


def test_folds_share_out_patients_and_nobody_stands_on_both_sides(data):
    films = [film for film in read_layout(data) if film.split == "train"]
    left_out = []
    for index in range(3):
        learned, held = split_into_folds(films, index=index, of=3)
        assert not {f.patient for f in learned} & {f.patient for f in held}
        left_out += [film.name for film in held]
    assert sorted(left_out) == sorted(film.name for film in films)


def test_a_change_is_measured_against_the_base_on_films_that_neither_learned(
    data, config, tmp_path, monkeypatch
):
    folder = tmp_path / "ablation"
    folder.mkdir()
    (folder / "base.toml").write_text(
        'what = "the base"\norder = ["mixup"]\n[fold]\nindex = 0\nof = 3\n'
    )
    (folder / "mixup.toml").write_text('what = "mixup"\n[augment]\nmixup = 0.3\n')
    config["schedule"] |= {"films": 96, "early_sizes": []}
    monkeypatch.setattr(ablation, "read_config", lambda _path: config)
    monkeypatch.setattr(ablation, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(ablation, "CHECKPOINTS", tmp_path / "checkpoints")
    figures = ablation.run("mixup", data=data, folder=folder)
    assert figures["films"]["left out of training"] > 0
    assert figures["films seen"] == 96
    gain = figures["more than the base"]
    assert gain["low"] <= gain["value"] <= gain["high"]
    assert ablation.run("mixup", data=data, folder=folder) == figures
    lines = "\n".join(table(folder))
    assert f"{figures['mean AUC of 13']['value']:.3f}" in lines
    assert "not run yet" not in lines


def test_augmentation_changes_films_and_keeps_their_range():
    torch.manual_seed(0)
    film = torch.from_numpy(draw_phantom(1, SIZE).film)[None, None].float() * 255
    batch = film.repeat(4, 1, 1, 1)
    changed = augment(batch, read_config()["augment"], size=48)
    assert changed.shape == (4, 1, 48, 48)
    assert 0 <= float(changed.min()) < float(changed.max()) <= 255
    assert not torch.allclose(changed[0], changed[1], atol=1.0)


def test_depthwise_convolutions_give_the_gradients_of_torch_itself():
    torch.manual_seed(0)
    settings = dict(read_config()["network"], drop_path=0.0, dropout=0.0)
    fast = build_network(settings, outputs=3, start=None).eval()
    import timm

    plain = timm.create_model(settings["architecture"], in_chans=1, num_classes=3).eval()
    plain.load_state_dict(fast.state_dict())
    film = torch.randn(2, 1, SIZE, SIZE)
    for network in (fast, plain):
        network(film).square().sum().backward()
    for (name, ours), theirs in zip(fast.named_parameters(), plain.parameters(), strict=True):
        assert ours.grad is not None
        assert theirs.grad is not None
        scale = float(theirs.grad.abs().max()) + 1e-6
        assert float((ours.grad - theirs.grad).abs().max()) < 0.01 * scale, name
    assert speed_up_depthwise(plain) == 16


def network_of(seed: int, outputs: int = len(CLASSIFIER_LABELS)) -> torch.nn.Module:
    torch.manual_seed(seed)
    return build_network(read_config()["network"], outputs=outputs, start=None).eval()


@pytest.mark.parametrize("engine", ["openvino", "onnx"])
@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("bits", [8, 16])
def test_the_exported_graph_agrees_with_torch(tmp_path, engine, mirrored, bits):
    members = []
    for seed, size in ((1, SIZE), (2, 32)):
        network = network_of(seed)
        round_weights(network, bits=bits)
        members.append(Member(network, size=size, mirrored=mirrored))
    graph = ClassifierGraph(members).eval()
    assert_engines_agree(
        graph, tmp_path, size=SIZE, outputs=OUTPUTS, engine=engine, channels=2, bits=bits
    )


def test_logits_are_the_mean_of_what_every_place_adds():
    network = network_of(2, outputs=4)
    film = torch.randn(1, 1, SIZE, SIZE)
    with torch.no_grad():
        logits, maps = ClassifierGraph([Member(network, size=SIZE, mirrored=False)]).eval()(film)
        expected = network(film)
    assert torch.allclose(maps.mean((2, 3)), logits)
    assert torch.allclose(logits, expected, atol=1e-4)


def test_each_member_reads_its_own_view_and_the_answer_is_their_mean():
    networks = [network_of(seed, outputs=4) for seed in (3, 4)]
    members = [Member(network, size=SIZE, mirrored=False) for network in networks]
    views = torch.randn(1, 2, SIZE, SIZE)
    with torch.no_grad():
        logits, maps = ClassifierGraph(members).eval()(views)
        each = [network(views[:, k : k + 1]) for k, network in enumerate(networks)]
    assert torch.allclose(logits, (each[0] + each[1]) / 2, atol=1e-4)
    assert torch.allclose(maps.mean((2, 3)), each[0], atol=1e-4)


def test_the_first_member_must_read_the_whole_film(tmp_path):
    state = {
        "network": {}, "exported": "network", "labels": [], "seen": 0,
        "config": {"network": {"view": "lungs"}},
    }  # fmt: skip
    torch.save(state, tmp_path / "best.pt")
    with pytest.raises(ValueError, match="does not read the whole film"):
        keep_members([tmp_path / "best.pt"], tmp_path / "kept.pt")


def test_eight_bits_move_a_kernel_by_half_a_step_at_most():
    kernels = torch.randn(8, 16, 3, 3) * torch.logspace(-3, 1, 8).view(-1, 1, 1, 1)
    layer = torch.nn.Conv2d(16, 8, 3, bias=False)
    with torch.no_grad():
        layer.weight.copy_(kernels)
    round_weights(torch.nn.Sequential(layer), bits=8)
    off = (layer.weight.detach() - kernels).abs().amax((1, 2, 3)) / step_of(kernels).flatten()
    assert float(off.max()) <= 0.501
    assert float(off.min()) > 0.1


def test_what_is_left_of_a_blackened_film_is_found_and_specks_are_not():
    film = np.zeros((100, 100), np.uint8)
    film[20:80, 15:45] = film[20:80, 55:85] = 120
    film[2:5, 90:95] = 200  # a speck
    film[40:50, 20:30] = 0  # a piece that was cut away
    left = lungs_left(film)
    assert left[30, 20]
    assert left[30, 60]
    assert not left[3, 92]
    assert not left[45, 25]
