"""doc/FAQ.md: its answers do what they say."""

import documents
import pytest

SECTIONS = documents.sections("FAQ.md")


@pytest.mark.parametrize("section", SECTIONS, ids=[s.title for s in SECTIONS])
def test_answer(make_instance, section):
    home = make_instance("mail.example.org", start=False)
    for user in ("ann", "joe"):
        home.add_user(user)
    documents.run_section(home, section)
