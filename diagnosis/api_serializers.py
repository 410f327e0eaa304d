"""The shapes of films and analyses in the API."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.reverse import reverse

from .models import Analysis, Film, Reading
from .selectors import PROMINENT
from .states import Status

# The two that are numbers; the rest draws lines on the page.
MEASURES = ("lung_fraction", "cardiothoracic_ratio")


class RankedFinding(serializers.Serializer[Any]):
    """One of the most probable diseases."""

    disease = serializers.CharField()
    probability = serializers.FloatField(min_value=0, max_value=1)


class LesionBox(serializers.Serializer[Any]):
    """A box on the film as displayed upright; corners are fractions of its width and height."""

    label = serializers.CharField()  # type: ignore[assignment]
    score = serializers.FloatField()
    box = serializers.ListField(child=serializers.FloatField(), min_length=4, max_length=4)
    shown = serializers.BooleanField()


class AnalysisSerializer(serializers.ModelSerializer[Analysis]):
    """One reading of one film; what was found is null until it has succeeded."""

    film = serializers.UUIDField(source="film_id")
    visit = serializers.UUIDField(source="film.visit_id")
    status = serializers.ChoiceField(choices=Status.values)
    reason = serializers.SerializerMethodField()
    quality = serializers.DictField(allow_null=True)
    top3 = serializers.SerializerMethodField()
    findings = serializers.SerializerMethodField()
    lesions = serializers.SerializerMethodField()
    anomaly = serializers.DictField(allow_null=True)
    anatomy = serializers.SerializerMethodField()
    images = serializers.SerializerMethodField()

    class Meta:
        model = Analysis
        fields = [
            "id",
            "film",
            "visit",
            "status",
            "reason",
            "created_at",
            "updated_at",
            "finished_at",
            "quality",
            "top3",
            "findings",
            "abnormal",
            "lesions",
            "anomaly",
            "anatomy",
            "release",
            "images",
        ]
        read_only_fields = fields

    def get_reason(self, analysis: Analysis) -> str | None:
        """The code of the refusal or the fault."""
        return analysis.reason or None

    @extend_schema_field(RankedFinding(many=True, allow_null=True))
    def get_top3(self, analysis: Analysis) -> list[dict[str, Any]] | None:
        """The three most probable diseases."""
        if analysis.status != Status.SUCCEEDED:
            return None
        return [
            {"disease": row.code, "probability": row.probability}
            for row in analysis.findings.all()
            if row.rank <= PROMINENT
        ]

    @extend_schema_field(serializers.DictField(child=serializers.FloatField(), allow_null=True))
    def get_findings(self, analysis: Analysis) -> dict[str, float] | None:
        """The calibrated probability of each disease."""
        if analysis.status != Status.SUCCEEDED:
            return None
        return {row.code: row.probability for row in analysis.findings.all()}

    @extend_schema_field(LesionBox(many=True, allow_null=True))
    def get_lesions(self, analysis: Analysis) -> list[dict[str, Any]] | None:
        """The boxes that pass their operating point, best first."""
        if analysis.status != Status.SUCCEEDED:
            return None
        return [
            {
                "label": row.label,
                "score": row.score,
                "box": [row.x0, row.y0, row.x1, row.y1],
                "shown": row.shown,
            }
            for row in analysis.lesions.all()
            if row.shown
        ]

    @extend_schema_field(
        serializers.DictField(child=serializers.FloatField(allow_null=True), allow_null=True)
    )
    def get_anatomy(self, analysis: Analysis) -> dict[str, float | None] | None:
        """The share of the film that is lung, and heart to chest width."""
        if analysis.anatomy is None:
            return None
        return {name: analysis.anatomy.get(name) for name in MEASURES}

    @extend_schema_field(serializers.DictField(child=serializers.URLField()))
    def get_images(self, analysis: Analysis) -> dict[str, str]:
        """Name of a picture → the address of its PNG."""
        if not analysis.images:
            return {}
        first, *others = sorted(analysis.images)
        # One look-up and not six: a page has 50 analyses.
        address = reverse(
            "diagnosis_api:image", args=[analysis.id, first], request=self.context["request"]
        )
        folder = address.removesuffix(f"{first}/")
        return {first: address, **{name: f"{folder}{name}/" for name in others}}


class FilmSerializer(serializers.ModelSerializer[Film]):
    """One radiograph; analyses: its readings, newest first."""

    patient = serializers.UUIDField(source="patient_id")
    visit = serializers.UUIDField(source="visit_id")
    pixel_spacing_mm = serializers.ListField(child=serializers.FloatField(), allow_null=True)
    analyses = serializers.SerializerMethodField()

    class Meta:
        model = Film
        fields = [
            "id",
            "patient",
            "visit",
            "sha256",
            "size",
            "format",
            "width",
            "height",
            "view",
            "pixel_spacing_mm",
            "patient_id_matches",
            "uploaded_at",
            "analyses",
        ]
        read_only_fields = fields

    @extend_schema_field(serializers.ListField(child=serializers.UUIDField()))
    def get_analyses(self, film: Film) -> list[str]:
        """Their ids."""
        return [str(analysis.id) for analysis in film.analyses.all()]


class MissedFinding(serializers.Serializer[Any]):
    """What the networks missed: a disease's code, or `other` with words; box as of lesions."""

    code = serializers.CharField()
    words = serializers.CharField()
    box = serializers.ListField(
        child=serializers.FloatField(), min_length=4, max_length=4, allow_null=True
    )


class Signer(serializers.Serializer[Any]):
    """Who signed."""

    id = serializers.UUIDField()
    name = serializers.CharField(source="__str__")


class ReadingSerializer(serializers.ModelSerializer[Reading]):
    """What a person signed about a film, beside what the networks found; never changed after.

    An amendment is a further version of the same analysis; the highest one holds.
    """

    analysis = serializers.UUIDField(source="analysis_id")
    film = serializers.UUIDField(source="analysis.film_id")
    visit = serializers.UUIDField(source="analysis.film.visit_id")
    patient = serializers.UUIDField(source="analysis.film.patient_id")
    is_last = serializers.BooleanField()
    verdict = serializers.ChoiceField(choices=Reading.Verdict.values)
    findings = serializers.DictField(child=serializers.ChoiceField(choices=Reading.Verdict.values))
    missed = MissedFinding(source="added", many=True)
    signed_by = Signer()

    class Meta:
        model = Reading
        fields = [
            "id",
            "analysis",
            "film",
            "visit",
            "patient",
            "version",
            "is_last",
            "verdict",
            "findings",
            "missed",
            "report",
            "note",
            "signed_by",
            "signed_at",
        ]
        read_only_fields = fields


class ReadingPage(serializers.Serializer[Any]):
    """A page of signed readings."""

    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = ReadingSerializer(many=True)


class AnalysisPage(serializers.Serializer[Any]):
    """A page of analyses."""

    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = AnalysisSerializer(many=True)


class FilmPage(serializers.Serializer[Any]):
    """A page of films."""

    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = FilmSerializer(many=True)


class UploadForm(serializers.Serializer[Any]):
    """A film to be filed under a visit."""

    file = serializers.FileField()
    confirm_patient = serializers.BooleanField(required=False, default=False)


class MoveForm(serializers.Serializer[Any]):
    """Where a film belongs, and why it was filed elsewhere."""

    visit = serializers.UUIDField()
    reason = serializers.CharField(max_length=400)
