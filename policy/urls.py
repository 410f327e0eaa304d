"""Addresses of the site's rules."""

from django.urls import path

from policy import views

app_name = "policy"

urlpatterns = [
    path("", views.rules, name="rules"),
    path("points/", views.points, name="points"),
    path("releases/", views.releases, name="releases"),
    path("releases/activate/", views.activate, name="activate"),
    path("releases/shadow/", views.run_silently, name="shadow"),
]
