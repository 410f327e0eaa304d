"""Prometheus metrics: counts and times of requests, and the state of the queue."""

from prometheus_client import Counter, Histogram

REQUESTS = Counter("xraydx_requests_total", "Requests answered", ["method", "route", "status"])
SECONDS = Histogram(
    "xraydx_request_seconds",
    "Time to answer",
    ["route"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)


def observe_request(method: str, route: str, status: int, seconds: float) -> None:
    """Count a request under its route's pattern, never under its address."""
    REQUESTS.labels(method, route, str(status)).inc()
    SECONDS.labels(route).observe(seconds)
