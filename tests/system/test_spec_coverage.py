"""tests/spec-coverage fails whenever a statement is not held by a test."""

import subprocess
import sys

import pytest

import lib

TOOL = lib.REPO / "tests/spec-coverage"

DOCUMENT = """# Nuts

* **nut-1** A nut has a shell,
  which is hard.

| statement | nut | taste |
|---|---|---|
| **nut-2** | walnut | bitter |
| **nut-3** | chestnut | sweet |
"""
MAPPING = """# the nuts
nut-1 tests/system/test_nut.py::test_shell tests/unit/nut/shell_test.c:test_hard
nut-2 tests/system/test_nut.py::test_taste[a walnut [old]]
nut-3 tests/system/test_nut.py::test_taste
nut-3 tests/root/test_tree.py::test_grows
"""
TESTS = """
def test_shell():
@pytest.mark.parametrize("nut", ["a walnut [old]", "chestnut"])
def test_taste(nut):
"""
GOOD, SKIP, FAIL = "", '<skipped message="no nuts"/>', '<failure message="bad"/>'


def junit(*cases):
    return "<testsuites><testsuite>" + "".join(
        f'<testcase classname="{where}" name="{name}">{state}</testcase>'
        for where, name, state in cases) + "</testsuite></testsuites>"


def system_results(shell=GOOD, walnut=GOOD, chestnut=GOOD):
    where = "tests.system.test_nut"
    return junit((where, "test_shell", shell),
                 (where, "test_taste[a walnut [old]]", walnut),
                 (where, "test_taste[chestnut]", chestnut))


@pytest.fixture
def tree(tmp_path):
    """A tree with three statements, all held; write() changes one file."""
    def write(path, text):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)

    for path, text in {
            "doc/INTERFACES.md": "See interfaces/10-nut.md.\n",
            "doc/interfaces/10-nut.md": DOCUMENT,
            "tests/statements/nut.txt": MAPPING,
            "tests/system/test_nut.py": TESTS,
            "tests/root/test_tree.py": "def test_grows():\n",
            "tests/unit/nut/shell_test.c": "test_hard(void **state)\n",
            "build/results/system.xml": system_results(),
            "build/results/root.xml": junit(
                ("tests.root.test_tree", "test_grows", GOOD)),
            "build/results/unit.txt":
                "passed tests/unit/nut/shell_test.c:test_hard\n" * 2}.items():
        write(path, text)
    return write


def coverage(tmp_path, *areas):
    done = subprocess.run([sys.executable, TOOL, "--tree", tmp_path, *areas],
                          capture_output=True, text=True)
    assert done.stderr == ""
    return done.returncode, done.stdout


def test_held_statements_pass(tree, tmp_path):
    assert coverage(tmp_path) == (0, "coverage: 3 passed, 0 failed\n")


def test_an_area_is_shown_as_a_table(tree, tmp_path):
    status, text = coverage(tmp_path, "nut")
    assert status == 0
    assert "nut-2  passed  walnut | bitter\n    tests/system/test_nut.py" in text


def test_a_test_may_stand_for_many_flavours(tree, tmp_path):
    """The worst of a test's results counts."""
    tree("build/results/system-san.xml", system_results(shell=FAIL))
    status, text = coverage(tmp_path)
    assert status == 1
    assert "FAILED nut-1: tests/system/test_nut.py::test_shell: failed" in text


DOC, MAP, XML = ("doc/interfaces/10-nut.md", "tests/statements/nut.txt",
                 "build/results/system.xml")


