"""The bench still works: two works with few messages, on an instance."""

import json
import os
import subprocess

import lib
import pytest


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """The records and the table of a run."""
    place = tmp_path_factory.mktemp("bench")
    done = subprocess.run(
        [str(lib.REPO / "tests/bench/run"), "--quick", "--divide", "100", "--rootless",
         "--peers", "cqmail", "--only", "smtp,relay", "--runs", "1",
         "--json", str(place / "records")],
        env={**os.environ, "BENCH_DIR": str(place), "CQMAIL_BIN": str(lib.bin_dir())},
        capture_output=True, text=True, timeout=1500)
    assert done.returncode == 0, done.stdout + done.stderr
    return place, json.loads((place / "records").read_text()), done.stdout


def test_each_work_has_its_figures(bench):
    _, records, _ = bench
    assert [(r["work"], r["peer"]) for r in records] == [("smtp", "cqmail"),
                                                         ("relay", "cqmail")]
    for record in records:
        for metric in ("accepted_per_s", "delivered_per_s", "cpu_ms"):
            assert record["result"][metric] >= 0, record


def test_the_table_has_a_line_a_metric(bench):
    lines = [x for x in bench[2].splitlines() if x.startswith("| ")]
    assert lines[0] == "| work | cqmail | cqmail is better by |"
    assert [x.split(":")[0] for x in lines[2:]] == ["| smtp"] * 3 + ["| relay"] * 3


def test_nothing_is_left(bench):
    assert sorted(p.name for p in bench[0].iterdir()) == ["records"]
