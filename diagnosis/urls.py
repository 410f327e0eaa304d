"""Addresses of the pages of films."""

from django.urls import path

from . import views

app_name = "diagnosis"
urlpatterns = [
    path("visits/<uuid:visit_id>/films/", views.upload, name="upload"),
    path("films/<uuid:film_id>/", views.film, name="film"),
    path("films/<uuid:film_id>/delete/", views.film_delete, name="film_delete"),
    path("films/<uuid:film_id>/move/", views.film_move, name="film_move"),
    path("films/<uuid:film_id>/rerun/", views.rerun, name="rerun"),
    path("analyses/<uuid:analysis_id>/status/", views.analysis_status, name="analysis_status"),
    path("analyses/<uuid:analysis_id>/images/<slug:name>/", views.image, name="image"),
    path("analyses/<uuid:analysis_id>/cancel/", views.cancel, name="cancel"),
    path("analyses/<uuid:analysis_id>/sign/", views.sign, name="sign"),
]
