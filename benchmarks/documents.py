"""Writes the stored figures into docs/operations.md and README.md, between their marks."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import results
from benchmarks.rounds import NETWORKS

ROOT = Path(__file__).resolve().parents[1]
BEGIN, END = "<!-- figures: written by `make bench ARGS=--store` -->", "<!-- end of figures -->"
HOUR_MS = 3_600_000


def write_all() -> None:
    """Bring both documents up to date with the stored figures."""
    for name, render in DOCUMENTS.items():
        file = ROOT / name
        file.write_text(replaced(file.read_text(encoding="utf-8"), render()), encoding="utf-8")


def replaced(text: str, figures: str) -> str:
    """The text with these figures between its marks."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{figures}\n{END}{after}"


def readme_line() -> str:
    """What the first page says of speed."""
    films = results.load("films")
    png, dicom = (_round_of(films, kind, 1) for kind in ("PNG", "DICOM"))
    return (
        f"On {_machine(films)} a PNG has its stored result {_s(png, 'upload_to_stored_s')} after "
        f"it was sent and a {dicom['kind']} {_s(dicom, 'upload_to_stored_s')} (median), and "
        f"{_per_core(films, 'PNG'):,} or {_per_core(films, 'DICOM'):,} films are read in an hour "
        "by each core."
    )


def operations_part() -> str:
    """Time, throughput, shares, the next limit and the pages."""
    films, pages = results.load("films"), results.load("pages")
    return "\n".join([*_films_table(films), "", *_shares(films), "", *_limits(films), "",
                      *_opening(results.load("opening")), "", *_pages(pages)])  # fmt: skip


def _films_table(films: dict[str, Any]) -> list[str]:
    kinds = ("PNG", "DICOM")
    alone, many = ([_round_of(films, kind, at_once) for kind in kinds] for at_once in (1, 20))
    hourly = (f"{_per_core(films, kind):,}" for kind in kinds)
    rows = [
        ("upload to stored result, median and 95th percentile", _both(alone, "upload_to_stored_s")),
        ("upload to answer (`Prefer: wait`)", _both(alone, "upload_to_answer_s")),
        ("of that outside the networks", _both(alone, "outside_networks_s")),
        ("20 at once: upload to stored result", _both(many, "upload_to_stored_s")),
        ("films an hour and core, 20 at once", list(hourly)),
    ]
    head = " | ".join(each["kind"] for each in alone)
    return [
        f"Release {films['release']} on {_machine(films)}, {films['workers']} workers, measured "
        f"on {films['measured_on']}. A worker held at most {films['worker_peak_mib']} MiB.",
        "",
        f"| | {head} |",
        "|---|---|---|",
        *(f"| {name} | {' | '.join(values)} |" for name, values in rows),
    ]


def _shares(films: dict[str, Any]) -> list[str]:
    lines = []
    for kind in ("PNG", "DICOM"):
        shares = dict(_round_of(films, kind, 1)["shares"])
        shares["networks"] = sum(shares.pop(name) for name in NETWORKS)
        ranked = sorted(shares.items(), key=lambda item: -item[1])
        said = ", ".join(f"{name} {100 * share:.0f} %" for name, share in ranked)
        lines.append(f"- Where the time of one {kind} goes: {said}.")
    return lines


def _limits(films: dict[str, Any]) -> list[str]:
    said = []
    for kind in ("PNG", "DICOM"):
        spent = _round_of(films, kind, 20)["processor_ms_per_film"]
        said.append(
            f"- Processor time of one {kind}: workers {spent['workers']} ms, web {spent['web']} "
            f"ms, database {spent['database']} ms. Workers are the limit, and more of them help "
            f"until the web's core takes in {HOUR_MS // spent['web']:,} an hour; that is the next "
            f"limit, for which web processes are added. PostgreSQL's core would last for "
            f"{HOUR_MS // spent['database']:,}."
        )
    return said


def _opening(opening: dict[str, Any]) -> list[str]:
    kinds = {
        "opened_ms": "a film whose result is there, from the click",
        "arrived_ms": "a page that waits, from the stored result",
        "fresh_profile_ms": "from the click, in a browser that has cached nothing",
    }
    rows = [(words, opening[name]) for name, words in kinds.items()]
    view = opening["viewport"]
    return [
        f"The reading view until film and findings are on the screen, in Chromium "
        f"{opening['chromium']} without a GPU, {view['width']} × {view['height']}, on the same "
        f"machine as server and networks (goal {opening['goal_ms']} ms); beside it, which share "
        "of the machine was busy with something else before each opening:",
        "",
        "| | median | p95 | busy elsewhere |",
        "|---|---|---|---|",
        *(
            f"| {words} | {one['median']} ms | {one['p95']} ms | "
            f"{100 * one['machine_busy_before']:.0f} % |"
            for words, one in rows
        ),
    ]


def _pages(pages: dict[str, Any]) -> list[str]:
    rows = pages["pages"]
    slowest = max(rows, key=lambda row: row["p95_ms"])
    most = max(row["queries"] for row in rows)
    over = sum(row["p95_ms"] > pages["goal_p95_ms"] for row in rows)
    named = ("worklist", "list, in the ER", "search for a name that a third has", "patient",
             "reading view", "audit record", "REST analyses since")  # fmt: skip
    lines = [
        f"{len(rows)} pages and requests at {pages['patients']:,} patients and "
        f"{pages['analyses']:,} analyses: the slowest ({slowest['page']}, {slowest['who']}) takes "
        f"{slowest['p95_ms']:.0f} ms at the 95th percentile, {over} of them more than "
        f"{pages['goal_p95_ms']:.0f} ms, and none needs more than {most} queries.",
        "",
        "| page | queries | median ms | p95 ms |",
        "|---|---|---|---|",
    ]
    for name in named:
        row = max((row for row in rows if row["page"] == name), key=lambda row: row["p95_ms"])
        lines.append(
            f"| {name} | {row['queries']} | {row['median_ms']:.0f} | {row['p95_ms']:.0f} |"
        )
    return lines


def _round_of(films: dict[str, Any], kind: str, at_once: int) -> dict[str, Any]:
    found = (each for each in films["rounds"] if each["kind"].startswith(kind))
    return next(each for each in found if (each["at_once"] > 1) == (at_once > 1))


def _machine(said: dict[str, Any]) -> str:
    machine = said["machine"]
    return f"{machine['cores']} cores ({machine['processor']})"


def _per_core(films: dict[str, Any], kind: str) -> int:
    hourly = _round_of(films, kind, 20)["films_per_hour"] / films["machine"]["cores"]
    return int(round(hourly, -2))


def _s(one: dict[str, Any], name: str) -> str:
    return f"{one[name]['median']:.2f} s"


def _both(rounds: list[dict[str, Any]], name: str) -> list[str]:
    return [f"{one[name]['median']:.2f} s, {one[name]['p95']:.2f} s" for one in rounds]


DOCUMENTS: dict[str, Callable[[], str]] = {
    "README.md": readme_line,
    "docs/operations.md": operations_part,
}
