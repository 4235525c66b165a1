"""What many test files make and take apart: leaves of graphs, results that may be several, warnings, threads, documents."""

import html
import importlib.util
import os
import re
import shutil
import threading
import warnings
from unittest import mock

import numpy as np
import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

from autograd import tensor
from autograd.engine.primitive import PRIMITIVES

# In CI there is a browser to try pages in, or the tests that want it fail, unless CHAINRULE_NO_BROWSER says that there is none.
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
if BROWSER is None and os.environ.get("CI") and not os.environ.get("CHAINRULE_NO_BROWSER"):
    BROWSER = "chromium"
needs_browser = pytest.mark.skipif(BROWSER is None, reason="there is no Chromium to open the page in")


def leaf(values, dtype=None, **options):
    """A Tensor that requires a gradient: of an array, of nested lists or of a number; of the dtype that NumPy gives it."""
    return tensor(np.array(values, dtype), requires_grad=True, **options)


def vector(*numbers, dtype=np.float64, **options):
    """A leaf of one dimension with these numbers."""
    return leaf(numbers, dtype, **options)


def leaves(result):
    """The values that a call returned, out of any tuples and lists."""
    return [leaf for part in result for leaf in leaves(part)] if isinstance(result, (tuple, list)) else [result]


def warned(function):
    """What `function` returns, and the warnings that it gave."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        return function(), found


def in_thread(function):
    """What `function` returns in a thread of its own."""
    results = []
    thread = threading.Thread(target=lambda: results.append(function()))
    thread.start()
    thread.join()
    return results[0]


def written_in(picture):
    """The texts of an SVG in alphabetical order, and the numbers in them: `grad = 0.4808` is `grad = #` and 0.4808."""
    texts = sorted(html.unescape(text) for text in re.findall(r"<text[^>]*>(.*?)</text>", picture.read_text(encoding="utf-8")))
    number = r"[-−]?\b\d+(?:\.\d+)?(?:e[-−+]?\d+)?"
    numbers = [float(found.replace("−", "-")) for text in texts for found in re.findall(number, text)]
    return sorted(re.sub(number, "#", text) for text in texts), np.sort(numbers)


def assert_drawn_anew(made, kept):
    """Two pictures say the same: a network that is trained on other processors differs in the third digit."""
    words, numbers = written_in(made)
    assert words == written_in(kept)[0], f"python3 run.py pictures draws {kept.name} anew"
    np.testing.assert_allclose(numbers, written_in(kept)[1], rtol=0.02, atol=0.02, err_msg=kept.name)


def run_document(file, capsys, **names):
    """Run the Python in a Markdown file: what it prints stands beside it. The names that it made; those of PyTorch's where that is."""
    document = Sybil([PythonCodeBlockParser()]).parse(file)
    document.namespace |= {"__name__": file.name, **names}
    with mock.patch.dict(PRIMITIVES):
        for example in document.examples():
            source = str(example.parsed)
            if "import torch" in source and importlib.util.find_spec("torch") is None:
                continue
            capsys.readouterr()
            example.evaluate()
            said, beside = capsys.readouterr().out.splitlines(), re.findall(r"print\(.*\)  # (.*)", source)
            assert said == beside, f"{file.name} prints {said}, not {beside}"
    return document.namespace
