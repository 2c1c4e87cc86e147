#!/usr/bin/env python3
"""Rules for the C sources that no compiler knows: who may include whom,
lengths, forbidden calls, words that do not belong into a release.

A function or file may be longer than its limit beside a comment
`lint: long because ...`.
"""

import re
from pathlib import Path

from tree import SHARED, Report, programs

PROGRAM_LINES, MODULE_LINES, FUNCTION_LINES = 300, 600, 60
FORBIDDEN = re.compile(
    r"\b(strcpy|strncpy|strcat|strncat|sprintf|vsprintf|gets|alloca|popen|"
    r"system|tmpnam|tempnam|mktemp|strtok|atoi|atol|scanf|sscanf|rand|srand|"
    r"setjmp|longjmp)\b(?=\s*\()|\b(?<!_)(PATH_MAX)\b")
WORDS = re.compile(r"\b(TODO|FIXME|HACK|WIP)\b|not (yet )?implemented|(?<![\w}])/(work|root)/")
EXCUSE = "lint: long because"

complain = Report()


def without_comments(text):
    """The code with comments and string contents blanked, lines kept."""
    def blank(found):
        if found.group(0)[0] == "/":
            return re.sub(r"[^\n]", " ", found.group(0))
        return found.group(0)[0] * 2
    return re.sub(r"/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'",
                  blank, text, flags=re.S)


def check_includes(path, text):
    folder = path.parent.name
    allowed = SHARED.get(folder, {folder, "net", "conf", "mail", "base"})
    for number, line in enumerate(text.splitlines(), 1):
        found = re.match(r'#include "([^"]+)"', line)
        if not found or found.group(1) in ("config.h", "privileges.h"):
            continue
        if found.group(1).partition("/")[0] not in allowed:
            complain(f"{path}:{number}", f"{folder} may not include {found.group(1)}")


def check_guard(path, text):
    want = f"{path.parent.name}_{path.stem}_H".upper().replace("-", "_")
    if f"#ifndef {want}\n#define {want}\n" not in text:
        complain(path, f"the include guard is not {want}")
    if not text.startswith("/*"):
        complain(path, "a header starts with its purpose")


def check_lengths(path, text, is_program):
    lines = text.splitlines()
    limit = PROGRAM_LINES if is_program else MODULE_LINES
    if len(lines) > limit and EXCUSE not in text:
        complain(path, f"{len(lines)} lines, more than {limit}")
    start = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            start = number
        elif line == "}" and start:
            body = "\n".join(lines[start - 4 if start > 4 else 0:number])
            if number - start - 1 > FUNCTION_LINES and EXCUSE not in body:
                complain(f"{path}:{start}", f"a function of {number - start - 1} "
                         f"lines, more than {FUNCTION_LINES}")
            start = None


def check_calls(path, code):
    for number, line in enumerate(code.splitlines(), 1):
        for found in FORBIDDEN.finditer(line):
            complain(f"{path}:{number}", f"{found.group(0)} is forbidden")


def check_words():
    roots = ["src", "man", "doc", "tests", "tools", "etc", ".ci"]
    files = [p for r in roots for p in Path(r).rglob("*") if p.is_file()]
    files += [p for p in Path(".").iterdir() if p.is_file()]
    for path in files:
        if "_corpus" in str(path) or "__pycache__" in str(path):
            continue
        if path.resolve() == Path(__file__).resolve():
            continue
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            complain(path, "is not UTF-8")
            continue
        for number, line in enumerate(text.splitlines(), 1):
            found = WORDS.search(line)
            if found:
                complain(f"{path}:{number}", f"'{found.group(0)}' does not belong here")


def check_tests():
    for path in Path("tests/unit").glob("*/*_test.c"):
        module = path.stem.removesuffix("_test")
        if not list(Path("src", path.parent.name).glob(f"{module}*.[ch]")):
            complain(path, f"there is no module {module} in src/{path.parent.name}")
    targets = Path("tests/fuzz/README.md").read_text()
    for path in Path("tests/fuzz").glob("*/*_fuzz.c"):
        corpus = path.with_name(path.stem.removesuffix("_fuzz") + "_corpus")
        if not corpus.is_dir() or not any(corpus.iterdir()):
            complain(path, f"there is no corpus in {corpus}")
        if f"{path.stem.removesuffix('_fuzz')}`" not in targets:
            complain(path, "is not in tests/fuzz/README.md")


mains = set(programs().values())
for source in sorted(Path("src").glob("*/*.[ch]")):
    content = source.read_text()
    check_includes(source, content)
    check_lengths(source, content, source in mains)
    check_calls(source, without_comments(content))
    if source.suffix == ".h":
        check_guard(source, content)
for source in mains:
    if not source.exists():
        complain("Makefile", f"there is no {source}")
check_words()
check_tests()
complain.end()
