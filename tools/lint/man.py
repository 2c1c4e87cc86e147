#!/usr/bin/env python3
"""Manual pages against the sources: every program has its page, every option,
exit code and file of the source stands in it, in sections of a fixed order."""

import re
from pathlib import Path

from tree import Report, exit_codes, header_block, programs

ORDER = ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "COMMANDS", "PICTURE",
         "THE WAY OF A MESSAGE", "FORMAT", "EXIT STATUS", "ENVIRONMENT", "FILES",
         "EXAMPLES", "DIAGNOSTICS", "SEE ALSO", "STANDARDS", "COMPATIBILITY",
         "SECURITY", "BUGS"]
NEEDED = ["NAME", "SYNOPSIS", "DESCRIPTION", "EXIT STATUS", "SECURITY"]
PATHS = re.compile(r'"((?:control|users|queue|run|alias|log|service)/[\w./-]*\w)"')

complain = Report()


def sections(page):
    """{title: text} in order, and the order."""
    parts = re.split(r"(?m)^\.Sh (.*)$", page.read_text())
    titles = [t.strip().strip('"') for t in parts[1::2]]
    return dict(zip(titles, parts[2::2])), titles


def check_order(page, titles):
    places = []
    for title in titles:
        if title in ORDER:
            places.append(ORDER.index(title))
        elif page.suffix == ".8" or page.suffix == ".1":
            complain(page, f"section {title} is not one of ours")
    if places != sorted(places):
        complain(page, "sections are not in order: " + ", ".join(titles))


def options_of(code):
    found = set()
    for line in re.findall(r'getopt\([^;]*?"([^"]*)"', code):
        found.update(c for c in line if c.isalnum())
    found.update(re.findall(r'(?:strcmp|span_is|is_option)\([^;]*?"-(-?[A-Za-z][\w-]*)"', code))
    return {o for o in found if o}


def check_options(page, text, code):
    shown = set()
    for line in re.findall(r"(?m)^\..*\bFl\b.*$", text):
        for part in re.split(r"\bFl\b", line)[1:]:
            shown.update(re.findall(r"^\s*(-?[\w-]+)", part.replace("\\-", "-").replace("\\&", "")))
    letters = set("".join(o for o in shown if not o.startswith("-")))
    for option in options_of(code):
        if option in shown or option.lstrip("-") in shown or option in letters:
            continue
        complain(page, f"option -{option} of the source is not in the page")


def check_codes(page, parts, block):
    text = parts.get("EXIT STATUS", "")
    shown = set()
    for line in re.findall(r"(?m)^\.It (.*)$", text):
        words = re.match(r"(?:(?:Li|Er|Dv|Sy|Cm|Ic|Ql) )?([\d ,andor]+)", line)
        if words:
            shown.update(int(n) for n in re.findall(r"\d{1,3}", words.group(1)))
    if ".Ex " in text:
        shown.add(0)
    listed = exit_codes(block.get("Exit", ""))
    for code in sorted(listed - shown):
        complain(page, f"exit code {code} of the header block is not an item "
                 "of EXIT STATUS")
    for code in sorted(shown - listed):
        complain(page, f"exit code {code} is not in the header block")


def paths_in(code):
    """The files that a source names; its includes are none."""
    return sorted(set(PATHS.findall(re.sub(r"(?m)^#include.*$", "", code))))


def plain(text):
    return re.sub(r"\\&|\\-", lambda m: "-" if m.group(0) == "\\-" else "", text)


folder_files = {}  # folder: FILES of all its pages
for name, source in sorted(programs().items()):
    pages = list(Path("man").glob(f"{name}.[18]"))
    if len(pages) != 1:
        complain(f"man/{name}.8", "there is no such page" if not pages else "two pages")
        continue
    page = pages[0]
    parts, titles = sections(page)
    check_order(page, titles)
    for title in NEEDED:
        if title not in parts:
            complain(page, f"there is no section {title}")
    files = plain(parts.get("FILES", ""))
    folder_files[source.parent.name] = folder_files.get(source.parent.name, "") + files
    if not source.exists():
        continue
    code = source.read_text()
    check_options(page, page.read_text(), code)
    check_codes(page, parts, header_block(source))
    for path in paths_in(code):
        if path not in files:
            complain(page, f"{path} of the source is not in FILES")
for folder, files in folder_files.items():
    for module in Path("src", folder).glob("*.c"):
        for path in paths_in(module.read_text()):
            if path not in files:
                complain(module, f"{path} is in FILES of no page of src/{folder}")
control = plain(Path("man/qmail-control.5").read_text())
for source in Path("src").glob("*/*.c"):
    for name in sorted(set(re.findall(r'"control/([\w.-]+)"', source.read_text()))):
        if not name.endswith(".tmp") and not re.search(
                rf"(?m)^\.It (?:Pa|Sy) {re.escape(name)}( |$)", control):
            complain("man/qmail-control.5", f"{name}, which {source} reads, is missing")
for page in Path("man").glob("*.[1-9]"):
    if page.suffix in (".5", ".7"):
        check_order(page, sections(page)[1])
    for name, section in sorted(set(
            re.findall(r"(?m)^\.Xr ([\w.-]+) (\d)", page.read_text()))):
        ours = name.startswith("qmail") or name in programs() or name == "dot-qmail"
        if ours and not Path("man", f"{name}.{section}").exists():
            complain(page, f"there is no {name}({section})")
complain.end()
