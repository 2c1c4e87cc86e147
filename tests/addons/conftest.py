"""Fixtures for the tests with real add-ons: those of tests/system, with the
add-ons' libraries in the environment of every instance."""

import importlib.util
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
SYSTEM = HERE.parent / "system"
sys.path[:0] = [str(HERE), str(SYSTEM)]
_spec = importlib.util.spec_from_file_location("system_conftest", SYSTEM / "conftest.py")
_system = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_system)

import addonlib  # noqa: E402
import lib  # noqa: E402

pytest_runtest_makereport = _system.pytest_runtest_makereport
pytest_unconfigure = _system.pytest_unconfigure


@pytest.fixture
def make_instance(request):
    """As in tests/system, but the instances know the add-ons."""
    made = request.node.cqmail_instances = []

    def make(host=lib.HOST, start=True):
        one = lib.Instance(host)
        one.extra_env.update(addonlib.environment())
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
    """A running instance."""
    return make_instance()
