"""Every address of the platform."""

from django.urls import URLPattern, URLResolver, include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from xraydx import health

api: list[URLPattern | URLResolver] = [
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("docs/", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="docs"),
    path("v1/", include("patients.api_urls")),
    path("v1/", include("diagnosis.api_urls")),
]
urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
    path("api/", include(api)),
    path("", include("accounts.urls")),
    path("", include("worklist.urls")),
    path("", include("patients.urls")),
    path("", include("diagnosis.urls")),
    path("audit/", include("audit.urls")),
    path("site/", include("policy.urls")),
    path("quality/", include("quality.urls")),
]

handler400 = "xraydx.error_pages.bad_request"
handler403 = "xraydx.error_pages.forbidden"
handler404 = "xraydx.error_pages.not_found"
handler500 = "xraydx.error_pages.server_error"
