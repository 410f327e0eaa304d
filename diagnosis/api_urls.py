"""Addresses of films and analyses under /api/v1/."""

from django.urls import path

from . import api, api_readings

app_name = "diagnosis_api"
urlpatterns = [
    path("visits/<uuid:visit_id>/films/", api.VisitFilmsView.as_view(), name="visit_films"),
    path("films/<uuid:film_id>/", api.FilmView.as_view(), name="film"),
    path("films/<uuid:film_id>/analyses/", api.FilmAnalysesView.as_view(), name="film_analyses"),
    path("films/<uuid:film_id>/move/", api.FilmMoveView.as_view(), name="film_move"),
    path("analyses/", api.AnalysesView.as_view(), name="analyses"),
    path("analyses/<uuid:analysis_id>/", api.AnalysisView.as_view(), name="analysis"),
    path(
        "analyses/<uuid:analysis_id>/cancel/",
        api.AnalysisCancelView.as_view(),
        name="analysis_cancel",
    ),
    path(
        "analyses/<uuid:analysis_id>/readings/",
        api_readings.AnalysisReadingsView.as_view(),
        name="analysis_readings",
    ),
    path("readings/", api_readings.ReadingsView.as_view(), name="readings"),
    path("readings/<uuid:reading_id>/", api_readings.ReadingView.as_view(), name="reading"),
    path("analyses/<uuid:analysis_id>/images/<slug:name>/", api.ImageView.as_view(), name="image"),
]