@pytest.mark.parametrize("path, text, complaint", [
    (MAP, MAPPING.replace("nut-2", "# nut-2"), "nut-2: no test is named for it"),
    (MAP, MAPPING + "nut-4 tests/system/test_nut.py::test_shell\n",
     "nut.txt:6: nut-4: no document has it"),
    (MAP, MAPPING + "nut-1\n", "nut.txt:6: nut-1: no test is named"),
    (MAP, MAPPING + "fig-1 tests/system/test_nut.py::test_shell\n",
     "nut.txt:6: fig-1: not a statement of area nut"),
    ("tests/statements/fig.txt", "", "fig.txt:1: no document has an area fig"),
    (MAP, MAPPING.replace("test_shell", "test_shall"), "test_shall: no such test"),
    (MAP, MAPPING.replace("test_hard", "test_soft"), "test_soft: no such test"),
    (MAP, MAPPING.replace("walnut", "peanut"), "peanut [old]]: did not run"),
    (XML, system_results(shell=SKIP), "nut-1: tests/system/test_nut.py::test_shell: skipped"),
    (XML, system_results(shell='<skipped message="needs root"/>'),
     "nut-1: tests/system/test_nut.py::test_shell: skipped"),
    (XML, system_results(shell=FAIL), "nut-1: tests/system/test_nut.py::test_shell: failed"),
    (XML, system_results(chestnut=SKIP), "nut-3: tests/system/test_nut.py::test_taste: skipped"),
    (XML, junit(), "nut-1: tests/system/test_nut.py::test_shell: did not run"),
    ("build/results/unit.txt", "", "shell_test.c:test_hard: did not run"),
    ("build/results/unit.txt", "failed tests/unit/nut/shell_test.c:test_hard\n",
     "shell_test.c:test_hard: failed"),
    ("build/results/root.xml", junit(), "test_tree.py::test_grows: did not run"),
    (DOC, DOCUMENT.replace("nut-2", "nut-4"), "gap: there is no statement nut-2"),
    (DOC, DOCUMENT.replace("nut-2", "nut-1"), "10-nut.md:8: nut-1: is there twice"),
    (DOC, DOCUMENT.replace("nut-2", "nut-02"), "nut-02: numbers are 1, 2, 3"),
    (DOC, DOCUMENT.replace("* **nut-1", "- **nut-1"), "not in the form of a statement"),
    (DOC, DOCUMENT + "* **nut-4**\n", "nut-4: says nothing"),
    ("doc/INTERFACES.md", "", "does not name interfaces/10-nut.md"),
])
def test_a_hole_is_a_failure(tree, tmp_path, path, text, complaint):
    tree(path, text)
    status, shown = coverage(tmp_path)
    assert status == 1
    assert complaint in shown
    assert not shown.endswith(", 0 failed\n")


ATTACKS = "# Security\n\n| **axe-1** | it is felled |\n"
HELD_OFF = "axe-1 tests/system/test_nut.py::test_shell\n"


@pytest.mark.parametrize("text, mapping, status, complaint", [
    (ATTACKS, HELD_OFF, 0, "coverage: 4 passed, 0 failed"),
    (ATTACKS, "# none\n", 1, "axe-1: no test is named for it"),
    (ATTACKS.replace("axe-1", "nut-1"), None, 1, "SECURITY.md:3: nut-1: is there twice"),
])
def test_attacks_are_statements_too(tree, tmp_path, text, mapping, status, complaint):
    tree("doc/SECURITY.md", text)
    if mapping:
        tree("tests/statements/axe.txt", mapping)
    got, shown = coverage(tmp_path)
    assert (got, complaint in shown) == (status, True), shown


def test_only_root_may_be_left_out(tree, tmp_path):
    (tmp_path / "build/results/root.xml").unlink()
    status, shown = coverage(tmp_path)
    assert status == 0
    assert "not run nut-3: tests/root/test_tree.py::test_grows: not run" in shown
    assert shown.endswith("coverage: 2 passed, 0 failed\n")
    tree(XML, system_results(shell='<skipped message="needs root"/>'))
    assert "not run nut-1: " in coverage(tmp_path)[1]
    assert coverage(tmp_path)[0] == 0
    (tmp_path / XML).unlink()
    assert coverage(tmp_path)[0] == 1
