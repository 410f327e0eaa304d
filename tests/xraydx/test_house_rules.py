"""Budgets and habits that no linter holds: length, terms, documents, what may be committed."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = (
    "xraydx",
    "accounts",
    "audit",
    "policy",
    "patients",
    "diagnosis",
    "worklist",
    "quality",
    "ml",
)
FILE_LINES, FUNCTION_LINES, VIEW_LINES = 400, 40, 25


def sources(*folders: str) -> list[Path]:
    found = [file for folder in folders for file in (ROOT / folder).rglob("*.py")]
    return [file for file in found if "migrations" not in file.parts]


def functions(file: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def is_view(file: Path) -> bool:
    relative = file.relative_to(ROOT)
    return relative.stem in {"views", "api"} or "views" in relative.parts


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode != 0:
        pytest.skip("no git here")
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).is_file()]


def test_files_stay_short() -> None:
    files = sources(*PACKAGES, "tests")
    assert {
        str(file.relative_to(ROOT)): count
        for file in files
        if (count := len(file.read_text().splitlines())) > FILE_LINES
    } == {}


def test_functions_stay_short() -> None:
    found = {}
    for file in sources(*PACKAGES):
        limit = VIEW_LINES if is_view(file) else FUNCTION_LINES
        for node in functions(file):
            length = (node.end_lineno or 0) - node.lineno + 1
            if length > limit:
                found[f"{file.relative_to(ROOT)}:{node.name}"] = length
    assert found == {}


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        str(file.relative_to(ROOT))
        for file in sources(*PACKAGES)
        if file.name not in {"__init__.py", "apps.py"}
        and ast.get_docstring(ast.parse(file.read_text())) is None
    ]
    assert silent == []


def test_only_the_queue_writes_the_status_of_an_analysis() -> None:
    writes = re.compile(
        r"\.update\([^)]*\bstatus=|\bstatus\s*=\s*Status\.|analysis\.status\s*=[^=]"
    )
    allowed = {ROOT / "diagnosis" / name for name in ("queue.py", "models.py")}
    found = [
        f"{file.relative_to(ROOT)}:{number}"
        for file in sources("diagnosis")
        if file not in allowed
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if writes.search(line) and "filter(" not in line and "exclude(" not in line
    ]
    assert found == []


def test_pages_hold_no_inline_script_and_no_inline_style() -> None:
    inline = re.compile(r"<script(?![^>]*\bsrc=)|<style\b|\sstyle=|\son[a-z]+=|javascript:")
    found = [
        f"{file.relative_to(ROOT)}:{number}"
        for file in (ROOT / "templates").rglob("*.html")
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if inline.search(line)
    ]
    assert found == []


def test_nothing_unfinished_is_committed() -> None:
    word = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")
    suffixes = {".py", ".html", ".css", ".js", ".md", ".toml", ".yml", ".sh"}
    found = [
        str(file.relative_to(ROOT))
        for file in tracked()
        if file.suffix in suffixes
        and "vendor" not in file.parts
        and word.search(file.read_text(errors="replace"))
    ]
    assert found == []


def test_every_link_between_documents_leads_somewhere() -> None:
    link = re.compile(r"\]\((?!https?://|#|mailto:)([^)#\s]+)")
    broken = [
        f"{file.relative_to(ROOT)} → {target}"
        for file in tracked()
        if file.suffix == ".md"
        for target in link.findall(file.read_text())
        if not (file.parent / target).exists()
    ]
    assert broken == []


def test_every_document_that_the_readme_names_exists() -> None:
    text = (ROOT / "README.md").read_text()
    named = re.findall(r"\b(docs/[a-z0-9/._-]*[a-z0-9/])", text)
    assert [name for name in named if not (ROOT / name).exists()] == []
