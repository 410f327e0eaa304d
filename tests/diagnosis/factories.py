"""Films, analyses and results for tests; the pictures are drawn, never a patient's."""

import io
from itertools import count
from typing import Any

import numpy as np
from PIL import Image

from accounts.models import User
from diagnosis import films, queue
from diagnosis.models import Analysis, Film
from diagnosis.queue import Claim, FindingRow, LesionRow, Outcome
from diagnosis.uploads import study_of
from patients.models import Visit
from tests.accounts.factories import make_radiographer
from tests.patients.factories import make_visit

RELEASE = "2026-01-01"
DISEASES = (
    "Atelectasis",
    "Cardiomegaly",
    "Effusion",
    "Infiltration",
    "Mass",
    "Nodule",
    "Pneumonia",
    "Pneumothorax",
    "Consolidation",
    "Edema",
    "Emphysema",
    "Fibrosis",
    "Pleural_Thickening",
)
PICTURES = (
    "film",
    "thumb",
    "boxes",
    "attention",
    "attention_each",
    "unet",
    "reversed_ae",
    "anatomy",
)
# Thirteen small maps one below the other.
SIZES = {"attention_each": (13 * 7, 7)}
_numbers = count(1)


def draw_png(seed: int | None = None, size: tuple[int, int] = (320, 256)) -> bytes:
    """A grey PNG (height, width) of noise on a ramp; another picture for every seed."""
    rng = np.random.default_rng(next(_numbers) + 10_000 if seed is None else seed)
    ramp = np.linspace(40, 200, size[1])[None, :] + rng.normal(0, 12, size)
    buffer = io.BytesIO()
    Image.fromarray(np.clip(ramp, 0, 255).astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def make_film(
    visit: Visit | None = None, *, by: User | None = None, data: bytes | None = None, **values: Any
) -> Film:
    """Store a film as an upload leaves it, without asking for an analysis."""
    visit = visit or make_visit()
    data = data or draw_png()
    digest = films.measure(data)
    films.store(data, digest)
    given = {"format": "png", "width": 256, "height": 320, "view": "PA", **values}
    return Film.objects.create(
        study=study_of(visit, ""),
        visit=visit,
        patient=visit.patient,
        sha256=digest.sha256,
        size=digest.size,
        uploaded_by=by or make_radiographer(),
        **given,
    )


def make_analysis(film: Film | None = None, *, release: str = RELEASE, **values: Any) -> Analysis:
    """Queue an analysis; `values` are then written into its row."""
    film = film or make_film()
    analysis_id, _ = queue.enqueue(
        film_id=film.id, release=release, requested_by_id=film.uploaded_by_id
    )
    if values:
        Analysis.objects.filter(id=analysis_id).update(**values)
    return Analysis.objects.get(id=analysis_id)


def claim(analysis: Analysis, *, worker: str = "tests@here") -> Claim:
    """Claim exactly this analysis, as a worker would."""
    others = Analysis.objects.filter(status="queued").exclude(id=analysis.id)
    assert not others.exists(), "another analysis waits, and might be claimed instead"
    held = queue.claim_next(worker=worker)
    assert held is not None
    return held


def make_outcome(held: Claim | None = None, **values: Any) -> Outcome:
    """A believable result: Effusion above its operating point, Pneumothorax above its own."""
    probabilities = {name: 0.30 - 0.02 * place for place, name in enumerate(DISEASES)}
    probabilities |= {"Effusion": 0.71, "Pneumothorax": 0.22}
    ranked = sorted(probabilities.items(), key=lambda item: -item[1])
    points = dict.fromkeys(DISEASES, 0.5) | {"Pneumothorax": 0.15}
    images = (
        films.store_pictures(
            held.analysis_id,
            held.attempt,
            {name: draw_png(size=SIZES.get(name, (320, 256))) for name in PICTURES},
        )
        if held
        else {}
    )
    given: dict[str, Any] = {
        "quality": {"view": "PA"},
        "abnormal": 0.83,
        "anomaly": {"unet": {"score": 0.4}, "reversed_ae": {"score": 0.6}},
        "anatomy": {
            "lung_fraction": 0.31,
            "cardiothoracic_ratio": 0.47,
            "heart_line": [0.4, 0.6, 0.776, 0.6],
            "chest_line": [0.1, 0.8, 0.9, 0.8],
        },
        "timings_ms": {"load": 2.0, "decode": 9.0, "classify": 30.0},
        "images": images,
        "findings": [
            FindingRow(code, probability, points[code], rank)
            for rank, (code, probability) in enumerate(ranked, start=1)
        ],
        "lesions": [
            LesionRow("Effusion", 0.52, (0.1, 0.55, 0.4, 0.9), True),
            LesionRow("Nodule", 0.03, (0.6, 0.2, 0.7, 0.3), False),
        ],
    }
    return Outcome(**{**given, **values})


def findings_with(marked: dict[str, float]) -> list[FindingRow]:
    """All findings, of which these are above their operating points."""
    probabilities = dict.fromkeys(DISEASES, 0.01) | marked
    ranked = sorted(probabilities.items(), key=lambda item: -item[1])
    return [
        FindingRow(code, probability, 0.1, rank)
        for rank, (code, probability) in enumerate(ranked, start=1)
    ]


def make_result(film: Film | None = None, **values: Any) -> Analysis:
    """An analysis that was read, with findings, lesions and stored pictures."""
    analysis = make_analysis(film)
    held = claim(analysis)
    queue.succeed(held, make_outcome(held, **values))
    return Analysis.objects.get(id=analysis.id)


def make_refusal(film: Film | None = None, *, reason: str = "lateral") -> Analysis:
    """An analysis whose film was refused."""
    analysis = make_analysis(film)
    queue.refuse(claim(analysis), reason=reason, outcome=Outcome(quality={"view": "LL"}))
    return Analysis.objects.get(id=analysis.id)


def make_failure(film: Film | None = None, *, reason: str = "internal_error") -> Analysis:
    """An analysis that failed for a fault of ours."""
    analysis = make_analysis(film)
    queue.fail(claim(analysis), reason=reason, incident="a1b2c3d4")
    return Analysis.objects.get(id=analysis.id)


def quick_answer(pictures: list[str], **values: Any) -> dict[str, Any]:
    """The answer of a quick read: pneumonia, by the reader for adults."""
    given = {
        "verdict": "pneumonia",
        "probability": 0.61,
        "threshold": 0.2,
        "reader": "adults",
        "release": RELEASE,
        "others": [],
        "pictures": pictures,
    }
    return {**given, **values}
