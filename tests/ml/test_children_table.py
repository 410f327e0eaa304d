"""The readers of children's films stand side by side on the page."""

from pathlib import Path

from ml.training.children_table import COLUMNS, children_lines, lines_of

INTERVAL = {"value": 0.9, "low": 0.85, "high": 0.94}


def run(network: str) -> dict[str, object]:
    parts: dict[str, dict[str, dict[str, float]]] = {}
    for part, figure in COLUMNS:
        parts.setdefault(part, {})[figure] = INTERVAL
    return {"network": network, "films drawn": 9600, "megabytes": 4.45, **parts}


def test_each_run_has_a_row_with_its_intervals() -> None:
    runs = {"paediatric": run("Paediatric"), "paediatric_xception": run("Xception")}
    lines = lines_of({"command": "python -m ml evaluate children", "runs": runs})
    rows = [line for line in lines if line.startswith("| paediatric")]
    assert rows[0].startswith("| paediatric | MobileNetV2 | 9,600 | 4.5 | 0.900 (0.850–0.940) |")
    assert rows[1].startswith("| paediatric_xception | Xception's kind |")
    columns = {line.count("|") for line in lines if line.startswith("|")}
    assert columns == {len(COLUMNS) + 5}


def test_what_is_not_stored_has_no_lines(tmp_path: Path) -> None:
    assert children_lines(tmp_path / "none.json") == []
