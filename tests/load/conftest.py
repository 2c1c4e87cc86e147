"""Fixtures for the load tests: those of tests/system, and descriptors enough
for a thousand connections."""

import importlib.util
import resource
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
SYSTEM = HERE.parent / "system"
sys.path[:0] = [str(HERE), str(SYSTEM)]
_spec = importlib.util.spec_from_file_location("system_conftest", SYSTEM / "conftest.py")
_system = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_system)

pytest_runtest_makereport = _system.pytest_runtest_makereport
pytest_unconfigure = _system.pytest_unconfigure
make_instance, home, instance = _system.make_instance, _system.home, _system.instance
sink = _system.sink

_soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (_hard, _hard))
