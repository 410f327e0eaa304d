"""What a patient's row repeats from elsewhere: the last visit, and the keys of the search."""

from patients.folding import fold_area, fold_name, fold_number, name_beginnings
from patients.models import NOT_URGENT, Patient, SearchKey


def summarise_visits(patient: Patient) -> None:
    """Set the patient's "as of the last visit" fields from the visits, without saving.

    The last visit is the newest open one, else the newest.
    """
    visits = sorted(patient.visits.all(), key=lambda v: (v.is_open, v.opened_at, str(v.pk)))
    last = visits[-1] if visits else None
    patient.last_visit = last
    patient.arrived_at = last.opened_at if last else patient.created_at
    patient.in_er = last is not None and last.is_open
    patient.left_at = max((v.closed_at for v in visits if v.closed_at), default=None)
    patient.triage_level = last.triage_level if last else None
    patient.urgency = last.triage_level if last and last.is_open else NOT_URGENT
    patient.area_key = fold_area(last.area) if last else ""


VISIT_SUMMARY = (
    "last_visit",
    "arrived_at",
    "in_er",
    "left_at",
    "triage_level",
    "urgency",
    "area_key",
)


def fold_keys(patient: Patient) -> None:
    """Set the folded fields from name and number, without saving."""
    patient.mrn_key = fold_number(patient.mrn) if patient.mrn else None
    patient.name_key = fold_name(f"{patient.family_name} {patient.given_name}")


def search_keys_of(patient: Patient) -> list[SearchKey]:
    """Return the search keys that the patient's name and numbers make, unsaved."""
    names = name_beginnings(patient.family_name, patient.given_name)
    numbers = {fold_number(n) for n in _numbers_of(patient) if n}
    kinds = SearchKey.Kind
    keys = [(kinds.NAME, key) for key in sorted(names)]
    keys += [(kinds.NUMBER, key) for key in sorted(numbers)]
    return [SearchKey(patient=patient, kind=kind, key=key) for kind, key in keys]


def _numbers_of(patient: Patient) -> list[str | None]:
    """Return the patient's numbers, with those of records that were merged into theirs."""
    own = [patient.mrn, patient.temporary_id]
    if patient._state.adding:
        return own
    merged = patient.merged.values_list("mrn", "temporary_id")
    return [*own, *(number for pair in merged for number in pair)]


def rewrite_search_keys(patient: Patient) -> None:
    """Put the patient's present search keys in place of the stored ones."""
    patient.search_keys.all().delete()
    SearchKey.objects.bulk_create(search_keys_of(patient))
