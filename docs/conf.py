"""How Sphinx builds the site: `python3 run.py docs`."""

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import reference
from sphinx.pycode import ModuleAnalyzer

project, author, release = "chainrule", "the chainrule authors", reference.autograd.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.viewcode", "sphinx_copybutton"]
default_role, smartquotes = "literal", False

myst_heading_anchors = 3  # links name headings as they do on GitHub
copybutton_prompt_text, copybutton_prompt_is_regexp = r">>> |\.\.\. ", True
autodoc_typehints = "none"  # the docstrings say what is taken
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "exclude-members": "forward, extra_repr, reset_parameters"}
autosummary_generate = False

html_theme, html_title = "pydata_sphinx_theme", "chainrule"
html_static_path, html_css_files = ["static"], ["site.css"]
html_theme_options = {"navbar_align": "left", "header_links_before_dropdown": 7, "show_toc_level": 2}
html_sidebars = {"tutorial": [], "mistakes": [], "index": []}


def plain(app, what, name, thing, options, lines):
    """Docstrings are plain sentences, with code between backticks: make that reStructuredText, and leave examples as they are."""
    if getattr(thing, "__module__", "") == "numpy":
        del lines[1:]  # NumPy's own pages have the rest
    example = literal = False
    for i, line in enumerate(lines):
        example = bool(line.strip()) and (example or line.lstrip().startswith(">>> "))
        literal = (literal or (i > 1 and lines[i - 2].endswith("::"))) and (not line.strip() or line.startswith("    "))
        if not example and not literal:
            parts = re.split(r"(`[^`]+`)", line)
            lines[i] = "".join(f"`{p}`" if p[:1] == "`" else re.sub(r"([*|]|_\b)", r"\\\1", p) for p in parts)


def source(app, module):
    """The text of a module, and the lines of what is documented of it, also where these are a table's: for viewcode."""
    analyzer = ModuleAnalyzer.for_module(module)
    analyzer.find_tags()
    names = {name.removeprefix("autograd."): lines for name, (home, *lines) in reference.sources().items() if home == module}
    return analyzer.code, analyzer.tags | {
        name if name.startswith("Tensor.") else name.rpartition(".")[2]: ("def", *lines) for name, lines in names.items()
    }


def setup(app):
    app.connect("viewcode-follow-imported", lambda app, home, name: reference.sources().get(f"{home}.{name}", [None])[0])
    app.connect("viewcode-find-source", source)
    app.connect("builder-inited", lambda app: reference.write())
    app.connect("autodoc-process-docstring", plain)
