"""docs/models.md says what the stored figures say."""

from __future__ import annotations

from pathlib import Path

from ml.bundle import WEIGHTS, load_release
from ml.training.documents import make_figures

ROOT = Path(__file__).parents[2]


def test_the_page_on_models_shows_the_figures_of_the_current_release():
    page = (ROOT / "docs" / "models.md").read_text()
    assert make_figures(load_release(weights=WEIGHTS)) in page


def test_every_card_that_the_page_links_to_exists():
    release = load_release(weights=WEIGHTS)
    for member, bundle in release.bundles.items():
        assert f"../ml/weights/{member}/{bundle.spec.version}/CARD.md" in make_figures(release)
        assert (bundle.folder / "CARD.md").is_file()
