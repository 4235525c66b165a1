"""Every error says, in one sentence, which op, what was found and what to do; and is also of PyTorch's or NumPy's type."""

import ast
import functools
import inspect
import re
from pathlib import Path

import numpy as np
import pytest
from helpers import vector

import autograd as ag
from autograd import errors, grad, primitive, tensor
from autograd.engine.tape import Tape

x = tensor([1.0, 2.0, 3.0])
m = ag.ones(2, 3)
n = tensor([1, 2, 3])
leaf = functools.partial(vector, 1.0, 2.0, 3.0, dtype=ag.float32)


def twice(of):
    of.backward()
    of.backward()


def changed(of, write):
    """A loss that saved `of`, which is written to before backward."""
    loss = (of * of).sum()
    write(of)
    loss.backward()


def view_of_a_leaf():
    leaf()[:2].add_(1)


def part_of_a_result():
    (leaf() * 2).split(1)[0].add_(1)


def on_tape(work):
    with ag.engine.graph.ambient(tape=Tape()):
        work()


def frozen(x):
    x.requires_grad = False


no_rule = primitive(lambda x, y: x * y, "no_rule", x=lambda g, y: g * y, y=None)

# what to run, what it raises, what the message says
CASES = [
    # gradients
    (lambda: leaf().backward(), errors.GraphError, "backward", "(3,)", "gradient of that shape"),
    (lambda: ag.zeros(0, requires_grad=True).backward(), errors.GraphError, "(0,)"),
    (lambda: x.sum().backward(), errors.NoGradientError, "requires grad", "output 0"),
    (lambda: twice(leaf().exp().prod()), errors.FreedGraphError, "retain_graph=True"),
    (lambda: twice((leaf() * leaf()).sum()), errors.FreedGraphError, "freed by an earlier backward"),
    (lambda: leaf().sum().backward(ag.ones(2)), errors.ShapeError, "()", "(2,)"),
    (lambda: (leaf() * 2).backward(ag.ones(3, 1)), errors.ShapeError, "(3,)", "(3, 1)"),
    (lambda: grad(leaf() * 2, x), errors.NoGradientError, "grad", "input 0", "requires_grad_()"),
    (lambda: grad(leaf().sum(), leaf()), errors.NoGradientError, "input 0", "allow_unused=True"),
    (lambda: grad([leaf().sum()], leaf(), [None, None]), errors.ArgumentError, "2 grad_outputs", "1 outputs"),
    (lambda: leaf().sum().backward(inputs=[x]), errors.NoGradientError, "inputs", "requires_grad_()"),
    (lambda: no_rule(leaf(), leaf()), errors.NoGradientError, "no_rule", "rule for y", "detach()"),
    # leaves
    (lambda: n.requires_grad_(), errors.DtypeError, "int64", "float()"),
    (lambda: tensor([True], requires_grad=True), errors.DtypeError, "bool"),
    (lambda: ag.arange(3, requires_grad=True), errors.DtypeError, "int64"),
    (lambda: frozen(leaf() * 2), errors.GraphError, "leaves", "detach()"),
    (lambda: x.register_hook(print), errors.NoGradientError, "register_hook", "requires_grad_()"),
    (lambda: x.retain_grad(), errors.NoGradientError, "retain_grad"),
    (lambda: setattr(leaf(), "grad", ag.ones(2)), errors.ShapeError, "float32 (3,)", "float32 (2,)"),
    (lambda: setattr(leaf(), "grad", x.double()), errors.ShapeError, "float32 (3,)", "float64 (3,)"),
    (lambda: setattr(leaf(), "data", ag.ones(2)), errors.ShapeError, "float32 (3,)", "float32 (2,)"),
    # in place
    (lambda: leaf().add_(1), errors.InPlaceError, "add_", "leaf", "no_grad()"),
    (lambda: leaf().zero_(), errors.InPlaceError, "zero_", "leaf", "no_grad()"),
    (lambda: leaf().__setitem__(0, 1.0), errors.InPlaceError, "x[...] = y", "leaf", "no_grad()"),
    (view_of_a_leaf, errors.InPlaceError, "add_", "view of a leaf", "no_grad()"),
    (part_of_a_result, errors.InPlaceError, "add_", "split", "clone()"),
    (lambda: changed(leaf(), lambda x: x.data.add_(1)), errors.InPlaceError, "multiply", "modified in place", "clone()"),
    (lambda: changed(leaf(), lambda x: x.detach()[:1].zero_()), errors.InPlaceError, "multiply", "modified in place"),
    (lambda: changed(leaf(), lambda x: ag.touch(x.array)), errors.InPlaceError, "multiply", "modified in place"),
    (lambda: x.expand(2, 3).zero_(), errors.InPlaceError, "expanded memory", "clone()"),
    (lambda: m.add_(ag.ones(2, 2, 3)), errors.ShapeError, "add_", "(2, 2, 3)", "(2, 3)"),
    (lambda: n.add_(0.5), errors.DtypeError, "add_", "float32", "int64"),
    (lambda: n.__itruediv__(2), errors.DtypeError, "float32", "int64"),
    (lambda: x.copy_(ag.ones(4)), errors.ShapeError, "(4,)", "(3,)"),
    (lambda: x.__setitem__(slice(2), ag.ones(3)), errors.ShapeError, "setitem", "(3,)"),
    (lambda: x.__setitem__(7, 1.0), errors.DimError, "setitem", "7"),
    # shapes
    (lambda: m + ag.ones(4), errors.ShapeError, "add", "float32 (2, 3)", "float32 (4,)"),
    (lambda: m @ m, errors.ShapeError, "matmul", "(2, 3)"),
    (lambda: x @ tensor(1.0), errors.ShapeError, "matmul", "(3,)", "()"),
    (lambda: m.mm(x), errors.ShapeError, "mm", "(2, 3)", "(3,)"),
    (lambda: m.dot(x), errors.ShapeError, "dot", "(2, 3)"),
    (lambda: m.outer(x), errors.ShapeError, "outer", "(2, 3)"),
    (lambda: m.reshape(4), errors.ShapeError, "reshape", "(2, 3)", "(4,)"),
    (lambda: m.expand(3, 3), errors.ShapeError, "expand", "(2, 3)", "(3, 3)"),
    (lambda: m.permute(0), errors.ShapeError, "permute", "1 dims", "2"),
    (lambda: ag.cat([x, m]), errors.ShapeError, "concatenate", "(3,)", "(2, 3)"),
    (lambda: ag.stack([x, ag.ones(2)]), errors.ShapeError, "stack", "(3,)", "(2,)"),
    (lambda: x.split([1, 1]), errors.ShapeError, "split", "[1, 1]", "3"),
    (lambda: m.repeat(2), errors.ShapeError, "repeat", "2 dims"),
    (lambda: ag.einsum("ij,jk->ik", m, x), errors.ShapeError, "einsum", "'jk'", "(3,)"),
    (lambda: ag.where(x > 1, ag.ones(2), x), errors.ShapeError, "where", "(2,)", "(3,)"),
    (lambda: ag.zeros(0).max(), errors.ShapeError, "amax", "(0,)"),
    (lambda: ag.zeros(2, 0).argmax(1), errors.ShapeError, "argmax", "(2, 0)"),
    (lambda: x.item(), errors.ShapeError, "item", "(3,)", "tolist()"),
    # dtypes
    (lambda: n.mean(), errors.DtypeError, "mean", "int64", "float()"),
    (lambda: n.softmax(0), errors.DtypeError, "softmax", "int64"),
    (lambda: n.var(), errors.DtypeError, "var", "int64"),
    (lambda: x @ x.double(), errors.DtypeError, "matmul", "float32", "float64", "to()"),
    (lambda: x & 1, errors.DtypeError, "bitwise_and", "float32 (3,)"),
    (lambda: x + "a", errors.DtypeError, "add", "y", "'a'"),
    (lambda: [1, 2, 3] * x, errors.DtypeError, "multiply", "x", "[1, 2, 3]"),
    (lambda: x * 1j, errors.DtypeError, "multiply", "y", "1j"),
    (lambda: x * np.array([1j]), errors.DtypeError, "complex128"),
    (lambda: ag.cat([x, [1.0]]), errors.DtypeError, "concatenate", "[1.0]"),
    (lambda: x[x], errors.DtypeError, "index", "float32"),
    (lambda: x["a"], errors.DtypeError, "index", "'a'"),
    (lambda: x[1.5], errors.DtypeError, "index", "1.5"),
    (lambda: x.masked_fill(n, 0), errors.DtypeError, "masked_fill", "int64"),
    (lambda: m.gather(0, m), errors.DtypeError, "gather", "float32"),
    (lambda: x.sum("rows"), errors.DtypeError, "sum", "'rows'"),
    (lambda: [0, 1][x[:1]], errors.DtypeError, "float32"),
    (lambda: ag.set_default_dtype(int), errors.DtypeError, "int64"),
    (lambda: tensor("a"), errors.DtypeError, "'a'"),
    (lambda: tensor(None), errors.DtypeError, "NoneType"),
    (lambda: tensor(1j), errors.DtypeError, "complex128"),
    (lambda: ag.from_numpy([1]), errors.DtypeError, "from_numpy", "list", "tensor()"),
    (lambda: x.to("cuda"), errors.UnsupportedError, "'cpu'", "'cuda'"),
    # dims and indices
    (lambda: m.sum(2), errors.DimError, "sum", "dim 2", "2 dims", "-2 to 1"),
    (lambda: m.mean(-3), errors.DimError, "mean", "dim -3"),
    (lambda: m.max(5), errors.DimError, "max", "dim 5"),
    (lambda: m.softmax(5), errors.DimError, "softmax", "dim 5"),
    (lambda: m.sum((0, 0)), errors.DimError, "sum", "twice"),
    (lambda: m.transpose(0, 2), errors.DimError, "transpose", "dim 2"),
    (lambda: m.squeeze(2), errors.DimError, "squeeze", "dim 2"),
    (lambda: m.unsqueeze(4), errors.DimError, "unsqueeze", "dim 4"),
    (lambda: m.size(2), errors.DimError, "size", "dim 2"),
    (lambda: m.flatten(2), errors.DimError, "flatten", "dim 2"),
    (lambda: m.cumsum(2), errors.DimError, "cumsum", "dim 2"),
    (lambda: ag.stack([m], 4), errors.DimError, "stack", "dim 4"),
    (lambda: m.sort(2), errors.DimError, "sort", "dim 2"),
    (lambda: x[3], errors.DimError, "3"),
    (lambda: x[0, 0], errors.DimError, "(3,)"),
    (lambda: x[tensor([5])], errors.DimError, "5"),
    (lambda: x[tensor([True])], errors.DimError, "bool (1,)"),
    (lambda: m.gather(1, n[None] + 5), errors.DimError, "gather", "length 3"),
    (lambda: m.index_select(0, n), errors.DimError, "index_select", "length 2"),
    # arguments
    (lambda: bool(x), errors.ArgumentError, "(3,)", "any()", "all()"),
    (lambda: x.clamp(), errors.ArgumentError, "clamp", "min, max"),
    (lambda: x.split(0), errors.ArgumentError, "split", "positive", "0"),
    (lambda: x.chunk(0), errors.ArgumentError, "chunk", "positive"),
    (lambda: x.topk(4), errors.ArgumentError, "topk", "k is 4", "3"),
    (lambda: x.div(x, rounding_mode="up"), errors.ArgumentError, "div", "'up'"),
    (lambda: ag.cat([]), errors.ArgumentError, "cat", "at least one"),
    (lambda: ag.einsum("i,j", x), errors.ArgumentError, "einsum", "'i,j'", "2 operands", "1"),
    (lambda: ag.arange(0, 5, -1), errors.ArgumentError, "arange", "-1"),
    (lambda: ag.randint(3, 3, (2,)), errors.ArgumentError, "randint", "3"),
    (lambda: ag.bernoulli(x), errors.ArgumentError, "bernoulli", "between 0 and 1"),
    (lambda: ag.multinomial(x, 4), errors.ArgumentError, "multinomial", "4"),
    # what a Tensor does not do
    (lambda: np.asarray(leaf()), errors.NoGradientError, "detach().numpy()"),
    (lambda: (leaf() * 2).numpy(), errors.NoGradientError, "numpy", "detach()"),
    (lambda: on_tape(lambda: np.asarray(x)), errors.UnsupportedError, "tape", "constant"),
    (lambda: len(tensor(1.0)), errors.UnsupportedError, "0-d", "len()"),
    (lambda: iter(tensor(1.0)), errors.UnsupportedError, "0-d", "iterated"),
    (lambda: np.fft.fft(m), errors.UnsupportedError, "np.fft", "detach()"),
    (lambda: np.add.reduceat(x, [0]), errors.UnsupportedError, "np.add.reduceat", "detach()"),
    # the table itself
    (lambda: primitive(lambda x: x, "op", y=lambda g: g), errors.UnsupportedError, "op", "'y'", "takes x"),
    (lambda: primitive(lambda g: g, "op", g=lambda g: g), errors.UnsupportedError, "op", "'g'"),
    (lambda: primitive(lambda x: x, "op", x=lambda g, z: g)(leaf()), errors.UnsupportedError, "op", "'z'", "x_shape"),
]


