"""Makes the pictures of the tutorial, in docs/pictures/, by running the tutorial: `python docs/pictures.py`."""

import os
import sys
from pathlib import Path

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS.parent))
os.environ |= {"MPLBACKEND": "agg", "SOURCE_DATE_EPOCH": "0"}  # no window, and no date in the files

import matplotlib.pyplot as plt
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

plt.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": "chainrule"}  # text as text; and the same file each time

if __name__ == "__main__":
    os.chdir(DOCS / "pictures")
    for example in Sybil([PythonCodeBlockParser()]).parse(DOCS / "tutorial.md").examples():
        example.evaluate()
