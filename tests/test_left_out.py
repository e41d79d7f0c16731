"""The suite says what it has left out, and where nothing may be left out it fails."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import left_out, postgres_server

CONFTEST = """
from tests.support import left_out


def pytest_addoption(parser):
    parser.addoption("--long", action="store_true")


def pytest_configure(config):
    config.addinivalue_line("markers", "long: takes long")
    left_out.be_thorough(config.getoption("--long"))


def pytest_collection_modifyitems(items):
    left_out.leave_out_long(items)


def pytest_terminal_summary(terminalreporter):
    left_out.print_left_out(terminalreporter)


def pytest_sessionfinish(session):
    left_out.fail_if_ci(session)
"""
SUITE = """
import pytest


@pytest.mark.parametrize("n", [1, 2, 3])
def test_needs_a_printer(n):
    pytest.skip("no printer")


@pytest.mark.skipif(True, reason="no moon")
def test_needs_the_moon(): ...


@pytest.mark.long
def test_walks_to_the_moon():
    print("walked")


def test_works(): ...
"""


@pytest.fixture
def suite(tmp_path, monkeypatch):
    """Runs a small suite of its own with our summary; gives its exit code and what it printed."""
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_small.py").write_text(SUITE)

    def run(*options: str, ci: str) -> tuple[int, str]:
        monkeypatch.setenv("CI", ci)
        monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
        monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:replyline", *options, tmp_path]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=100)
        return done.returncode, done.stdout

    return run


@pytest.mark.parametrize("workers", ["0", "2"])
def test_each_reason_for_leaving_tests_out_is_printed_with_its_count(suite, workers):
    code, printed = suite("-n", workers, ci="")
    assert code == 0
    assert "left out: 3 tests: no printer" in printed
    assert "left out: 1 test: no moon" in printed


def test_with_ci_a_run_that_leaves_something_out_fails(suite):
    code, printed = suite(ci="true")
    assert code == 1
    assert printed.count("nothing may be left out") == 1


def test_with_ci_a_run_that_leaves_nothing_out_passes(suite):
    code, printed = suite("-k", "works", ci="true")
    assert code == 0
    assert "left out" not in printed


def test_what_takes_long_is_left_out_with_its_reason(suite):
    code, printed = suite("-s", "-k", "walks or works", ci="")
    assert code == 0
    assert "left out: 1 test: takes long: CI runs it, and make test ARGS=--long" in printed
    assert "walked" not in printed


@pytest.mark.parametrize(("options", "ci"), [(["--long"], ""), ([], "true")], ids=["--long", "CI"])
def test_what_takes_long_is_run_where_it_is_asked_for(suite, options, ci):
    code, printed = suite("-s", "-k", "walks or works", *options, ci=ci)
    assert code == 0
    assert "walked" in printed


def test_a_machine_without_postgresql_says_what_was_looked_for(monkeypatch):
    monkeypatch.setattr(postgres_server, "PLACES", [])
    monkeypatch.setenv("PATH", "")
    with pytest.raises(postgres_server.NoPostgres, match="no PostgreSQL binaries found in PATH"):
        postgres_server.binary("initdb")


def test_the_newest_postgresql_of_a_machine_is_taken(monkeypatch, tmp_path):
    for version in ("9.6", "17", "15"):
        folder = tmp_path / version / "bin"
        folder.mkdir(parents=True)
        for program in ("postgres", "initdb"):
            (folder / program).touch()
    monkeypatch.setattr(postgres_server, "PLACES", [(str(tmp_path), "*/bin")])
    assert postgres_server.version_in(postgres_server.binary("initdb"))[-1] == 17


@pytest.mark.parametrize(
    ("ci", "is_wanted", "tried"), [("", False, 5), ("", True, 100), ("true", False, 100), ("false", False, 5)]
)
def test_fewer_random_cases_are_tried_where_a_person_waits(monkeypatch, ci, is_wanted, tried):
    monkeypatch.setenv("CI", ci)
    monkeypatch.setattr(left_out, "_is_thorough", None)
    left_out.be_thorough(is_wanted)
    assert left_out.as_many(100, quick=5) == tried
