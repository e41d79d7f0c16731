"""What a run has left out, said once at its end; where nothing may be left out, that fails it."""

import os
from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest


def is_ci() -> bool:
    return os.environ.get("CI", "").lower() in {"1", "true", "yes"}


_is_thorough = is_ci()


def be_thorough(wanted: bool) -> None:
    """Whether what takes long is run, and `as_many` means all: said once, before any test is read."""
    global _is_thorough
    _is_thorough = wanted or is_ci()


def as_many(full: int, *, quick: int) -> int:
    """How many random cases a test tries: all of them in CI and with --long, fewer where a person waits for it."""
    return full if _is_thorough else quick


def leave_out_long(items: Iterable[pytest.Item]) -> None:
    """Skip what takes long where a person waits for it; CI does not mind."""
    if _is_thorough:
        return
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker(pytest.mark.skip(reason="takes long: CI runs it, and make test ARGS=--long"))


def reasons(reporter: Any) -> Counter[str]:
    """Each reason for which tests were skipped, and how many there were."""
    found: Counter[str] = Counter()
    for report in reporter.stats.get("skipped", ()):
        where = report.longrepr
        reason = where[2] if isinstance(where, tuple) else str(where)
        found[reason.removeprefix("Skipped: ")] += 1
    return found


def print_left_out(reporter: Any) -> None:
    found = reasons(reporter)
    for reason, count in sorted(found.items()):
        reporter.write_line(f"left out: {count} {'test' if count == 1 else 'tests'}: {reason}", yellow=True)
    if not _is_thorough:
        reporter.write_line("tried less: random cases, of which CI and make test ARGS=--long try all", yellow=True)
    if found and is_ci():
        reporter.write_line("With CI=true nothing may be left out, so this run has failed.", red=True)


def fail_if_ci(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if is_ci() and reporter is not None and reasons(reporter) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
