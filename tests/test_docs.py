"""The pages in docs/: each is found from the first, its links lead somewhere, its lines run, and every public name has a topic."""

import importlib.util
import inspect
import re
import sys
from pathlib import Path

import pytest
from helpers import assert_drawn_anew, run_document

DOCS = Path(__file__).parent.parent / "docs"
if not (DOCS.parent / "autograd").is_dir():
    pytest.skip("docs/ and what it points to are not here, as when an installed package is tried", allow_module_level=True)

WRITTEN = {"reference"}  # the folder whose pages Sphinx makes, from topics.toml
PAGES = {page.relative_to(DOCS).as_posix(): page for page in sorted(DOCS.rglob("*.md")) if page.parent.name not in WRITTEN}
TEXTS = {name: page.read_text(encoding="utf-8") for name, page in PAGES.items()}
LINK = re.compile(r"\[[^\]]+\]\(([^)\s]+)\)")
EXTERNAL = {"https://keepachangelog.com"}  # looked at by whoever adds one: the tests fetch nothing
GENERATED = {"rules.md", "numpy.md", "complex.md", "pytorch_names.md", "architecture.md"}  # or run elsewhere
PROGRAMS = {"mistakes.md", "others.md", "pytorch.md", "tutorial.md", *(n for n in PAGES if n.startswith("howto/"))}
NEEDED = "matplotlib", "onnxruntime", "scipy"  # by some of them


def load(name):
    """A program in docs/, as a module."""
    spec = importlib.util.spec_from_file_location(f"docs_{name}", DOCS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def reference():
    return load("reference")


def toctree(name):
    """The pages that a page lists."""
    blocks = re.findall(r"```\{toctree\}\n(.*?)```", TEXTS.get(name, ""), re.DOTALL)
    entries = [line for block in blocks for line in block.splitlines() if line and not line.startswith(":")]
    return [(Path(name).parent / (re.sub(r".*<(.*)>", r"\1", line) + ".md")).as_posix() for line in entries]


def slugs(text):
    """The headings of a page, as links name them."""
    bare = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    return {re.sub(r"[^\w -]", "", h.lower()).strip().replace(" ", "-") for h in re.findall(r"^#+ (.*)$", bare, re.MULTILINE)}


# ---------------------------------------------------------------- the site
def test_every_page_is_reached_from_the_first_and_every_entry_is_a_page():
    seen, todo = set(), ["index.md"]
    while todo:
        seen.add(name := todo.pop())
        todo += [entry for entry in toctree(name) if entry not in seen]
    assert seen == {*PAGES, "reference/index.md"}


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name, reference):
    made = {"index.md", *(f"{topic}.rst" for topic in reference.TOPICS)}
    targets = LINK.findall(re.sub(r"```.*?```|`[^`\n]*`", "", TEXTS[name], flags=re.DOTALL))
    targets += re.findall(r"```\{include\} (\S+)", TEXTS[name])
    for target in targets:
        if "://" in target:
            assert target in EXTERNAL, f"{name} links to {target}: look at it, and list it in EXTERNAL"
            continue
        file, _, anchor = target.partition("#")
        path = (PAGES[name].parent / file).resolve() if file else PAGES[name]
        if path.parent.name in WRITTEN:
            assert path.name in made, f"{name} links to {target}, which is no topic in docs/topics.toml"
            continue
        assert path.exists(), f"{name} links to {target}"
        assert not anchor or anchor in slugs(path.read_text(encoding="utf-8")), f"{name} links to {target}"


def test_what_the_pages_take_in_links_outside_to_nothing_unknown():
    for file in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "autograd/README.md", "nn/README.md", "tests/README.md"):
        text = (DOCS.parent / file).read_text(encoding="utf-8")
        assert {target for target in LINK.findall(text) if "://" in target} <= EXTERNAL


# ---------------------------------------------------------------- their lines
@pytest.mark.parametrize("name", sorted(PROGRAMS))
def test_the_lines_of_a_page_run_and_make_its_pictures(name, capsys, monkeypatch, tmp_path):
    for needed in NEEDED:
        if f"import {needed}" in TEXTS[name] or f"from {needed}" in TEXTS[name]:
            pytest.importorskip(needed, reason=f"the page uses {needed}, which is in an extra")
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.chdir(tmp_path)
    if "savefig" in TEXTS[name]:
        from matplotlib import pyplot

        monkeypatch.setitem(pyplot.rcParams, "svg.fonttype", "none")
    run_document(PAGES[name], capsys)
    shown = set(re.findall(r"\]\((?:\.\./)?pictures/(\S+)\)", TEXTS[name]))
    assert shown == {file.name for file in tmp_path.glob("*.svg")}, "python docs/pictures.py makes the pictures anew"
    for picture in shown:
        assert_drawn_anew(tmp_path / picture, DOCS / "pictures" / picture)


