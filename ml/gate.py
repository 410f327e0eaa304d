"""Decides whether a picture is a frontal chest film that may be read, and how to right it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ml.bundle import Bundle, Input
from ml.imaging.orient import correction_codes
from ml.imaging.preprocess import prepare
from ml.runtime import Graph, to_input

KINDS = ("frontal", "lateral", "cropped", "blank", "other")
REFUSAL_OF = {"lateral": "lateral", "cropped": "cropped", "blank": "blank", "other": "not_a_chest"}

MIN_SIDE_PX = 64
BLANK_SPAN = 0.004  # of the full grey range between the 0.5 and 99.5 percentiles: even grey
LOW_SPAN = 0.04  # too few greys for a reading: 10 of 256


@dataclass(frozen=True)
class Sight:
    """What one pass of the gate sees.

    kinds: probability of each of KINDS; turns: of 0, 1, 2 and 3 quarter turns, anti-clockwise
    inverted: probability that black and white are swapped
    """

    kinds: np.ndarray
    turns: np.ndarray
    inverted: float

    @property
    def kind(self) -> str:
        """The most probable kind."""
        return KINDS[int(self.kinds.argmax())]

    @property
    def turn(self) -> int:
        """The most probable number of quarter turns."""
        return int(self.turns.argmax())


@dataclass(frozen=True)
class Entry:
    """The gate's answer.

    refusal: code of ml.refusal.GATE_CODES, None when the film may be read
    turn_back: quarter turns, clockwise, that bring the film upright; invert: swap black and white
    quality: what pages and the API show of it
    """

    refusal: str | None
    turn_back: int = 0
    invert: bool = False
    quality: dict[str, object] = field(default_factory=dict)

    @property
    def corrections(self) -> tuple[str, ...]:
        """Codes of what was corrected."""
        return correction_codes(turn_back=self.turn_back, invert=self.invert)


def check_greys(pixels: np.ndarray) -> str | None:
    """Refuse what no network needs to look at.

    pixels: [H, W] float32 in 0..1; returns: a refusal code or None
    """
    if min(pixels.shape) < MIN_SIDE_PX:
        return "too_small"
    sample = pixels[:: max(1, pixels.shape[0] // 256), :: max(1, pixels.shape[1] // 256)]
    low, high = np.percentile(sample, (0.5, 99.5))
    if high - low < BLANK_SPAN:
        return "blank"
    return "low_contrast" if high - low < LOW_SPAN else None


class Gate:
    """The gate with its graph.

    graph: film [1, 1, S, S] to kinds [1, 5], turns [1, 4], inverted [1, 1], all probabilities
    thresholds: operating points: frontal, turned, inverted
    """

    def __init__(
        self, graph: Graph, *, expected: Input, preprocessing: int, thresholds: Mapping[str, float]
    ) -> None:
        self.graph = graph
        self.expected = expected
        self.preprocessing = preprocessing
        self.thresholds = thresholds

    def look(self, prepared: np.ndarray) -> Sight:
        """Run the graph on a prepared film [S, S] uint8."""
        kinds, turns, inverted = self.graph.run(to_input(prepared, self.expected))
        return Sight(kinds[0], turns[0], float(inverted[0, 0]))

    def check(self, pixels: np.ndarray) -> Entry:
        """Decide on a film; a film that is turned or inverted is righted and looked at again.

        pixels: [H, W] float32 in 0..1
        """
        refusal = check_greys(pixels)
        if refusal is not None:
            return Entry(refusal)
        prepared = prepare(pixels, size=self.expected.size, number=self.preprocessing)
        sight = self.look(prepared)
        invert = sight.inverted > self.thresholds["inverted"]
        turned = sight.turn in (1, 3) and sight.turns[sight.turn] > self.thresholds["turned"]
        turn = sight.turn if turned else 0
        if invert or turn:
            righted = np.rot90(255 - prepared if invert else prepared, -turn)
            sight = self.look(np.ascontiguousarray(righted))
        return Entry(self.decide(sight), turn, invert, describe(sight, turn=turn, invert=invert))

    def decide(self, sight: Sight) -> str | None:
        """Turn what is seen, after corrections, into a refusal code or None."""
        if sight.kinds[0] < self.thresholds["frontal"]:
            return REFUSAL_OF[KINDS[1 + int(sight.kinds[1:].argmax())]]
        if sight.turns[2] > self.thresholds["turned"]:
            return "upside_down"
        wrong = sight.turn in (1, 3) and sight.turns[sight.turn] > self.thresholds["turned"]
        if wrong or sight.inverted > self.thresholds["inverted"]:
            return "not_a_chest"  # corrected once, and still not upright and the right way round
        return None


def load_gate(bundle: Bundle, graph: Graph) -> Gate:
    """Make the gate of a bundle."""
    return Gate(
        graph,
        expected=bundle.spec.input,
        preprocessing=bundle.spec.preprocessing,
        thresholds=bundle.spec.settings["thresholds"],
    )


def describe(sight: Sight, *, turn: int, invert: bool) -> dict[str, object]:
    """What the gate saw, for the reading's `quality`."""
    entry = Entry(None, turn, invert)
    return {
        "frontal": round(float(sight.kinds[0]), 4),
        "view": sight.kind,
        "corrections": list(entry.corrections),
    }
