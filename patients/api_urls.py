"""REST addresses of patients and visits, under /api/v1/."""

from django.urls import path

from patients import api

# Ids are opaque to callers: one that is no UUID is answered 404, after the token is checked.
urlpatterns = [
    path("patients/", api.PatientsView.as_view(), name="api_patients"),
    path("patients/search/", api.PatientSearchView.as_view(), name="api_patient_search"),
    path("patients/<str:patient_id>/", api.PatientView.as_view(), name="api_patient"),
    path(
        "patients/<str:patient_id>/visits/",
        api.PatientVisitsView.as_view(),
        name="api_patient_visits",
    ),
    path("visits/<str:visit_id>/", api.VisitView.as_view(), name="api_visit"),
]
