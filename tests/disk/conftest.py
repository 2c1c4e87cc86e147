"""The disk tests need root, FUSE and loop devices; without them they are left out."""
import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "../crash")]


def pytest_collection_modifyitems(items):
    if os.getuid() != 0:
        for item in items:
            item.add_marker(pytest.mark.skip(reason="needs root"))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    from sharing import OneByOne
    return OneByOne(config, log)
