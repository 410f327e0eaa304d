"""Prometheus metrics: counts and times of requests, and the state of the queue.

The web runs in several processes that share their counts through PROMETHEUS_MULTIPROC_DIR;
what the workers do is read from the database when somebody asks.
"""

import os
from collections.abc import Iterator

from django.db import DatabaseError, connection
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

REQUESTS = Counter("xraydx_requests_total", "Requests answered", ["method", "route", "status"])
SECONDS = Histogram(
    "xraydx_request_seconds",
    "Time to answer",
    ["route"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
KNOWN_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

QUEUE_STATES = """
SELECT status, count(*) FROM diagnosis_analysis
WHERE status IN ('queued', 'running') OR finished_at > now() - interval '1 hour'
GROUP BY status
"""
LONGEST_WAIT = """
SELECT coalesce(extract(epoch FROM max(now() - created_at)), 0)
FROM diagnosis_analysis WHERE status = 'queued'
"""
LIVE_WORKERS = """
SELECT count(*) FROM diagnosis_workerheartbeat WHERE seen_at > now() - interval '20 seconds'
"""


def observe_request(method: str, route: str, status: int, seconds: float) -> None:
    """Count a request under its route's pattern, never under its address."""
    REQUESTS.labels(method if method in KNOWN_METHODS else "other", route, str(status)).inc()
    SECONDS.labels(route).observe(seconds)


class QueueCollector(Collector):
    """The queue as the database has it at this moment."""

    def collect(self) -> Iterator[Metric]:
        """Yield figures, or nothing while the database is away."""
        try:
            with connection.cursor() as cursor:
                cursor.execute(QUEUE_STATES)
                states = cursor.fetchall()
                cursor.execute(LONGEST_WAIT)
                (wait,) = cursor.fetchone() or (0,)
                cursor.execute(LIVE_WORKERS)
                (workers,) = cursor.fetchone() or (0,)
        except DatabaseError:
            return
        analyses = GaugeMetricFamily(
            "xraydx_analyses",
            "Analyses waiting, running, or ended within an hour",
            labels=["status"],
        )
        for status, count in states:
            analyses.add_metric([status], count)
        yield analyses
        yield GaugeMetricFamily(
            "xraydx_longest_wait_seconds", "How long the oldest film waits", value=float(wait)
        )
        yield GaugeMetricFamily(
            "xraydx_live_workers", "Workers seen within 20 s", value=float(workers)
        )


def render() -> tuple[bytes, str]:
    """Everything as text, and its content type."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        requests = CollectorRegistry()
        MultiProcessCollector(requests)
    else:
        requests = REGISTRY
    queue = CollectorRegistry()
    queue.register(QueueCollector())
    return generate_latest(requests) + generate_latest(queue), CONTENT_TYPE_LATEST
