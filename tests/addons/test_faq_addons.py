"""doc/FAQ.md: the answers that want programs of other packages."""

import addonlib
import documents
import pytest

SECTIONS = documents.sections("FAQ.md", "sh addons")
PROGRAMS = {"fastforward": ("fastforward", "setforward"), "dot-forward": ("dot-forward",),
            "procmail": ("procmail",)}


@pytest.mark.parametrize("section", SECTIONS, ids=[s.title for s in SECTIONS])
def test_faq_answer(make_instance, section):
    home = documents.faq_home(make_instance)
    ours = addonlib.write_tree(home, "programs")  # these alone, not all that was unpacked
    for package, names in PROGRAMS.items():
        for name in names:
            (ours / name).symlink_to(addonlib.program(package, f"usr/bin/{name}"))
    home.extra_env["PATH"] = f"{home.bin}:{ours}:/usr/local/bin:/usr/bin:/bin"
    documents.run_section(
        home, section, start=lambda: addonlib.start(home, compiled_home=True))