def name_of(case):
    source = inspect.getsource(case[0]).strip().removeprefix("(lambda: ").split(", errors.")[0]
    return re.sub(r"\W+", " ", source).strip()


@pytest.mark.parametrize(("run", "kind", "fragments"), [(c[0], c[1], c[2:]) for c in CASES], ids=map(name_of, CASES))
def test_an_error_says_what_went_wrong(run, kind, fragments):
    with pytest.raises(errors.AutogradError) as caught:
        run()
    assert caught.type is kind
    message = str(caught.value)
    for fragment in fragments:
        assert fragment in message
    assert "\n" not in message
    first = message.split()[0]
    assert not message[0].isupper() or first.rstrip(":") == first.rstrip(":").upper(), "a message starts in lower case"
    assert not message.rstrip().endswith("."), "a message is one sentence, without a full stop"


TYPES = {
    errors.GraphError: RuntimeError,
    errors.FreedGraphError: RuntimeError,
    errors.InPlaceError: RuntimeError,
    errors.NoGradientError: RuntimeError,
    errors.ShapeError: (RuntimeError, ValueError),
    errors.DtypeError: (RuntimeError, TypeError),
    errors.DimError: IndexError,
    errors.ArgumentError: ValueError,
    errors.UnsupportedError: TypeError,
}


