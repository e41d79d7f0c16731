"""The documents stay true: what they name exists, and what is written from the code is up to date."""

import dataclasses
import re
import runpy
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from replyline.cli import main
from replyline.plugins.line import Line
from replyline.settings import Settings

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "replyline"
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
README, MAP, OPERATIONS = ROOT / "README.md", ROOT / "ARCHITECTURE.md", ROOT / "docs" / "guide" / "operations.md"

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`([^`\n]+)`")
COMMAND = re.compile(r"(?:^|\n|`|\$ )replyline ([a-z]+)")
ENDINGS = "py|md|toml|txt|csv|png|template"
LOGGED = re.compile(r"\blog\.(?:warning|error|exception)\(\s*\"(\w+)\"")


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def named(paths: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("document", paths, ids=[str(path.relative_to(ROOT)) for path in paths])


def test_the_settings_page_is_up_to_date() -> None:
    page = runpy.run_path(str(ROOT / "tools" / "write_settings_page.py"))["page"]()
    assert read(ROOT / "docs" / "settings.md") == page, "Run .venv/bin/python tools/write_settings_page.py"


@named(DOCUMENTS)
def test_every_link_leads_to_a_file(document: Path) -> None:
    targets = [target.partition("#")[0] for target in LINK.findall(read(document)) if "://" not in target]
    missing = [target for target in targets if target and not (document.parent / target).exists()]
    assert not missing, f"{document.name} links to what is not there: {missing}"


@named(DOCUMENTS)
def test_every_command_in_a_document_exists(document: Path) -> None:
    unknown = {word for word in COMMAND.findall(read(document)) if word not in main.commands}
    assert not unknown, f"{document.name} shows commands that do not exist: {unknown}"


@named(DOCUMENTS)
def test_every_setting_in_a_document_exists(document: Path) -> None:
    aliases = {field.alias for field in Settings.model_fields.values()}
    used = set(re.findall(r"\b(?:TWILIO|OPENAI|REPLYLINE)_[A-Z_]*[A-Z]\b", read(document)))
    unknown = {name for name in used if name.removesuffix("_FILE") not in aliases and "_TEST_" not in name}
    assert not unknown, f"{document.name} names settings that do not exist: {unknown}"


def test_the_decision_about_dependencies_knows_them_all() -> None:
    pyproject = tomllib.loads(read(ROOT / "pyproject.toml"))
    required = {re.split(r"[\[<>=; ]", each)[0] for each in pyproject["project"]["dependencies"]}
    table = re.findall(r"^\| (.*?) \|", read(ROOT / "docs" / "decisions" / "0002-dependencies.md"), re.MULTILINE)
    explained = {name.partition("[")[0] for row in table for name in CODE.findall(row)}
    assert explained == required


def test_the_readme_shows_the_conversation_that_is_tested() -> None:
    played = [line for line in read(ROOT / "examples" / "conversation.txt").splitlines() if line[:1] in {">", "<"}]
    shown = [block for _, block in BLOCK.findall(read(README)) if block.startswith(">")]
    assert [line for line in shown[0].splitlines() if line] == played


def test_the_line_in_the_readme_is_a_line() -> None:
    [code] = [block for language, block in BLOCK.findall(read(README)) if language == "python"]
    names: dict[str, Any] = {}
    exec(compile(code, "README.md", "exec"), names)
    line = names["line"]
    assert isinstance(line, Line)
    assert len(line.actions) > len(line.plugins), "The README shows an action of the line's own."


def test_the_guide_gives_a_line_its_own_defaults() -> None:
    fields = {field.name: field.default for field in dataclasses.fields(Line)}
    rows = re.findall(r"^\| (`.*?`) \| (.*) \|$", read(ROOT / "docs" / "guide" / "first-line.md"), re.MULTILINE)
    for names, words in rows:
        numbers = [fields[name] for name in CODE.findall(names) if isinstance(fields[name], int | float)]
        assert all(f"{number:g}" in words for number in numbers), f"{names}: {numbers}"


def test_the_architecture_fits_on_a_few_screens() -> None:
    assert len(read(MAP).splitlines()) < 200


def test_the_architecture_names_only_paths_that_exist() -> None:
    text = read(MAP)
    outside_blocks = BLOCK.sub("", text)
    paths = {word for code in CODE.findall(outside_blocks) for word in code.split() if is_path(word)}
    assert not {path for path in paths if not is_there(path)}


def test_the_map_shows_every_folder_and_only_files_that_exist() -> None:
    _, tree = BLOCK.findall(read(MAP))[0]
    shown = list(rows_of(tree))
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir() and not path.name.startswith("__")}
    assert {folder for folder, _ in shown if folder} == folders
    missing = [
        f"{folder}/{name}" for folder, names in shown for name in names if not (PACKAGE / folder / name).exists()
    ]
    assert not missing, f"The map shows files that do not exist: {missing}"


def test_the_operations_page_explains_every_warning_and_error() -> None:
    served = [path for path in PACKAGE.rglob("*.py") if path.parent.name != "simulator"]
    source = {name for path in served for name in LOGGED.findall(read(path))}
    explained = set(re.findall(r"^\| `(\w+)` \|", read(OPERATIONS), re.MULTILINE))
    events = {name for path in served for name in re.findall(r"\"(\w+)\"", read(path))}
    assert not source - explained, f"docs/guide/operations.md should say what to do about {source - explained}"
    assert not explained - events, f"docs/guide/operations.md explains what is never logged: {explained - events}"


def is_path(word: str) -> bool:
    """`outbound/send.py`, `docs/decisions/`, `pyproject.toml`: not a route of the server, not a call or a module."""
    return bool(re.fullmatch(rf"[\w.][\w./-]*(?:/|\.(?:{ENDINGS}))", word)) and "://" not in word


def is_there(path: str) -> bool:
    return (ROOT / path).exists() or (PACKAGE / path).exists() or ("/" not in path and any(PACKAGE.rglob(path)))


def rows_of(tree: str) -> Iterator[tuple[str, list[str]]]:
    """Each row of the map: its folder, empty for the package itself, and the files it names."""
    for row in tree.splitlines()[1:]:
        folder = re.search(r"\b(\w+)/ ", row)
        yield folder[1] if folder else "", re.findall(r"\b\w+\.py\b", row)
