"""Addresses of the pages of films."""

from django.urls import path

from . import views, views_quick, views_reading, views_removal

app_name = "diagnosis"
urlpatterns = [
    path("visits/<uuid:visit_id>/films/", views.upload, name="upload"),
    path("films/<uuid:film_id>/", views.film, name="film"),
    path("films/<uuid:film_id>/delete/", views.film_delete, name="film_delete"),
    path("films/deleted/", views_removal.deleted, name="deleted_films"),
    path("films/<uuid:film_id>/restore/", views_removal.restore, name="film_restore"),
    path("films/<uuid:film_id>/erase/", views_removal.erase, name="film_erase"),
    path("films/<uuid:film_id>/move/", views.film_move, name="film_move"),
    path("films/<uuid:film_id>/rerun/", views.rerun, name="rerun"),
    path("analyses/<uuid:analysis_id>/status/", views.analysis_status, name="analysis_status"),
    path("analyses/<uuid:analysis_id>/images/<slug:name>/", views.image, name="image"),
    path("analyses/<uuid:analysis_id>/cancel/", views.cancel, name="cancel"),
    path("analyses/<uuid:analysis_id>/sign/", views_reading.sign, name="sign"),
    path("analyses/<uuid:analysis_id>/depth/", views_reading.depth, name="depth"),
    path("analyses/<uuid:analysis_id>/first-look/", views_reading.first_look, name="first_look"),
    path("analyses/<uuid:analysis_id>/report/", views_reading.report_page, name="report"),
    path("analyses/<uuid:analysis_id>/report.pdf", views_reading.report_file, name="report_pdf"),
    path("films/<uuid:film_id>/others/", views_reading.others, name="others"),
    path("films/<uuid:film_id>/prior/<uuid:prior_id>/", views_reading.prior, name="prior"),
    path(
        "films/<uuid:film_id>/first-look-choice/",
        views_reading.first_look_choice,
        name="first_look_choice",
    ),
    path("retention/", views_removal.keeping, name="retention"),
    path("quick/", views_quick.ask, name="quick"),
    path("quick/<uuid:quick_id>/", views_quick.answer, name="quick_answer"),
    path("quick/<uuid:quick_id>/images/<slug:name>/", views_quick.picture, name="quick_picture"),
    path("limits/", views_quick.limits, name="limits"),
    path("help/", views_quick.keys_and_help, name="help"),
]