@pytest.mark.parametrize("kind", TYPES)
def test_an_error_is_also_of_the_type_that_pytorch_or_numpy_raises(kind):
    for builtin in np.atleast_1d(TYPES[kind]):
        assert issubclass(kind, builtin)


def all_kinds(kind=errors.AutogradError):
    return {kind}.union(*map(all_kinds, kind.__subclasses__()))


def test_the_tree_that_is_drawn_is_the_tree_that_is():
    drawn, path = {}, []
    for line in errors.__doc__.splitlines():
        if found := re.match(r"    ([│├└─ ]*)(\w+Error)\b *(?:\(([\w, ]+)\))?", line):
            depth = len(found[1]) // 4
            path[depth:] = [found[2]]
            drawn[found[2]] = (path[depth - 1] if depth else "Exception", found[3])
    ours = {kind for kind in all_kinds() if kind.__module__ == "autograd.errors"}
    assert set(drawn) == {kind.__name__ for kind in ours}
    for kind in ours:
        parent, builtins = drawn[kind.__name__]
        bases = [base.__name__ for base in kind.__bases__]
        assert bases[0] == parent
        assert bases[1:] == (builtins.split(", ") if builtins else [])
        assert kind.__doc__


@pytest.mark.parametrize("kind", sorted(k.__name__ for k in all_kinds() if k.__module__ == "autograd.errors"))
def test_every_kind_of_error_is_provoked_by_some_test(kind):
    here = Path(__file__)
    pattern = re.compile(rf"raises\([^#\n]*\b{kind}\b|, (errors\.)?{kind}, ")
    assert any(pattern.search(file.read_text(encoding="utf-8")) for file in here.parent.glob("test_*.py"))


