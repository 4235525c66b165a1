"""Makes the pictures of README and the pages, by running these, and docs/transformer.svg: `python docs/pictures.py`."""

import os
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ["MPLBACKEND"] = "agg"  # no window
os.environ["SOURCE_DATE_EPOCH"] = "0"  # no date in the files
os.environ["PATH"] = ""  # graphs by pip's Graphviz, whose letters are as wide as a browser's; dot's depend on a machine's fonts

import matplotlib.pyplot as plt
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

import autograd
import nn
from autograd.engine.primitive import primitive

DOCS = Path(__file__).resolve().parent
PAGES = DOCS.parent / "README.md", DOCS / "tutorial.md", DOCS / "howto" / "fit.md", DOCS / "howto" / "see.md"
plt.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": "chainrule"}  # text as text; and the same file each time


def transformer(path: Path) -> None:
    """Draw a transformer of 12 layers, folded to a page."""
    autograd.manual_seed(0)
    model, tokens = nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 2, 32), 12), autograd.randn(5, 1, 16)
    with autograd.watch() as tape:
        model(tokens).tanh().mean().backward()
    autograd.draw(tape).render(path)


if __name__ == "__main__":
    transformer(DOCS / "transformer.svg")
    with TemporaryDirectory() as folder:
        os.chdir(folder)
        for page in PAGES:
            document = Sybil([PythonCodeBlockParser()]).parse(page)
            document.namespace |= {"__name__": page.name, "primitive": primitive}  # README makes one
            for example in document.examples():
                example.evaluate()
        os.chdir(DOCS)
        for picture in Path(folder).glob("*.svg"):
            shutil.copy(picture, DOCS / "pictures")
