"""Figures for Prometheus: requests by route, and how old what people look at is."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

if TYPE_CHECKING:
    from service.api.state import AppState

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """The figures of one process. No label ever holds a claim, a person or an address."""

    def __init__(self) -> None:
        """A registry of its own, so that two services in one process do not add up."""
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "minhbach_http_requests", "Requests answered", ("method", "route", "status"), registry=self.registry
        )
        self._seconds = Histogram(
            "minhbach_http_request_seconds",
            "Time to the end of the answer",
            ("method", "route"),
            buckets=BUCKETS,
            registry=self.registry,
        )
        self._run_age = Gauge(
            "minhbach_last_run_age_seconds", "Time since the newest scoring run was stored", registry=self.registry
        )
        self._run_claims = Gauge("minhbach_last_run_encounters", "Encounters of that run", registry=self.registry)
        self._snapshot = Gauge("minhbach_lake_snapshot", "Snapshot of the lake being read", registry=self.registry)

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Note one request; `route` is the route's pattern."""
        known = method if method in METHODS else "other"
        self._requests.labels(known, route, str(status)).inc()
        self._seconds.labels(known, route).observe(seconds)

    def text(self, state: AppState) -> bytes:
        """Everything in Prometheus' text format, as of now."""
        self._snapshot.set(state.reading.snapshot())
        run = state.reading.latest_run()
        if run is not None:
            stored = datetime.fromisoformat(run.at)
            now = state.clock()
            self._run_age.set((now - (stored if stored.tzinfo else stored.replace(tzinfo=now.tzinfo))).total_seconds())
            self._run_claims.set(run.encounters)
        return generate_latest(self.registry)
