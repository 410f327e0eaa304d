"""The findings: their names, order and definitions. docs/vocabulary.md is checked against this."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Disease:
    """One of the diseases that the classifier gives a probability for.

    name: as in the labels of NIH ChestX-ray14, stable in files and in the API
    plain: in words, for pages
    snomed: concept of SNOMED CT, None where no concept says the same
    urgent: may need action within minutes to hours, and is shown first
    """

    name: str
    plain: str
    definition: str
    urgent: bool = False
    snomed: str | None = None


DISEASES: tuple[Disease, ...] = (
    Disease(
        "Atelectasis",
        "collapsed lung tissue",
        "Loss of volume of a lung, a lobe or part of one, with less air in it.",
        snomed="46621007",
    ),
    Disease(
        "Cardiomegaly",
        "enlarged heart",
        "Heart shadow wider than half of the chest on a frontal film.",
        snomed="8186001",
    ),
    Disease(
        "Effusion",
        "fluid around the lung",
        "Fluid between lung and chest wall, seen as a blunted angle or a rising opacity.",
        urgent=True,
        snomed="60046008",
    ),
    Disease(
        "Infiltration",
        "ill-defined opacity",
        "Ill-defined density in the lung; an older word of reports, used for several processes.",
    ),
    Disease(
        "Mass",
        "mass over 3 cm",
        "Rounded opacity of more than 3 cm in the lung, pleura or mediastinum.",
    ),
    Disease(
        "Nodule",
        "nodule up to 3 cm",
        "Rounded opacity of at most 3 cm in the lung.",
        snomed="786838002",
    ),
    Disease(
        "Pneumonia",
        "lung infection",
        "Infection of lung tissue, seen as an opacity with or without air in the bronchi.",
        urgent=True,
        snomed="233604007",
    ),
    Disease(
        "Pneumothorax",
        "air around the lung",
        "Air between lung and chest wall, seen as a pleural line without lung markings beyond it.",
        urgent=True,
        snomed="36118008",
    ),
    Disease(
        "Consolidation",
        "lung filled with fluid or cells",
        "Air spaces filled so that vessels are no longer seen, often with air in the bronchi.",
        urgent=True,
        snomed="95436008",
    ),
    Disease(
        "Edema",
        "fluid in the lungs",
        "Fluid in the lung's tissue and air spaces, mostly on both sides and around the hila.",
        urgent=True,
        snomed="19242006",
    ),
    Disease(
        "Emphysema",
        "destroyed air spaces",
        "Air spaces widened for good, seen as dark, over-expanded lungs and a flat diaphragm.",
        snomed="87433001",
    ),
    Disease(
        "Fibrosis",
        "scarring of the lung",
        "Scar tissue in the lung, seen as lines or a net with loss of volume.",
        snomed="51615001",
    ),
    Disease(
        "Pleural_Thickening",
        "thickened pleura",
        "Thicker pleura along the chest wall, mostly a scar.",
    ),
)

NAMES: tuple[str, ...] = tuple(disease.name for disease in DISEASES)

HERNIA = "Hernia"
ABNORMAL = "abnormal"
# the classifier's own outputs: the 13, then two that pages do not list
CLASSIFIER_LABELS: tuple[str, ...] = (*NAMES, HERNIA, ABNORMAL)

# the labels that NIH's radiologist drew boxes for (BBox_List_2017.csv says Infiltrate)
BOX_LABELS: tuple[str, ...] = (
    "Atelectasis",
    "Cardiomegaly",
    "Effusion",
    "Infiltration",
    "Mass",
    "Nodule",
    "Pneumonia",
    "Pneumothorax",
)
