"""Every address of the platform."""

from importlib.util import find_spec

from django.urls import URLPattern, URLResolver, include, path

from xraydx import health

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
]
for app in ("accounts", "patients", "diagnosis", "audit"):
    if find_spec(f"{app}.urls"):
        urlpatterns.append(path("", include(f"{app}.urls")))
    if find_spec(f"{app}.api_urls"):
        urlpatterns.append(path("api/v1/", include(f"{app}.api_urls")))

handler400 = "xraydx.error_pages.bad_request"
handler403 = "xraydx.error_pages.forbidden"
handler404 = "xraydx.error_pages.not_found"
handler500 = "xraydx.error_pages.server_error"
