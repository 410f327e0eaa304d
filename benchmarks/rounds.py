"""What one round of films cost, from the moments that are stored with each analysis."""

import statistics
from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import datetime
from operator import mul
from typing import Any

import psycopg

from benchmarks.results import percentile
from tests.flows.supervised import Installation
from xraydx.embedded_postgres import OWNER

NETWORKS = ("gate", "anatomy", "classify", "detect", "anomaly", "attention")
# in the order of the story; "closing" is what the others leave: the row's moves, renewed leases
STAGES = ("taking in", "waiting", "load", "decode", *NETWORKS, "pictures", "store", "closing")
STORED = """
SELECT id::text, created_at, started_at, finished_at, timings_ms, status, release
FROM diagnosis_analysis WHERE id = ANY(%s::uuid[])
"""


@dataclass(frozen=True)
class Sent:
    """One film: its analysis, when it was sent, and seconds until the answer was in."""

    analysis: str
    sent_at: datetime
    answered_s: float


@dataclass
class Round:
    """Films of one kind, so many side by side.

    stored_s, answered_s, outside_s: seconds per film from sending to the stored result, to the
        answer, and of the first the part that no network used
    stages_ms: milliseconds of each of STAGES per film
    worked_s: processor time per film of each group of processes
    elsewhere: share of the machine that worked for something else meanwhile
    """

    kind: str
    at_once: int
    release: str
    refused: int
    took_s: float
    stored_s: list[float]
    answered_s: list[float]
    outside_s: list[float]
    stages_ms: dict[str, list[float]]
    worked_s: dict[str, float]
    elsewhere: float
    workers: int

    def per_hour(self) -> float:
        """Films that this installation finishes in an hour of such a round."""
        return 3600 * len(self.stored_s) / self.took_s

    def shares(self) -> dict[str, float]:
        """Each stage's share of the time from sending to the stored result."""
        total = sum(sum(values) for values in self.stages_ms.values())
        return {stage: sum(values) / total for stage, values in self.stages_ms.items()}

    def to_json(self) -> dict[str, Any]:
        """The figures, rounded."""

        def spread(values: list[float]) -> dict[str, float]:
            return {
                "median": round(statistics.median(values), 3),
                "p95": round(percentile(values, 0.95), 3),
            }

        return {
            "kind": self.kind,
            "at_once": self.at_once,
            "films": len(self.stored_s),
            "refused": self.refused,
            "upload_to_stored_s": spread(self.stored_s),
            "upload_to_answer_s": spread(self.answered_s),
            "outside_networks_s": spread(self.outside_s),
            "films_per_hour": round(self.per_hour()),
            "films_per_hour_and_worker": round(self.per_hour() / self.workers),
            "machine_busy_elsewhere": round(self.elsewhere, 2),
            "processor_ms_per_film": {
                name: round(1000 * seconds) for name, seconds in self.worked_s.items()
            },
            "stages_ms": {
                stage: round(statistics.median(values), 1)
                for stage, values in self.stages_ms.items()
            },
            "shares": {stage: round(share, 3) for stage, share in self.shares().items()},
        }

    def print(self) -> None:
        """Print the table of the round."""
        said = self.to_json()
        manner = "one at a time" if self.at_once == 1 else f"{self.at_once} at once"
        print(f"\n{self.kind}, {manner}: {said['films']} films, {self.refused} refused")
        for name in ("upload_to_stored_s", "upload_to_answer_s", "outside_networks_s"):
            title = name.removesuffix("_s").replace("_", " ")
            print(f"  {title:<18} median {said[name]['median']:6.3f} s"
                  f"   p95 {said[name]['p95']:6.3f} s")  # fmt: skip
        for stage, middle in said["stages_ms"].items():
            print(f"    {stage:<16} {middle:8.1f} ms  {100 * said['shares'][stage]:4.0f} %")
        worked = ", ".join(f"{name} {ms} ms" for name, ms in said["processor_ms_per_film"].items())
        print(f"  processor time of a film: {worked}")
        print(f"  films per hour: {said['films_per_hour']}, "
              f"by each worker {said['films_per_hour_and_worker']}")  # fmt: skip
        print(f"  of the machine, {100 * self.elsewhere:.0f} % worked for something else")


def joined(parts: list[Round]) -> Round:
    """Several rounds of the same kind as one."""
    took_s = sum(part.took_s for part in parts)
    films = [len(part.stored_s) for part in parts]

    def mean(values: list[float], weights: list[float] | list[int]) -> float:
        return sum(map(mul, values, weights)) / sum(weights)

    return replace(
        parts[0],
        refused=sum(part.refused for part in parts),
        took_s=took_s,
        stored_s=[value for part in parts for value in part.stored_s],
        answered_s=[value for part in parts for value in part.answered_s],
        outside_s=[value for part in parts for value in part.outside_s],
        stages_ms={
            stage: [value for part in parts for value in part.stages_ms[stage]] for stage in STAGES
        },
        worked_s={
            group: mean([part.worked_s[group] for part in parts], films)
            for group in parts[0].worked_s
        },
        elsewhere=mean([part.elsewhere for part in parts], [part.took_s for part in parts]),
    )


def gather(
    one: Installation,
    sent: list[Sent],
    *,
    kind: str,
    at_once: int,
    took_s: float,
    worked_s: dict[str, float],
    elsewhere: float,
    workers: int,
) -> Round:
    """Join what was sent with what the database holds of it."""
    with psycopg.connect(one.servers.postgres.url(OWNER)) as connection:
        rows = connection.execute(STORED, [[film.analysis for film in sent]]).fetchall()
    found = {row[0]: row[1:] for row in rows}
    stages: dict[str, list[float]] = defaultdict(list)
    stored_s, outside_s, refused = [], [], 0
    for film in sent:
        created, started, finished, timings, status, release = found[film.analysis]
        stored_s.append((finished - film.sent_at).total_seconds())
        spent = {name: float(timings.get(name, 0)) for name in STAGES}
        spent["taking in"] = 1000 * (created - film.sent_at).total_seconds()
        spent["waiting"] = 1000 * (started - created).total_seconds()
        spent["closing"] = max(0.0, 1000 * stored_s[-1] - sum(spent.values()))
        for name in STAGES:
            stages[name].append(spent[name])
        outside_s.append(stored_s[-1] - sum(spent[name] for name in NETWORKS) / 1000)
        refused += status == "refused"
    answered_s = [film.answered_s for film in sent]
    return Round(kind, at_once, release, refused, took_s, stored_s, answered_s, outside_s,
                 dict(stages), worked_s, elsewhere, workers)  # fmt: skip
