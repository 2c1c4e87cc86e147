"""The crash tests run as an ordinary user: root steps down before the first one."""
import os
import pwd
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

if os.getuid() == 0:
    nobody = pwd.getpwnam("nobody")
    os.setgroups([])
    os.setgid(nobody.pw_gid)
    os.setuid(nobody.pw_uid)
    os.environ["HOME"] = "/"
    os.environ["USER"] = os.environ["LOGNAME"] = "nobody"

import pytest  # noqa: E402

import sharing  # noqa: E402
from sharing import part  # noqa: E402, F401


def pytest_generate_tests(metafunc):
    sharing.divide(metafunc)


def pytest_collection_modifyitems(items):
    sharing.sort(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    return sharing.OneByOne(config, log)
