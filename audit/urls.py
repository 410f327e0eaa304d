"""Addresses of the record."""

from django.urls import path

from audit import views

app_name = "audit"

urlpatterns = [
    path("audit/", views.entry_list, name="list"),
    path("audit/filter/", views.entry_filter, name="filter"),
    path("audit/export/", views.entry_export, name="export"),
]
