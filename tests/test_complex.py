"""What docs/complex.md says of complex numbers: that rules run on arrays of them as they stand, and that Tensors refuse them."""

import contextlib
import inspect
import re
from pathlib import Path

import numpy as np
import pytest

import nn  # noqa: F401 (some primitives are its)
from autograd.engine.primitive import PRIMITIVES

PAGE = Path(__file__).parent.parent / "docs" / "complex.md"
RIGHT = """
    add subtract multiply divide negative power square reciprocal exp exp2 expm1 log log2 log10 log1p sqrt rsqrt sin cos tan
    arcsin arccos arctan sinh cosh tanh arccosh arctanh sigmoid logit matmul matvec linear inv mean cumprod cumsum var reshape permute
""".split()
REAL_ONLY = "cbrt arcsinh softplus logaddexp erf det sum".split()
SHAPES = {
    "matmul": [(2, 3), (3, 2)],
    "matvec": [(2, 3), (3,)],
    "linear": [(2, 3), (4, 3), (4,)],
    "inv": [(3, 3)],
    "det": [(3, 3)],
}
OPTIONS = {
    "sum": ((0,), False), "mean": ((0,), False), "cumprod": (0,), "cumsum": (0,), "var": ((0,), False, 1),
    "reshape": ((3, 1),), "permute": ((0,),),
}  # fmt: skip


def is_right(name):
    """Is <g, derivative along v> what the rule gives, <rule(g), v>, without a conjugate, for each argument?"""
    rng, op = np.random.default_rng(0), PRIMITIVES[name]
    draw = lambda shape: rng.uniform(0.3, 0.8, shape) + 1j * rng.uniform(-0.5, 0.5, shape)  # noqa: E731
    options = OPTIONS.get(name, ())
    arrays = [draw(shape) for shape in SHAPES.get(name, [(3,)] * (len(op.names) - len(options)))]
    h = 1e-6 * (0.6 + 0.8j)
    out = op.fun(*arrays, *options)
    given = dict(zip(op.names, [*arrays, *options], strict=True)) | {"out": out}
    given |= {f"{n}_shape": np.shape(a) for n, a in given.items()}
    for i, x in enumerate(arrays):
        g, v, rule = draw(out.shape), draw(x.shape), op.rules[op.names[i]]
        ahead, behind = (op.fun(*arrays[:i], x + step * v, *arrays[i + 1 :], *options) for step in (h, -h))
        d = rule(g, *(given[n] for n in list(inspect.signature(rule).parameters)[1:]))
        if not np.isclose(np.sum(g * (ahead - behind) / (2 * h)), np.sum(np.broadcast_to(d, np.shape(d)) * v), rtol=1e-7):
            return False
    return True


@pytest.mark.parametrize("name", RIGHT)
def test_a_rule_of_a_complex_function_runs_on_complex_numbers_as_it_stands(name):
    assert is_right(name)


@pytest.mark.parametrize("name", REAL_ONLY)
@pytest.mark.filterwarnings("ignore")  # of parts that are dropped
def test_what_is_computed_by_ways_of_real_numbers_does_not(name):
    with contextlib.suppress(TypeError):
        assert not is_right(name)


def test_the_page_has_the_numbers():
    if not PAGE.exists():
        pytest.skip("docs/complex.md is not here, as when the tests are copied away to try an installed package")
    text = re.sub(r"\s+", " ", PAGE.read_text(encoding="utf-8"))
    assert f"Of {len(RIGHT) + len(REAL_ONLY)} functions that have a complex derivative, {len(RIGHT)} are right" in text
