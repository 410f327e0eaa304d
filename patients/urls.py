"""Addresses of patients and visits."""

from django.urls import path

from patients.views import browse, exchange, keeping, merging, records, visits

app_name = "patients"

urlpatterns = [
    path("patients/", browse.patient_list, name="list"),
    path("patients/search/", browse.search, name="search"),
    path("patients/sort/", browse.sort, name="sort"),
    path("patients/register/", records.register, name="register"),
    path("patients/deleted/", keeping.deleted, name="deleted"),
    path("patients/reasons/", keeping.reasons, name="reasons"),
    path("patients/merges/", merging.merges, name="merges"),
    path("patients/merges/<uuid:merge_id>/undo/", merging.unmerge, name="unmerge"),
    path("patients/import/", exchange.import_csv, name="import"),
    path("patients/import/<uuid:import_id>/", exchange.import_preview, name="import_preview"),
    path(
        "patients/import/<uuid:import_id>/register/",
        exchange.import_register,
        name="import_register",
    ),
    path("patients/<uuid:patient_id>/merge/", merging.choose, name="merge_choose"),
    path("patients/<uuid:patient_id>/merge/<uuid:other_id>/", merging.merge, name="merge"),
    path("patients/<uuid:patient_id>/export/", exchange.export, name="export"),
    path("patients/<uuid:patient_id>/", records.detail, name="detail"),
    path("patients/<uuid:patient_id>/edit/", records.edit, name="edit"),
    path("patients/<uuid:patient_id>/history/", records.history, name="history"),
    path("patients/<uuid:patient_id>/delete/", records.delete, name="delete"),
    path("patients/<uuid:patient_id>/unlock/", records.unlock, name="unlock"),
    path("patients/<uuid:patient_id>/restore/", keeping.restore, name="restore"),
    path("patients/<uuid:patient_id>/erase/", keeping.erase, name="erase"),
    path("patients/<uuid:patient_id>/visits/", visits.visit_open, name="visit_open"),
    path("visits/<uuid:visit_id>/", visits.visit, name="visit"),
    path("visits/<uuid:visit_id>/edit/", visits.visit_edit, name="visit_edit"),
    path("visits/<uuid:visit_id>/close/", visits.visit_close, name="visit_close"),
    path("visits/<uuid:visit_id>/reopen/", visits.visit_reopen, name="visit_reopen"),
]
