"""The tables of docs/models.md that show what the gate does, and whose normal is normal."""

from ml.training.stage_tables import gate_lines, normal_lines


def test_each_strength_of_the_gate_has_a_line_and_the_served_one_is_named() -> None:
    row = {"map_50": 0.1234, "shown_hit_0.1": 0.5}
    lines = gate_lines({"gate": 0.5, "gate_on_test": {"gate 0": row, "gate 0.5": row}})
    assert any("0.5 is served" in line for line in lines)
    assert lines[-1].startswith("| gate 0.5 | 0.123 | 0.500 | – |")


def test_a_group_without_a_comparison_has_a_dash() -> None:
    lines = normal_lines({"val_normal_group": {"adults": {"guangzhou": 0.75}}})
    assert lines[-1] == "| adults | – | – | – | 0.750 |"


def test_networks_without_such_figures_have_no_table() -> None:
    assert gate_lines({}) == []
    assert normal_lines({}) == []
