"""Addresses of the record."""

from django.urls import path

from audit import views

app_name = "audit"

urlpatterns = [
    path("", views.entry_list, name="list"),
    path("filter/", views.entry_filter, name="filter"),
    path("export/", views.entry_export, name="export"),
]