def test_one_root_catches_all():
    with pytest.raises(errors.AutogradError):
        m @ m
    with pytest.raises(RuntimeError):  # as a PyTorch program would
        m @ m
    with pytest.raises(ValueError, match="matmul"):  # as a NumPy program would
        m @ m


def test_what_numpy_raised_is_the_cause():
    with pytest.raises(errors.ShapeError) as caught:
        m + ag.ones(4)
    assert isinstance(caught.value.__cause__, ValueError)


def test_errors_of_a_users_own_function_keep_their_type_if_it_is_an_error_of_ours():
    def fails(x):
        raise errors.ArgumentError("on purpose")

    with pytest.raises(errors.ArgumentError, match="on purpose"):
        primitive(fails, "fails", x=lambda g: g)(leaf())


def test_describe():
    assert errors.describe(m) == errors.describe(m.array) == "float32 (2, 3)"
    assert errors.describe(None) == "None"
    assert errors.describe("a" * 100) == "'" + "a" * 56 + "..."


SOURCES = [file for name in ("autograd", "nn") for file in Path(ag.__file__).parent.with_name(name).rglob("*.py")]


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: "/".join(file.parts[-2:]))
def test_no_bare_error_is_raised_that_the_tree_has_a_class_for(file):
    builtins = {base.__name__ for kind in all_kinds() for base in kind.__bases__ if base.__module__ == "builtins"}
    builtins -= {
        "TypeError",
        "AttributeError",
        "ImportError",
        "KeyError",
        "NotImplementedError",
    }  # which Python's own protocols ask for
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            assert ast.unparse(node.exc.func) not in builtins, f"line {node.lineno}: {ast.unparse(node)}"
