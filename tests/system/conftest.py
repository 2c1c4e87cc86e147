"""Fixtures of the system tests; see lib.py for what they give."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import lib  # noqa: E402

LOG_TAIL = 8000  # bytes of each log that a failure shows


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failure shows the logs of the test's instances."""
    report = (yield).get_result()
    if report.failed:
        for made in getattr(item, "cqmail_instances", []):
            for name, text in made.all_logs().items():
                if text:
                    report.sections.append(
                        (f"{made.home.parent.name}: log of {name}", text[-LOG_TAIL:]))


def pytest_unconfigure():
    lib.forget_bin_copy()


@pytest.fixture
def make_instance(request):
    """A factory: make_instance(host="x.example", start=True)."""
    made = request.node.cqmail_instances = []

    def make(host=lib.HOST, start=True):
        one = lib.Instance(host)
        made.append(one)
        return one.start() if start else one

    yield make
    left = {}
    for one in made:
        left.update(one.stop())
        one.remove()
    assert not left, f"still running after the instance was stopped: {left}"


@pytest.fixture
def home(make_instance):
    """An instance that is made but not started."""
    return make_instance(start=False)


@pytest.fixture
def instance(make_instance):
    """A running instance: qmail-queued and qmail-start; qmail-smtpd and
    qmail-popup start when their ports are first asked for."""
    return make_instance()


@pytest.fixture
def sink():
    """A factory of remote SMTP servers: sink(replies={...})."""
    made = []

    def make(replies=None, host="127.0.0.1"):
        made.append(lib.SmtpSink(replies, host))
        return made[-1]

    yield make
    for one in made:
        one.close()
