"""Seconds from upload to stored result on an installation of its own, with each stage's share.

python -m benchmarks films [--films N] [--workers N] [--store]
"""

import argparse
import os
import struct
import time
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import psutil
from django.conf import settings

from benchmarks import results
from benchmarks.rounds import Round, Sent, gather, joined
from ml.imaging.synthetic import sample_film
from ml.imaging.write import to_dicom, to_png
from tests.flows.program import Program, make_token
from tests.flows.supervised import Installation, installation, wait_for

KINDS: dict[str, Callable[[int], bytes]] = {
    "PNG 1024 × 1024": lambda seed: to_png(sample_film(seed, 1024)),
    "DICOM 2500 × 3000": lambda seed: to_dicom(sample_film(seed, (3000, 2500)), name="Sample"),
}
AT_ONCE = 20
# Before the first measured film: engines, helpers and plans of the database are warm in use.
WARM_UP_FILMS = 3
TRIES, WAIT_S = 3, 2.0


def send_all(
    one: Installation, program: Program, kind: str, films: list[bytes], *, at_once: int
) -> Round:
    """Send the films, so many side by side, and gather what was stored about them."""
    visit = program.open_visit()

    def send(film: bytes) -> Sent:
        sent_at, started = datetime.now(UTC), time.perf_counter()
        status, found = program.send_film(visit, film, Prefer="wait=30")
        if status == 202:
            found = program.result_of(found["id"], seconds=120)
        elif status != 200:
            raise SystemExit(f"An upload was answered with {status}: {found}")
        return Sent(found["id"], sent_at, time.perf_counter() - started)

    before, busy_s, started = work_of(one), results.busy_seconds(), time.perf_counter()
    with ThreadPoolExecutor(at_once) as pool:
        sent = list(pool.map(send, films))
    took_s = time.perf_counter() - started
    after, busy_s = work_of(one), results.busy_seconds() - busy_s
    worked = {group: after[group] - before[group] for group in after}
    elsewhere_s = busy_s - sum(worked.values())
    del worked["bench"]
    return gather(
        one,
        sent,
        kind=kind,
        at_once=at_once,
        took_s=took_s,
        worked_s={group: seconds / len(films) for group, seconds in worked.items()},
        elsewhere=max(0.0, elsewhere_s / (took_s * (os.cpu_count() or 1))),
        workers=len(one.children("celery")),
    )


def vary(film: bytes, number: int) -> bytes:
    """The same picture in other bytes: known ones would be answered with the film that is there."""
    if film.startswith(b"\x89PNG"):
        body = b"tEXtComment\x00%d" % number
        end = len(film) - 12  # the closing chunk
        size, check = struct.pack(">I", len(body) - 4), struct.pack(">I", zlib.crc32(body))
        return film[:end] + size + body + check + film[end:]
    return film[:-2] + struct.pack("<H", number)  # one pixel in a corner


def work_of(one: Installation) -> dict[str, float]:
    """Seconds of processor time so far of the web, the workers and PostgreSQL, by group."""
    groups: dict[str, list[int]] = {
        "web": one.children("gunicorn"),
        "workers": one.children("celery"),
        "bench": [os.getpid(), *one.children("run_clock"), *one.children("supervisor")],
        "database": [],
    }
    data = str(one.servers.postgres.data)
    for process in psutil.process_iter(["cmdline"]):
        if data in " ".join(process.info["cmdline"] or ()):
            groups["database"].append(process.pid)
    return {name: sum(map(_processor_s, pids)) for name, pids in groups.items()}


def _processor_s(pid: int) -> float:
    """Of a process and all that it started, ended ones included."""
    total = 0.0
    own = psutil.Process(pid)
    # The bench itself started the supervisor, whose children count on their own.
    for process in [own, *(own.children(recursive=True) if pid != os.getpid() else ())]:
        try:
            spent = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += spent.user + spent.system
        total += 0 if pid == os.getpid() else spent.children_user + spent.children_system
    return total


def peak_mib(one: Installation) -> float:
    """The most memory that a worker held, its decoding helper not counted."""
    peaks = []
    for pid in one.children("celery"):
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
        peaks += [int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")]
    return max(peaks, default=0.0)


def main(arguments: list[str] | None = None) -> int:
    """Measure both kinds, one at a time and many at once, and a worker's films per hour."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks films")
    parser.add_argument("--films", type=int, default=30, help="films of each kind, one at a time")
    parser.add_argument("--workers", type=int, default=2, help="workers of the installation")
    parser.add_argument("--store", action="store_true", help="keep the figures in results/")
    options = parser.parse_args(arguments)
    if not settings.configured:
        settings.configure()
    os.environ.setdefault("XRAYDX_API_UPLOADS_PER_MINUTE", "100000")
    with installation() as one:
        one.start(XRAYDX_WORKERS=str(options.workers))
        wait_for(lambda: one.answers("/readyz"), seconds=180)
        program = Program(f"http://127.0.0.1:{one.port}", make_token(one))
        rounds = measure(one, program, options.films)
        figures = {
            "workers": options.workers,
            "release": rounds[0].release,
            "worker_peak_mib": round(peak_mib(one)),
            "rounds": [each.to_json() for each in rounds],
        }
    print(f"\nmost memory of a worker: {figures['worker_peak_mib']} MiB")
    if options.store:
        print(f"stored in {results.store('films', figures)}")
    return 0


def measure(one: Installation, program: Program, count: int) -> list[Round]:
    """All rounds, printed as they come."""
    rounds, seed = [], 0
    for kind, draw in KINDS.items():
        for at_once, wanted in ((1, count), (AT_ONCE, 2 * AT_ONCE)):
            drawn = [draw(seed + number) for number in range(WARM_UP_FILMS + wanted)]
            seed += len(drawn)
            send_all(one, program, kind, drawn[:WARM_UP_FILMS], at_once=1)
            films = drawn[WARM_UP_FILMS:]
            # One at a time, each film has its own quiet moment.
            parts = [[film] for film in films] if at_once == 1 else [films]
            rounds.append(joined([quietest(one, program, kind, part, at_once) for part in parts]))
            rounds[-1].print()
    return rounds


def quietest(
    one: Installation, program: Program, kind: str, films: list[bytes], at_once: int
) -> Round:
    """Repeat the round while the machine works for others too; keep the quietest."""
    found: list[Round] = []
    while len(found) < TRIES and not any(each.elsewhere < results.QUIET for each in found):
        fresh = [vary(film, len(found)) for film in films]
        results.wait_for_quiet(WAIT_S)
        found.append(send_all(one, program, kind, fresh, at_once=at_once))
    return min(found, key=lambda each: each.elsewhere)
