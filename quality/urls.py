"""Addresses of the quality pages."""

from django.urls import path

from quality import views

app_name = "quality"

urlpatterns = [
    path("", views.overview, name="overview"),
    path("shadow/", views.shadow, name="shadow"),
    path("discrepancies/", views.discrepancy_list, name="discrepancies"),
    path("discrepancies/export/", views.export, name="export"),
]
