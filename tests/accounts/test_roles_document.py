from pathlib import Path

from accounts.permissions import ROLE_CAPABILITIES, Capability
from accounts.roles import Role

DOCUMENT = Path(__file__).parents[2] / "docs" / "roles.md"


def test_the_documented_table_is_the_one_that_holds() -> None:
    lines = DOCUMENT.read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if "|" in line]
    roles = [Role(name) for name in rows[0][2:]]
    assert set(roles) == set(Role)
    written = {row[0].strip("`"): row[2:] for row in rows[2:]}
    assert set(written) == {capability.value for capability in Capability}
    for capability, cells in written.items():
        holders = {role for role, cell in zip(roles, cells, strict=True) if cell == "✓"}
        assert holders == {r for r, has in ROLE_CAPABILITIES.items() if capability in has}
