"""doc/MIGRATING.md: its examples do what they say."""

import documents
import pytest

SECTIONS = documents.sections("MIGRATING.md")


@pytest.mark.parametrize("section", SECTIONS, ids=[s.title for s in SECTIONS])
def test_section(home, section):
    documents.run_section(home, section)
