"""The networks of the current release give what torch gave when they were exported."""

from __future__ import annotations

import numpy as np
import pytest

from ml.bundle import REQUIRED, WEIGHTS, Bundle, load_release
from ml.imaging.phantom import draw_phantom
from ml.imaging.preprocess import prepare
from ml.runtime import load_graph, to_input

MEBIBYTE = 1024 * 1024
MEMBERS = (*REQUIRED, "paediatric")


@pytest.fixture(scope="module")
def bundles() -> dict[str, Bundle]:
    return dict(load_release(weights=WEIGHTS).bundles)


@pytest.mark.parametrize("backend", ["openvino", "onnx"])
@pytest.mark.parametrize("member", MEMBERS)
def test_an_engine_agrees_with_torch_on_drawn_phantoms(bundles, member, backend):
    bundle = bundles[member]
    stored = np.load(bundle.folder / "parity.npz")
    graph = load_graph(bundle, backend=backend)
    for index, film in enumerate(stored["film"]):
        outputs = graph.run(to_input(film, bundle.spec.input))
        for name, output in zip(bundle.spec.outputs, outputs, strict=True):
            expected = stored[name][index]
            largest = max(float(np.abs(expected).max()), 1e-3)
            difference = float(np.abs(output[0] - expected).max())
            assert difference < 5e-3 * largest, f"{name} of {member}"


@pytest.mark.parametrize("member", MEMBERS)
def test_parity_was_stored_for_drawn_phantoms_and_no_patients_film(bundles, member):
    bundle = bundles[member]
    stored = np.load(bundle.folder / "parity.npz")["film"]
    for index, film in enumerate(stored):
        drawn = draw_phantom(index, 448, lesions=index).film
        size, number = bundle.spec.input.size, bundle.spec.preprocessing
        difference = np.abs(prepare(drawn, size=size, number=number).astype(int) - film)
        assert difference.max() <= 2


def test_the_release_and_all_weights_keep_to_their_size(bundles):
    sizes = {
        member: sum(path.stat().st_size for path in bundle.folder.iterdir())
        for member, bundle in bundles.items()
    }
    assert sum(sizes.values()) <= 30 * MEBIBYTE
    whole = sum(path.stat().st_size for path in WEIGHTS.rglob("*") if path.is_file())
    assert whole <= 60 * MEBIBYTE
