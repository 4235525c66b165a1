import sys

sys.path.insert(0, "/work/main/tests")
import numpy as np, pytest
from hypothesis import given, assume, settings, strategies as st
from samples import SAMPLES
from strategies import calls
from test_ops import *


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int32", "int64", "float16", "float32"])
@records(where=named_like_torchs)
@given(st.data())
def test_all_dtypes_like_torch(sample, dtype, torch, data):
    try:
        call = data.draw(calls(sample, np.dtype(dtype)))
    except (ValueError, TypeError, IndexError):
        assume(False)
    theirs = call.map(lambda a: torch.from_numpy(a.copy()))
    try:
        expected = leaves(theirs.run(torchs(sample, torch)))
    except (TypeError, ValueError, RuntimeError, NotImplementedError, IndexError):
        assume(False)
    with np.errstate(all="ignore"):
        found = leaves(tensors(call)[0].run(sample.op))
    for y, e in zip(found, expected, strict=True):
        if not isinstance(e, torch.Tensor):
            assert y == e
            continue
        assert str(e.dtype) == f"torch.{y.dtype}"
        t = {"float16": 4e-3, "float32": 1e-5}.get(str(y.dtype), 1e-12)
        assert_allclose(y.array, e.numpy(), rtol=t, atol=t)
