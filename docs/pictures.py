"""Makes the pictures in docs/pictures/, by running the pages that show them: `python docs/pictures.py`."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ["MPLBACKEND"] = "agg"  # no window
os.environ["SOURCE_DATE_EPOCH"] = "0"  # no date in the files

import matplotlib.pyplot as plt
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

DOCS = Path(__file__).resolve().parent
PAGES = "tutorial.md", "howto/fit.md"
plt.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": "chainrule"}  # text as text; and the same file each time

if __name__ == "__main__":
    os.chdir(DOCS / "pictures")
    for page in PAGES:
        for example in Sybil([PythonCodeBlockParser()]).parse(DOCS / page).examples():
            example.evaluate()
