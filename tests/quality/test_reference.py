"""The reference that ships beside the release."""

from ml import bundle
from ml.vocabulary import NAMES
from quality.drift import BINS
from quality.reference import ABNORMAL, INPUTS, reference_of


def test_the_newest_release_ships_with_deciles_of_every_quantity() -> None:
    reference = reference_of(bundle.release_names(bundle.WEIGHTS)[-1])
    assert reference is not None
    assert set(reference) == {*INPUTS, ABNORMAL, *NAMES}
    for deciles in reference.values():
        assert len(deciles) == BINS - 1
        assert deciles == sorted(deciles)
