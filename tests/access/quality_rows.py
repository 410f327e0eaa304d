"""Rows of the access matrix: the quality pages."""

from accounts.models import User
from diagnosis.services import sign_reading
from tests.access.matrix import Call, Row, with_capability
from tests.accounts.factories import make_physician
from tests.diagnosis.factories import make_refusal, make_result

QUALITY = with_capability("view_quality")


def signed_otherwise(actor: User | None) -> Call:
    verdicts = {"Pneumothorax": "disagree", "Effusion": "agree"}
    sign_reading(analysis=make_result(), by=make_physician(), findings=verdicts)
    make_refusal()
    return Call()


ROWS = [
    Row("quality:overview", "get", QUALITY, signed_otherwise),
    Row("quality:shadow", "get", QUALITY),
    Row("quality:discrepancies", "get", QUALITY, signed_otherwise),
    Row("quality:export", "post", QUALITY, signed_otherwise),
]
