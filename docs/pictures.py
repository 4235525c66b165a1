"""Makes the pictures of the pages, by running these, and docs/transformer.svg: `python docs/pictures.py`."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ["MPLBACKEND"] = "agg"  # no window
os.environ["SOURCE_DATE_EPOCH"] = "0"  # no date in the files

import matplotlib.pyplot as plt
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

import autograd
import nn

DOCS = Path(__file__).resolve().parent
PAGES = "tutorial.md", "howto/fit.md"
plt.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": "chainrule"}  # text as text; and the same file each time


def transformer(path: Path) -> None:
    """Draw a transformer of 12 layers, folded to a page."""
    autograd.manual_seed(0)
    model, tokens = nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 2, 32), 12), autograd.randn(5, 1, 16)
    with autograd.watch() as tape:
        model(tokens).square().mean().backward()
    autograd.draw(tape).render(path)


if __name__ == "__main__":
    transformer(DOCS / "transformer.svg")
    os.chdir(DOCS / "pictures")
    for page in PAGES:
        for example in Sybil([PythonCodeBlockParser()]).parse(DOCS / page).examples():
            example.evaluate()
