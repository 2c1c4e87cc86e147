"""How the tests of a long `make crash` are shared by the workers, so that all of them
have something to do until its end.

Whoever sweeps over every call is cut in parts, each a test of its own; the longest
tests come first; and a worker is given no more than the test that comes next.
"""
import os

import pytest
from xdist.scheduler import LoadScheduling

import crashlib

# What takes minutes, the longest first, and in how many parts; the rest takes less.
LONG = {
    "test_each_call_is_the_last_while_segments_are_used_again": 8,
    "test_each_call_fails_while_segments_are_used_again": 8,
    "test_each_call_of_qmail_clean_while_segments_are_used_again": 4,
    "test_the_queue_after_a_cut": 1,  # divided by itself
    "test_each_call_is_the_last": 1,
    "test_each_call_fails": 1,
    "test_each_allocation_fails": 1,
    "test_each_call": 1,
    "test_the_tool_is_killed_or_fails_at_each_call": 1,
    "test_a_mailbox_after_a_failure_and_a_cut": 1,
}


def divide(metafunc):
    """pytest_generate_tests"""
    parts = LONG.get(metafunc.function.__name__, 1) if crashlib.STRIDE == 1 else 1
    if parts > 1:
        metafunc.parametrize("part", [(i, parts) for i in range(parts)], indirect=True,
                             ids=["part-%d" % (i + 1) for i in range(parts)])


@pytest.fixture(autouse=True)
def part(request):
    """What crashlib.sweep_points gives is this part of all; all, if none is named."""
    crashlib.part = getattr(request, "param", (0, 1))


def sort(items):
    """pytest_collection_modifyitems"""
    names = list(LONG)
    items.sort(key=lambda item: names.index(item.originalname)
               if item.originalname in LONG else len(names))


class OneByOne(LoadScheduling):
    """xdist would give each worker a quarter of all tests first."""

    def _send_tests(self, node, num):
        # the one that runs and the next one: a worker starts none without
        super()._send_tests(node, min(num, 2 - len(self.node2pending[node])))
