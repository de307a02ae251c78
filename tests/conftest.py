"""What holds for every test: nothing is skipped, nothing leaves this machine, random cases repeat."""

from __future__ import annotations

import socket
from typing import Any

import hypothesis
import pytest

hypothesis.settings.register_profile("house", derandomize=True, deadline=None, max_examples=100)
hypothesis.settings.load_profile("house")

_LOCAL = ("127.", "::1", "localhost")
_skipped: list[str] = []


@pytest.fixture(autouse=True, scope="session")
def _no_network() -> Any:
    """Connecting to another machine is an error; loopback and Unix sockets are not."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not str(address[0]).startswith(_LOCAL):
            pytest.fail(f"a test tried to reach {address[0]}: tests stay on this machine")
        connect(self, address)

    patch = pytest.MonkeyPatch()
    patch.setattr(socket.socket, "connect", guarded)
    yield
    patch.undo()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Remembers skipped tests; an expected failure is not one."""
    if report.skipped and not hasattr(report, "wasxfail"):
        _skipped.append(report.nodeid)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """Remembers modules that skip themselves."""
    if report.skipped:
        _skipped.append(report.nodeid)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Fails the run when a test was skipped: what cannot run here is not proved."""
    if _skipped and exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Names the skipped tests as the failure that they are."""
    if _skipped:
        names = ", ".join(dict.fromkeys(_skipped))
        terminalreporter.section("skipped tests are failures here", red=True)
        terminalreporter.line(names)
