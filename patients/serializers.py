"""Patients and visits as the API takes and gives them."""

from typing import Any

from rest_framework import serializers

from accounts.models import User
from patients.criteria import STATUSES, Criteria
from patients.models import AREA_LENGTH, NAME_LENGTH, Patient, Sex, Visit
from patients.selectors import possible_attendings
from patients.validation import MRN_LENGTH

VISIT_STATUSES = ("open", "closed")


class PatientOut(serializers.ModelSerializer[Patient]):
    """A patient with the state of their last visit."""

    class Meta:
        model = Patient
        fields = (
            "id",
            "mrn",
            "temporary_id",
            "family_name",
            "given_name",
            "birth_date",
            "age_estimated",
            "sex",
            "in_er",
            "triage_level",
            "arrived_at",
            "created_at",
            "updated_at",
            "version",
        )
        read_only_fields = fields


class PatientIn(serializers.ModelSerializer[Patient]):
    """What a patient is registered with or changed to."""

    sex = serializers.ChoiceField(choices=Sex.choices, required=False, default=Sex.UNKNOWN)

    class Meta:
        model = Patient
        fields = ("mrn", "family_name", "given_name", "birth_date", "age_estimated", "sex")


class PatientChangeIn(PatientIn):
    """Fields to change; version, where given, is the one that the change is based on."""

    version = serializers.IntegerField(required=False, min_value=1, write_only=True)

    class Meta(PatientIn.Meta):
        fields = (*PatientIn.Meta.fields, "version")  # type: ignore[assignment]


class VisitOut(serializers.ModelSerializer[Visit]):
    """A visit."""

    patient = serializers.UUIDField(source="patient_id", read_only=True)
    attending = serializers.UUIDField(source="attending_id", read_only=True, allow_null=True)
    status = serializers.ChoiceField(choices=VISIT_STATUSES, read_only=True)

    class Meta:
        model = Visit
        fields = (
            "id",
            "patient",
            "triage_level",
            "area",
            "chief_complaint",
            "attending",
            "status",
            "opened_at",
            "closed_at",
            "updated_at",
            "version",
        )
        read_only_fields = fields


class VisitIn(serializers.ModelSerializer[Visit]):
    """What a visit is opened with; attending is the id of a physician's account."""

    attending = serializers.PrimaryKeyRelatedField[User](
        queryset=User.objects.none(),
        pk_field=serializers.UUIDField(),
        required=False,
        allow_null=True,
    )

    class Meta:
        model = Visit
        fields = ("triage_level", "area", "chief_complaint", "attending")

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Let attending name a physician of today, not of when the process started."""
        fields = super().get_fields()
        fields["attending"].queryset = possible_attendings()  # type: ignore[attr-defined]
        return fields


class VisitChangeIn(VisitIn):
    """Fields to change; status or closed_at close the visit and open it again."""

    status = serializers.ChoiceField(choices=VISIT_STATUSES, required=False)
    closed_at = serializers.DateTimeField(required=False, allow_null=True)
    version = serializers.IntegerField(required=False, min_value=1)

    class Meta(VisitIn.Meta):
        fields = (*VisitIn.Meta.fields, "status", "closed_at", "version")  # type: ignore[assignment]


class _Strict(serializers.Serializer[Any]):
    """Refuses what it does not know: a filter that is left out unsaid shows the wrong patients."""

    def to_internal_value(self, data: Any) -> Any:
        """Name every unknown field in the errors."""
        known = super().to_internal_value(data)
        unknown = {name: ["unknown"] for name in data if name not in self.fields}
        if unknown:
            raise serializers.ValidationError(unknown)
        return known


class ListFilters(_Strict):
    """What may stand in the query string of the list: nothing that tells who somebody is."""

    triage = serializers.IntegerField(required=False, min_value=1, max_value=5)
    area = serializers.CharField(required=False, max_length=AREA_LENGTH)
    status = serializers.ChoiceField(choices=STATUSES, required=False)
    cursor = serializers.CharField(required=False, max_length=200)

    def criteria(self) -> Criteria:
        """Return the checked filters; the list runs in the order of registration."""
        values = {k: v for k, v in self.validated_data.items() if k != "cursor"}
        return Criteria(sort="registered", **values)

    def place(self) -> str:
        """Return the checked cursor, "" for the first page."""
        return str(self.validated_data.get("cursor", ""))


class SearchIn(ListFilters):
    """What to look for; names match from the beginning of any of their words."""

    text = serializers.CharField(required=False, allow_blank=True, max_length=2 * NAME_LENGTH)
    name = serializers.CharField(required=False, allow_blank=True, max_length=2 * NAME_LENGTH)
    family_name = serializers.CharField(required=False, allow_blank=True, max_length=NAME_LENGTH)
    given_name = serializers.CharField(required=False, allow_blank=True, max_length=NAME_LENGTH)
    mrn = serializers.CharField(required=False, allow_blank=True, max_length=MRN_LENGTH)
    birth_date = serializers.DateField(required=False, allow_null=True)

    def criteria(self) -> Criteria:
        """Return the checked criteria."""
        values = {k: v for k, v in self.validated_data.items() if k != "cursor"}
        parts = [values.pop(k, "") for k in ("family_name", "given_name")]
        if any(parts):
            values["name"] = " ".join(filter(None, [values.get("name"), *parts]))
        return Criteria(sort="registered", **values)
