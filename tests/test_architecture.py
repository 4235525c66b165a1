"""The picture of the house shows the rooms that there are, what lives in each, and who imports from whom."""

import importlib.util
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

DOCS = Path(__file__).parent.parent / "docs"


@pytest.fixture(scope="module")
def architecture():
    file = DOCS / "architecture.py"
    if not file.exists():
        pytest.skip("docs/ is not here, as when the tests are copied away to try an installed package")
    spec = importlib.util.spec_from_file_location("architecture", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def drawn(kind):
    """The boxes or arrows in the picture: by their names in DOT, the text on them."""
    svg = "{http://www.w3.org/2000/svg}"
    parts = [g for g in ET.parse(DOCS / "architecture.svg").iter(f"{svg}g") if g.get("class") == kind]
    return {g.findtext(f"{svg}title"): " ".join(text.text for text in g.iter(f"{svg}text")) for g in parts}


def test_the_picture_shows_the_rooms_and_arrows_of_today(architecture):
    used, again = architecture.uses(), "the house has changed: draw it again with `python docs/architecture.py`"
    assert drawn("node") == {room: f"{architecture.named(room)} {architecture.sentence(room)}" for room in used}, again
    assert drawn("edge").keys() == {f"{a}->{b}" for a, b, _ in architecture.arrows(used)}, again


@pytest.mark.slow
def test_what_the_arrows_leave_out_follows_from_them(architecture):
    """A path along them leads from each room to all that it uses, in its package, and to nothing else."""
    used = architecture.uses()
    edges = [(a, b) for a, others in used.items() for b in others if architecture.package_of(a) == architecture.package_of(b)]
    arrows = [pair for a, b, mutual in architecture.arrows(used) for pair in ([(a, b), (b, a)] if mutual else [(a, b)])]
    assert set(arrows) <= set(edges)
    assert closed(arrows) == closed(edges)


def closed(edges):
    """All pairs with a path from one to the other."""
    found = set(edges)
    while more := {(a, d) for a, b in found for c, d in found if b == c} - found:
        found |= more
    return found
