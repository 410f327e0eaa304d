"""Addresses of the worklist."""

from django.urls import path

from worklist import views

app_name = "worklist"

urlpatterns = [
    path("", views.home, name="home"),
    path("worklist/", views.worklist, name="list"),
    path("worklist/filter/", views.narrow, name="filter"),
    path("worklist/changes/", views.changes, name="changes"),
    path("worklist/<uuid:study_id>/take/", views.take, name="take"),
    path("worklist/<uuid:study_id>/release/", views.release, name="release"),
    path("worklist/<uuid:study_id>/hold/", views.hold, name="hold"),
]
