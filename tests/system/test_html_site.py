"""make html: every page and document is there, and no link is dead."""

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

import lib
import pytest


class Page(HTMLParser):
    """The links of a file, its ids, its text."""

    def __init__(self, path):
        super().__init__()
        self.links, self.ids, self.text = set(), [], ""
        self.feed(path.read_text())

    def handle_starttag(self, tag, attrs):
        named = dict(attrs)
        self.links.update(named[a] for a in ("href", "src") if a in named)
        self.ids += [named["id"]] if "id" in named else []

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    build = tmp_path_factory.mktemp("site")
    done = subprocess.run(["make", f"BUILD={build}", "html"], cwd=lib.REPO, text=True,
                          capture_output=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    root = build / "html"
    return root, {p.relative_to(root).as_posix(): Page(p) for p in root.rglob("*.html")}


def test_every_internal_link_leads_somewhere(site):
    root, pages = site
    count = 0
    for name, page in pages.items():
        for link in page.links:
            if re.match(r"https?:|mailto:", link):
                continue
            path, mark = urldefrag(link)
            there = (root / name).parent / unquote(path) if path else root / name
            assert there.is_file(), f"{name}: {link}"
            assert there.resolve().is_relative_to(root.resolve()), f"{name}: {link}"
            if mark:
                other = pages[there.resolve().relative_to(root.resolve()).as_posix()]
                assert mark in other.ids, f"{name}: {link}"
            count += 1
    assert count > 500


def test_every_page_and_document_is_in_the_index(site):
    root, pages = site
    index = pages["index.html"]
    for source in Path(lib.REPO, "man").glob("*.[1-9]"):
        assert f"man/{source.name}.html" in index.links
        assert source.name.rpartition(".")[0] in pages[f"man/{source.name}.html"].text
    documents = [*Path(lib.REPO, "doc").rglob("*.md"), lib.REPO / "README.md",
                 lib.REPO / "INSTALL"]
    for source in documents:
        assert source.relative_to(lib.REPO).as_posix() in index.text
    folder = {x for x in index.links if x.startswith("doc/")}
    assert len(folder) == len(list(Path(lib.REPO, "doc").rglob("*.md")))


def test_the_tasks_are_those_of_the_map(site):
    text = Path(lib.REPO, "man/qmail.7").read_text()
    for task in ("Accepting", "Delivering", "Setting up"):
        assert f"\n{task}:\n" in text and task in site[1]["index.html"].text


def test_cross_references_are_links(site):
    _, pages = site
    assert "qmail-send.8.html" in pages["man/qmailctl.8.html"].links
    assert "svscan.8.html" not in pages["man/qmailctl.8.html"].links, "not ours"
    assert "man/qmail-control.5.html" in pages["INSTALL.html"].links, "in text too"


def test_no_id_is_given_twice_in_the_index(site):
    ids = site[1]["index.html"].ids
    assert len(ids) == len(set(ids))


def test_the_picture_stands_alone_and_names_the_way(site):
    root, pages = site
    picture = (root / "mail-way.svg").read_text()
    assert "href" not in picture and "prefers-color-scheme: dark" in picture
    for program in ("qmail-smtpd", "qmail-queued", "qmail-send", "qmail-lspawn",
                    "qmail-local", "qmail-rspawn", "qmail-remote", "qmail-pop3d"):
        assert f">{program}</text>" in picture
        assert program in pages["index.html"].text
    assert "mail-way" in pages["index.html"].ids


def test_a_dead_link_is_an_error(tmp_path):
    for name in ("man", "doc", "src", "tools", "README.md", "INSTALL"):
        source, copy = lib.REPO / name, tmp_path / name
        if source.is_dir() and name not in ("src", "man"):
            shutil.copytree(source, copy)
        elif source.is_dir():
            copy.mkdir()
            for page in ("README.md", "qmail.7", "qmail-send.8"):
                if (source / page).exists():
                    shutil.copy(source / page, copy)
        else:
            shutil.copy(source, copy)
    with open(tmp_path / "README.md", "a") as readme:
        readme.write("\n[one](doc/NO-SUCH.md) [two](#no-such-place)\n")
    done = subprocess.run(["python3", "tools/html", "out"], cwd=tmp_path, text=True,
                          capture_output=True, timeout=lib.TIMEOUT_S)
    assert done.returncode == 1
    assert "README.html: doc/NO-SUCH.md leads nowhere" in done.stderr
    assert "README.html: #no-such-place: there is no such place" in done.stderr
