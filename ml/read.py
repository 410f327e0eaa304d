"""Reads a film: gate → anatomy → classify → detect → anomaly → attention, → paediatric if asked.

A film becomes small once (Working); every network takes its own size from that. A film that the
gate refuses is a Reading too, with its reason.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ml.anatomy import lungs_of, outline, width_line
from ml.anomaly import THROUGH_PX, look_for_anomaly
from ml.attention import activation_map
from ml.bundle import CHILD_LABEL, Release, Spec, load_release
from ml.classify import Top, film_views, probabilities, top_findings
from ml.detect import Lesion, find_lesions
from ml.gate import Entry, load_gate
from ml.imaging.decode import Radiograph
from ml.imaging.orient import correct
from ml.imaging.preprocess import prepare, resize_area
from ml.imaging.render import (
    BoxMark,
    draw_boxes,
    draw_film,
    draw_map,
    draw_outlines,
    draw_thumb,
    encode_png,
    fit_size,
)
from ml.localise import Sight
from ml.runtime import Graph, load_graph, to_input
from ml.vocabulary import ABNORMAL, NAMES

# what programs are told of the anatomy; its lines are for the page
MEASURES = ("lung_fraction", "cardiothoracic_ratio")
STAGES = ("gate", "anatomy", "classify", "detect", "anomaly", "attention")
CHILD_STAGE = "paediatric"  # after STAGES, where the reader of children's films is asked for
ANOMALY_NETWORKS = ("unet", "reversed_ae")
HEAT_MAPS = ("attention", *ANOMALY_NETWORKS, "pneumonia")
DIGITS = 6

OnStage = Callable[[str], None]


@dataclass(frozen=True)
class Reading:
    """What the networks say of one film; every field but the first three is None when refused.

    reason: code of ml.refusal.GATE_CODES, None when read
    quality: what the gate saw, and what was corrected before reading
    findings: disease → calibrated probability; abnormal: probability that the film is not normal
    pneumonia: the answer of the reader of children's films, None where it was not asked
    maps: arrays for pictures(); never stored
    """

    status: Literal["read", "refused"]
    reason: str | None
    quality: dict[str, Any]
    release: str
    timings_ms: dict[str, float]
    findings: dict[str, float] | None = None
    top3: list[Top] | None = None
    abnormal: float | None = None
    lesions: list[Lesion] | None = None
    anomaly: dict[str, dict[str, float]] | None = None
    anatomy: dict[str, Any] | None = None
    pneumonia: float | None = None
    entry: Entry = field(default_factory=lambda: Entry(None), repr=False)
    maps: dict[str, np.ndarray] = field(default_factory=dict, repr=False, compare=False)

    def to_json(self) -> dict[str, Any]:
        """The reading as JSON values, numbers rounded to DIGITS places."""
        said = {name: getattr(self, name) for name in self.__dataclass_fields__}
        del said["maps"], said["entry"]
        for name in ("top3", "lesions"):
            if said[name] is not None:
                said[name] = [asdict(item) for item in said[name]]
        if self.anatomy is not None:
            said["anatomy"] = {name: self.anatomy[name] for name in MEASURES}
        rounded: dict[str, Any] = _rounded(said)
        return rounded


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, DIGITS)
    if isinstance(value, Mapping):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return value


class Working:
    """A film at the size of its picture, and what networks take from it, each made once."""

    def __init__(self, pixels: np.ndarray) -> None:
        width, height = fit_size(pixels.shape[1], pixels.shape[0])
        self.pixels = resize_area(pixels, width=width, height=height)  # [h, w] float32 in 0..1
        self._prepared: dict[tuple[int, int], np.ndarray] = {}

    def prepared(self, *, size: int, number: int) -> np.ndarray:
        """The film as [size, size] uint8 by a numbered preprocessing."""
        key = (size, number)
        if key not in self._prepared:
            self._prepared[key] = prepare(self.pixels, size=size, number=number)
        return self._prepared[key]


class Reader:
    """All networks of one release, loaded."""

    def __init__(self, release: Release, graphs: Mapping[str, Graph]) -> None:
        self.release = release
        self._graphs = graphs
        self._gate = load_gate(release.bundles["gate"], graphs["gate"])

    def _spec(self, member: str) -> Spec:
        return self.release.bundles[member].spec

    def warm_up(self) -> None:
        """Run every graph once on an even grey film, so that the first reading is no slower."""
        for member, graph in self._graphs.items():
            expected = self._spec(member).input
            graph.run(to_input(np.full((expected.size, expected.size), 127, np.uint8), expected))

    def read(
        self, film: Radiograph, *, child: bool = False, on_stage: OnStage | None = None
    ) -> Reading:
        """Read a film.

        child: ask the reader of children's films as well
        on_stage: called with the name of each of STAGES before it begins; what it raises goes up
        raises: ValueError where child is asked for and the release has no such reader
        """
        if child and CHILD_STAGE not in self._graphs:
            raise ValueError(f"release {self.release.name} has no reader of children's films")
        clock = _Clock(on_stage)
        with clock.stage("gate"):
            working = Working(film.pixels)
            entry = self._gate.check(working.pixels)
            quality = _quality(film, entry)
            if entry.refusal is None and entry.corrections:
                working = Working(correct(working.pixels, entry.corrections))
        if entry.refusal is not None:
            return Reading(
                "refused", entry.refusal, quality, self.release.name, clock.timings(), entry=entry
            )
        maps: dict[str, np.ndarray] = {}
        found = self._look(working, maps, clock)
        if child:
            with clock.stage(CHILD_STAGE):
                found["pneumonia"] = self._read_child(working, maps)
        return Reading(
            "read", None, quality, self.release.name, clock.timings(),
            entry=entry, maps=maps, **found,
        )  # fmt: skip

    def _look(self, working: Working, maps: dict[str, np.ndarray], clock: _Clock) -> dict[str, Any]:
        """Ask every network that reads all films; returns fields of Reading, fills maps."""
        found: dict[str, Any] = {}
        with clock.stage("anatomy"):
            found["anatomy"] = self._measure(working, maps)
        with clock.stage("classify"):
            found |= self._classify(working, maps)
        with clock.stage("detect"):
            found["lesions"] = self._detect(working, maps, found["findings"])
        with clock.stage("anomaly"):
            found["anomaly"] = self._compare(working, maps)
        with clock.stage("attention"):
            labels, places = self._spec("classifier").labels, maps.pop("places")
            each = [activation_map(places, labels=labels, label=name) for name in NAMES]
            maps["attention"] = each[NAMES.index(found["top3"][0].disease)]
            maps["attention_each"] = np.concatenate(each)  # [13 * h, w]
        return found

    def _prepared(self, working: Working, spec: Spec) -> np.ndarray:
        return working.prepared(size=spec.input.size, number=spec.preprocessing)

    def _classify(self, working: Working, maps: dict[str, np.ndarray]) -> dict[str, Any]:
        spec = self._spec("classifier")
        views = film_views(
            spec,
            lambda side: working.prepared(size=side, number=spec.preprocessing),
            lungs_of(maps["anatomy"]),
        )
        film = to_input(views, spec.input)
        logits, places = self._graphs["classifier"].run(film)  # [1, L], [1, L, h, w]
        all_of_it = probabilities(logits[0], labels=spec.labels, calibration=spec.calibration)
        findings = {name: all_of_it[name] for name in NAMES}
        maps["places"] = places[0]
        return {
            "findings": findings,
            "top3": top_findings(findings),
            "abnormal": all_of_it[ABNORMAL],
        }

    def _detect(
        self, working: Working, maps: Mapping[str, np.ndarray], findings: Mapping[str, float]
    ) -> list[Lesion]:
        spec, labels = self._spec("detector"), self._spec("classifier").labels
        sight = Sight(
            places={name: maps["places"][labels.index(name)] for name in spec.labels},
            probabilities=findings,
            regions=maps["anatomy"],
        )
        return find_lesions(spec, self._graphs["detector"], self._prepared(working, spec), sight)

    def _measure(self, working: Working, maps: dict[str, np.ndarray]) -> dict[str, Any]:
        spec = self._spec("anatomy")
        anatomy = outline(spec, self._graphs["anatomy"], self._prepared(working, spec))
        maps["anatomy"] = anatomy.regions
        measured: dict[str, Any] = {
            "lung_fraction": anatomy.lung_fraction,
            "cardiothoracic_ratio": anatomy.cardiothoracic_ratio,
        }
        if anatomy.cardiothoracic_ratio is not None:
            lungs = lungs_of(anatomy.regions)
            measured["heart_line"] = list(width_line(anatomy.regions == 3))
            measured["chest_line"] = list(width_line(lungs))
        return measured

    def _read_child(self, working: Working, maps: dict[str, np.ndarray]) -> float:
        spec = self._spec(CHILD_STAGE)
        film = to_input(self._prepared(working, spec), spec.input)
        logits, places = self._graphs[CHILD_STAGE].run(film)  # [1, 1], [1, 1, h, w]
        given = probabilities(logits[0], labels=spec.labels, calibration=spec.calibration)
        maps["pneumonia"] = activation_map(places[0], labels=spec.labels, label=CHILD_LABEL)
        return given[CHILD_LABEL]

    def _compare(
        self, working: Working, maps: dict[str, np.ndarray]
    ) -> dict[str, dict[str, float]]:
        scores = {}
        for member in ANOMALY_NETWORKS:
            spec = self._spec(member)
            prepared = working.prepared(size=THROUGH_PX, number=spec.preprocessing)
            seen = look_for_anomaly(spec, self._graphs[member], prepared)
            scores[member] = {"score": seen.score}
            maps[member] = seen.error
        return scores

    def pictures(self, film: Radiograph, reading: Reading) -> dict[str, bytes]:
        """Draw a reading, at most 1024 pixels a side.

        returns: PNG by name: film, thumb, boxes, anatomy, and as grey maps attention, unet,
        reversed_ae, and pneumonia where a child's film was read; attention_each holds the small
        maps of all diseases, one below the other in the order of NAMES; of a refused film only
        film and thumb, as it was sent
        """
        pixels = Working(film.pixels).pixels
        if reading.status == "refused":
            shown = draw_film(pixels)
            return {"film": encode_png(shown), "thumb": encode_png(draw_thumb(shown))}
        shown = draw_film(correct(pixels, reading.entry.corrections))
        height, width = shown.shape
        marks = [
            BoxMark(lesion.label, lesion.box, (reading.findings or {}).get(lesion.label))
            for lesion in reading.lesions or []
            if lesion.shown
        ]
        drawn = {
            "boxes": draw_boxes(shown, marks),
            "anatomy": draw_outlines(shown, reading.maps["anatomy"]),
            "film": shown,
            "thumb": draw_thumb(shown),
            "attention_each": np.rint(reading.maps["attention_each"] * 255).astype(np.uint8),
        }
        for name in HEAT_MAPS:
            if name not in reading.maps:
                continue
            heat = reading.maps[name].astype(np.float32)
            drawn[name] = draw_map(heat, width=width, height=height)
        # Compression takes nearly as long as the networks; an idle second core shares it.
        with ThreadPoolExecutor(max_workers=2) as pool:
            return dict(zip(drawn, pool.map(encode_png, drawn.values()), strict=True))


class _Clock:
    """Announces stages and takes their time."""

    def __init__(self, on_stage: OnStage | None) -> None:
        self.on_stage = on_stage
        self.begun = time.perf_counter()
        self.taken: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        if self.on_stage is not None:
            self.on_stage(name)
        begun = time.perf_counter()
        yield
        self.taken[name] = (time.perf_counter() - begun) * 1e3

    def timings(self) -> dict[str, float]:
        total = (time.perf_counter() - self.begun) * 1e3
        return {name: round(ms, 2) for name, ms in {**self.taken, "total": total}.items()}


def _quality(film: Radiograph, entry: Entry) -> dict[str, Any]:
    quality = {"width": film.header.width, "height": film.header.height, **entry.quality}
    quality["corrections"] = [*film.corrections, *entry.corrections]
    return quality


def load_reader(
    release: str | None = None,
    *,
    backend: str = "openvino",
    threads: int = 1,
    weights: Path | None = None,
) -> Reader:
    """Load all networks of a release.

    release: None for the newest by name; weights: folder of bundles, the package's own by default
    raises: ml.bundle.ReleaseError naming what is wrong
    """
    loaded = load_release(release, weights=weights)
    graphs = {
        member: load_graph(bundle, backend=backend, threads=threads)
        for member, bundle in loaded.bundles.items()
        if member != "synthetic"
    }
    return Reader(loaded, graphs)