def test_every_page_with_python_is_run():
    with_python = {name for name, text in TEXTS.items() if "```python" in text}
    assert with_python <= PROGRAMS | GENERATED


def test_the_idioms_of_other_libraries_give_what_the_page_says(capsys, tmp_path, monkeypatch):
    """The second column of each table is run, and the third is what it gives."""
    monkeypatch.chdir(tmp_path)
    names = run_document(PAGES["others.md"], capsys)
    rows = re.findall(r"^\| .* \| `([^`]*)` \| (?:`(.*)` )?\|$", TEXTS["others.md"], re.MULTILINE)
    assert len(rows) > 40
    for code, given in rows:
        if given:
            assert re.sub(r"\s+", " ", repr(eval(code, names))) == given, code
        else:
            exec(code + " pass" * code.endswith(":"), names)


# ---------------------------------------------------------------- the reference
def test_every_public_name_is_on_one_topic(reference):
    names = reference.public()
    topics = reference.entries(names)
    placed = [name for found in topics.values() for first, also in found.items() for name in (first, *also)]
    assert len(placed) == len(set(placed))
    modules = {name for name in names if isinstance(reference.find(name), type(sys))}  # they are places themselves
    assert set(placed) == set(names) - modules
    assert "autograd.Tensor.exp_" in topics["elementwise"]["autograd.exp"]


def test_every_entry_says_what_it_is(reference):
    """In a docstring of its own; a comment `#:` says it of slots, the topic of numbers and dtypes."""
    things = {name: reference.find(name) for found in reference.entries(reference.public()).values() for name in found}
    silent = [
        name
        for name, thing in things.items()
        if (callable(thing) or isinstance(thing, property))
        and (not thing.__doc__ or thing.__doc__.startswith(("attrgetter", "Return a value for the context variable")))
    ]
    assert not silent


@pytest.mark.slow
def test_the_source_of_an_entry_is_found_also_in_the_table(reference):
    for name, line in (("autograd.exp", "exp "), ("autograd.Tensor.view", "def view("), ("nn.Linear", "class Linear(Module):")):
        module, first, _ = reference.sources()[name]
        assert Path(sys.modules[module].__file__).read_text(encoding="utf-8").splitlines()[first - 1].startswith(line)
    names = {name for found in reference.entries(reference.public()).values() for name in found}
    without = {
        name for name in names - reference.sources().keys() if inspect.isroutine(t := reference.find(name)) or inspect.isclass(t)
    }
    assert {n for n in without if not n.endswith("Tensor")} == {"autograd.dtype", "autograd.finfo", "autograd.iinfo"}  # NumPy's


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("linaer", "topics.toml, onnx: autograd.linaer is no public name"),
        ("exp", "autograd.exp is no public name, or has its place already"),
        ("", "on no topic: nn.onnx.export; name them"),
    ],
)
def test_a_topic_of_other_names_is_refused(reference, monkeypatch, names, message):
    monkeypatch.setitem(reference.TOPICS["onnx"], "names", names)
    with pytest.raises(ValueError, match=message):
        reference.entries(reference.public())


def test_the_reference_has_a_page_for_each_topic(reference, tmp_path):
    (tmp_path / "old.rst").write_text("a topic that is no more", encoding="utf-8")
    reference.write(tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {"index.md", *(f"{topic}.rst" for topic in reference.TOPICS)}
    page = (tmp_path / "elementwise.rst").read_text(encoding="utf-8")
    assert ".. autofunction:: autograd.exp\n\n   Also: ``Tensor.exp``, ``Tensor.exp_``.\n" in page


# ---------------------------------------------------------------- PyTorch's names
def test_the_list_of_pytorchs_names_is_that_of_today(torch):
    page, version = TEXTS["pytorch_names.md"], torch.__version__.partition("+")[0]
    if f"PyTorch {version} " not in page:
        pytest.skip(f"the page is about another version of PyTorch than {version}")
    assert load("pytorch_names").page() == page, "run: python docs/pytorch_names.py"


def test_the_states_of_names_are_what_they_say(torch, monkeypatch):
    names = load("pytorch_names")
    assert names.state("torch", "exp") == names.state("torch.nn", "Linear") == ("same", "")
    assert names.state("torch", "sparse_coo_tensor")[0] == "refused"
    assert names.state("torch", "segment_reduce") == ("absent", "")
    monkeypatch.setattr(names, "arguments", lambda thing: {"a", "b"} if thing is torch.exp else {"a"})
    assert names.state("torch", "exp") == ("fewer arguments", "b")
