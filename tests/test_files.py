"""Saving and loading: nothing is lost, nothing in a file is executed, no file is half written, and training resumes to the bit."""

import contextlib
import importlib
import io
import json
import os
import pickle
import pickletools  # noqa: F401  # which loading imports when first it needs it; under_watch() would see that
import random
import struct
import subprocess
import sys
import textwrap
import threading
import time
import tracemalloc
import types
import warnings
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch_files
from hypothesis import given, settings
from hypothesis import strategies as st

import autograd
import nn
from autograd import Generator, Tensor, tensor
from autograd.errors import ArgumentError, FileError, UnsupportedError
from nn import optim

HERE = types.SimpleNamespace(torch=autograd, nn=nn, optim=optim)
FORMATS = ["npz", "safetensors", "pt"]
DTYPES = "float16 float32 float64 int8 int16 int32 int64 uint8 bool".split()


def same(a, b):
    """Are two states equal, types, dtypes and bits included?"""
    if isinstance(a, (Tensor, np.ndarray)):
        array, other = (getattr(v, "array", v) for v in (a, b))
        assert isinstance(b, type(a)) or isinstance(a, Tensor)
        assert (array.shape, array.dtype) == (other.shape, other.dtype)
        assert np.ascontiguousarray(array).tobytes() == np.ascontiguousarray(other).tobytes()
    elif isinstance(a, dict):
        assert isinstance(a, Counter) == isinstance(b, Counter)
        assert list(a) == list(b)
        assert list(map(type, a)) == list(map(type, b))
        for key in a:
            same(a[key], b[key])
    elif isinstance(a, (list, tuple)):
        assert type(a) is type(b)
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            same(x, y)
    else:
        assert type(a) is type(b)
        assert a == b or repr(a) == repr(b)  # as NaN has


def nested():
    w = tensor(np.arange(12, dtype=np.float32).reshape(3, 4))
    return {
        "model": {
            "weight": w,
            "0.bias": tensor([1.5]),
            "": tensor(1),
            "a b": tensor(2),
            "../x": tensor(3),
            "__state__": tensor(4),
        },
        "optimizer": {
            "state": {0: {"step": tensor(3.0), "exp_avg": w * 2}, 1: {}},
            "groups": [{"lr": 1e-3, "betas": (0.9, 0.999)}],
        },
        "dtypes": [tensor(np.array([[0, 1], [1, 0]], d)) for d in DTYPES],
        "layouts": [w.t(), w[::2, 1:3], w[::-1], w[1], w.expand(2, 3, 4), tensor(np.asfortranarray(np.eye(3)))],
        "empty": [autograd.zeros(0), autograd.zeros(3, 0, 2), {}, [], (), ""],
        "numbers": [0, -1, 2**31, -(2**31) - 1, 2**63, -(2**100), 0.1, -0.0, 1e300, float("inf"), -float("inf"), float("nan")],
        "keys": {1: "int", "1": "str", 2.5: "float", None: "none", False: "bool"},
        "others": (None, True, False, "ü\n\0\ud800", ("nested", ["deeper", (1,)])),
        "random": Generator().manual_seed(3).get_state(),
    }


# ---------------------------------------------------------------- nothing lost
@pytest.mark.parametrize("mmap", [False, True])
@pytest.mark.parametrize("form", FORMATS)
def test_nested_state_comes_back_as_it_was(form, mmap, tmp_path):
    file = tmp_path / f"state.{form}"
    autograd.save(nested(), file)
    same(nested(), autograd.load(file, mmap=mmap))
    assert [f.name for f in tmp_path.iterdir()] == [file.name]


@pytest.mark.parametrize("form", ["npz", "safetensors"])
def test_arrays_stay_arrays_and_keep_their_dtypes(form, tmp_path):
    state = [np.arange(3, dtype=d) for d in (*DTYPES[:8], "uint16", "uint32", "uint64", ">f4")]
    autograd.save(state, tmp_path / f"a.{form}")
    loaded = autograd.load(tmp_path / f"a.{form}")
    assert {type(a) for a in loaded} == {np.ndarray}
    same([a.astype(a.dtype.newbyteorder("=")) for a in state], loaded)


@pytest.mark.parametrize("form", FORMATS)
def test_what_shares_memory_is_saved_once_and_shares_it_again(form, tmp_path):
    layer = nn.Linear(100, 100)
    tied = {"encoder": layer.state_dict(), "decoder": layer.state_dict(), "copy": layer.weight.detach().clone()}
    autograd.save(tied, tmp_path / f"tied.{form}")
    assert 80_000 < (tmp_path / f"tied.{form}").stat().st_size < 90_000
    loaded = autograd.load(tmp_path / f"tied.{form}")
    loaded["encoder"]["weight"].zero_()
    assert not loaded["decoder"]["weight"].any()
    assert loaded["copy"].any()


@pytest.mark.parametrize("form", FORMATS)
def test_leaves_that_require_grad_do_so_again(form, tmp_path):
    autograd.save([nn.Parameter([1.0, 2.0]), tensor([1.0]), tensor([1.0], requires_grad=True) * 2], tmp_path / f"p.{form}")
    leaf, plain, result = autograd.load(tmp_path / f"p.{form}")
    assert (leaf.requires_grad, plain.requires_grad, result.requires_grad) == (True, False, False)
    (leaf * leaf).sum().backward()
    assert leaf.grad.tolist() == [2, 4]


@pytest.mark.parametrize("form", FORMATS)
def test_the_same_state_gives_the_same_file(form, tmp_path):
    for name in "ab":
        nn.save(nested(), tmp_path / f"{name}.{form}")
    assert (tmp_path / f"a.{form}").read_bytes() == (tmp_path / f"b.{form}").read_bytes()


@pytest.mark.parametrize("form", FORMATS)
def test_mapped_arrays_are_the_file_until_they_are_written_to(form, tmp_path):
    file = tmp_path / f"m.{form}"
    state = {
        f"w{i}": tensor(np.full(n, i, d))
        for i, (n, d) in enumerate([(3, "int8"), (5, "float64"), (7, "float32"), (10**6, "float32")])
    }
    autograd.save(state, file)
    before = file.read_bytes()
    tracemalloc.start()
    loaded = autograd.load(file, mmap=True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000
    assert all(t.array.flags.aligned for t in loaded.values())
    loaded["w3"][:] = 7
    assert loaded["w3"].sum() == 7 * 10**6
    assert file.read_bytes() == before
    same(state, autograd.load(file))


def test_a_flat_dict_of_tensors_is_an_ordinary_file_for_others(tmp_path):
    state = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1)).state_dict() | {
        "file": tensor([1, 2]),
        "F": tensor([[1.0, 2.0], [3.0, 4.0]]).t(),
    }
    autograd.save(state, tmp_path / "flat.npz")
    with np.load(tmp_path / "flat.npz", allow_pickle=False) as theirs:
        same({k: v.array for k, v in state.items()}, dict(theirs))
    np.savez_compressed(tmp_path / "theirs.npz", **{k: v.array for k, v in state.items() if k != "file"})
    same({k: v for k, v in state.items() if k != "file"}, autograd.load(tmp_path / "theirs.npz"))


def test_files_of_the_safetensors_package_and_ours_are_the_same_to_both(tmp_path):
    reason = "the package safetensors is no dependency; where it is installed, it is compared with"
    theirs = pytest.importorskip("safetensors.numpy", reason=reason)
    state = {
        "b": tensor([1, 2]),
        "a": tensor(np.arange(6.0).reshape(2, 3)).t(),
        "e": autograd.zeros(0, 2),
        "half": tensor([1.0]).half(),
        "t": tensor(True),
    }
    autograd.save(state, tmp_path / "ours.safetensors")
    found = theirs.load_file(tmp_path / "ours.safetensors")
    assert set(found) == set(state)
    for name, t in state.items():
        same(t.array, found[name])
    theirs.save_file({k: v.array.copy(order="C") for k, v in state.items()}, tmp_path / "theirs.safetensors", {"by": "them"})
    loaded = autograd.load(tmp_path / "theirs.safetensors")
    for name, t in state.items():
        same(t, loaded[name])
    autograd.save(nested(), tmp_path / "nested.safetensors")
    assert len(theirs.load_file(tmp_path / "nested.safetensors")) > 20


NARROW = {"float8_e4m3fn": "F8_E4M3", "float8_e5m2": "F8_E5M2", "bfloat16": "BF16"}


@pytest.mark.parametrize("mmap", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_numpy_lacks_is_refused_by_name_or_mapped_exactly(dtype, mmap, tmp_path):
    file = torch_files.FOLDER / "narrow.pt"
    with pytest.raises(FileError, match="float8_e4m3fn, which NumPy lacks; give map_dtype=float32"):
        autograd.load(file)
    pairs = autograd.load(file, map_dtype=dtype, mmap=mmap)  # the second of each was in float32 in the file
    assert [len(numbers) for numbers, _ in pairs] == [256, 256, 256]
    with zipfile.ZipFile(file) as archive:
        raw = [archive.read(f"narrow/data/{i}") for i in (0, 2, 4)]
    for (numbers, expected), (kind, name), data in zip(pairs, NARROW.items(), raw, strict=True):
        assert (numbers.dtype.name, expected.dtype.name) == (dtype, "float32")
        np.testing.assert_array_equal(numbers.array, expected.array)
        np.testing.assert_array_equal(np.signbit(numbers.array), np.signbit(expected.array))
        (tmp_path / "n.safetensors").write_bytes(header({"x": entry(name, (256,), (0, len(data)))}, data))
        with pytest.raises(FileError, match=f"'x' is of {kind}"):
            autograd.load(tmp_path / "n.safetensors", mmap=mmap)
        loaded = autograd.load(tmp_path / "n.safetensors", mmap=mmap, map_dtype=getattr(autograd, dtype))
        same({"x": numbers}, loaded)
    with pytest.raises(ArgumentError, match="map_dtype must be float32 or float64"):
        autograd.load(file, map_dtype="float16")


def test_what_cannot_be_saved_is_named_with_its_place(tmp_path):
    circle = []
    circle.append(circle)
    for state, *said in [
        ({"a": [1, frozenset()]}, "['a'][1]", "frozenset"),
        ({"a": {frozenset()}}, "['a'] has in it frozenset()"),
        ({"k" * 70_000: 1, "b": [range(3)]}, "range"),
        ({"k" * 70_000: range(3)}, "kkk...]"),
        ({"a\x1b\ud800": range(3)}, r"['a\x1b\ud800']"),
        ({"model": nn.Linear(1, 1)}, "['model']", "Linear", "state_dict()"),
        ({"a": np.array([1j])}, "complex"),
        ({"a": np.array(["x"])}, "<U1"),
        ({(1, tensor(2)): 3}, "a key (1, "),
        (memoryview(b"bytes"), "the state is a memoryview"),
        (np.dtype("complex64"), "Complex64DType"),
        (circle, "holds itself"),
    ]:
        with pytest.raises(UnsupportedError) as caught:
            autograd.save(state, tmp_path / "x.npz")
        assert all(part in str(caught.value) for part in said)
        assert len(str(caught.value)) < 500
    assert not list(tmp_path.iterdir())


def test_missing_files_and_folders_are_pythons_errors(tmp_path):
    with pytest.raises(FileNotFoundError):
        autograd.load(tmp_path / "none.npz")
    with pytest.raises(FileNotFoundError):
        autograd.save({}, tmp_path / "none" / "x.npz")
    with pytest.raises(IsADirectoryError):
        autograd.load(tmp_path)


def test_a_file_in_memory(tmp_path):
    buffer = io.BytesIO()
    autograd.save(nested(), buffer)
    buffer.seek(0)
    same(nested(), autograd.load(buffer))
    autograd.save(nested(), tmp_path / "x.npz")
    with open(tmp_path / "x.npz", "rb") as file:
        same(nested(), autograd.load(file, map_location="cpu", weights_only=False))


OTHERS = {
    "sets": [set(), {1, 2.5, "a", b"b", None, (1, ("x",))}],
    "complex": [1 - 2j, complex("inf+nanj"), -0.0 + 0j],
    "bytes": [b"", b"a\0\xff", bytearray(), bytearray(b"\x80")],
    "counter": Counter({2: 1, "b": 3}),
    ("a", (1, b"b")): {(): 1, 2j: 2, b"c": 3},
    "dtype": np.dtype("float32"),
}


@pytest.mark.parametrize("form", FORMATS)
def test_sets_bytes_complex_numbers_counters_and_tuples_for_keys(form, tmp_path):
    autograd.save(OTHERS, tmp_path / f"o.{form}")
    same(OTHERS, autograd.load(tmp_path / f"o.{form}"))
    for values in ("abc", "cba"):
        autograd.save([set(values)], tmp_path / f"{values}.{form}")
    assert (tmp_path / f"abc.{form}").read_bytes() == (tmp_path / f"cba.{form}").read_bytes()


@pytest.mark.parametrize("form", FORMATS)
def test_names_of_any_kind_come_back(form, tmp_path):
    names = [
        "n" * 70_000,
        "\ud800",
        "a\0b",
        "\x1b[31m",
        "=1+1",
        "__state__",
        "__metadata__",
        "ü" * 100,
        "state",
        "chainrule",
        "/",
        ".",
    ]
    state = {name: tensor(i) for i, name in enumerate(names)}
    autograd.save(state, tmp_path / f"n.{form}")
    same(state, autograd.load(tmp_path / f"n.{form}"))


@pytest.mark.parametrize("form", FORMATS)
def test_what_is_saved_can_be_read_however_deep_it_is(form, tmp_path):
    state = tensor(1)
    for _ in range(200):
        state = [state]
    autograd.save(state, tmp_path / f"d.{form}")
    same(state, autograd.load(tmp_path / f"d.{form}"))
    with pytest.raises(UnsupportedError, match="too deeply"):
        autograd.save([state], tmp_path / f"d.{form}")


def test_metadata_of_other_programs_is_theirs(tmp_path):
    for state in ("trained", "[]", '{"dict": []}'):
        data = header({"__metadata__": {"state": state, "format": "pt"}, "a": entry()}, bytes(8))
        (tmp_path / "x.safetensors").write_bytes(data)
        same({"a": tensor([0.0, 0.0])}, autograd.load(tmp_path / "x.safetensors"))


# ---------------------------------------------------------------- PyTorch's files
def test_files_of_pytorch_hold_what_they_should():
    expected = torch_files.states(HERE)
    for name in ("dtypes", "views"):
        for mmap in (False, True):
            loaded = autograd.load(torch_files.FOLDER / f"{name}.pt", mmap=mmap, map_dtype="float32")
            assert list(loaded) == list(expected[name])
            for key, t in expected[name].items():
                same(t.detach(), loaded[key].detach())
    assert loaded["parameter"].requires_grad
    loaded["base"][1, 2] = 100
    assert (
        loaded["row"][2]
        == loaded["column"][1]
        == loaded["transposed"][2, 1]
        == loaded["corner"][0, 1]
        == loaded["tied"][1, 2]
        == 100
    )
    with pytest.raises(RuntimeError, match="read-only"):
        loaded["expanded"].zero_()


def test_a_file_of_pytorch_holds_what_is_no_tensor():
    expected = torch_files.states(HERE)["values"]
    same(expected, autograd.load(torch_files.FOLDER / "values.pt"))


def test_a_schedule_goes_on_from_a_file_of_pytorch():
    state, rates = autograd.load(torch_files.FOLDER / "scheduler.pt")
    (whole, optimizer), (again, other) = (torch_files.schedule(HERE, nn.Linear(2, 2)) for _ in range(2))
    again.milestones, again.last_epoch = Counter(), 0
    again.load_state_dict(state)
    other.param_groups[0]["lr"] = rates["param_groups"][0]["lr"]
    for _ in range(3):
        for scheduler in (whole, again):
            scheduler.step()
        assert optimizer.param_groups[0]["lr"] == other.param_groups[0]["lr"]


def test_training_goes_on_from_a_checkpoint_of_pytorch():
    checkpoint = autograd.load(torch_files.FOLDER / "checkpoint.pt", map_location="cpu", weights_only=True)
    same(checkpoint["notes"], torch_files.states(HERE)["checkpoint"]["notes"])
    assert checkpoint["epoch"] == 3
    model = torch_files.network(HERE)
    model.load_state_dict(checkpoint["model"])
    optimizer = optim.Adam(model.parameters())
    optimizer.load_state_dict(checkpoint["optimizer"])
    assert optimizer.param_groups[0]["lr"] == 0.1
    torch_files.train(model, optimizer, checkpoint["x"])
    np.testing.assert_allclose(model(checkpoint["x"]).detach().array, checkpoint["later"].array, rtol=1e-5, atol=1e-6)


def test_pytorch_reads_ours_and_we_read_what_it_writes_now(torch, tmp_path):
    state = nested()
    state["dtypes"] = [*state["dtypes"]]
    autograd.save(state, tmp_path / "ours.pt")

    def plain(value):
        if hasattr(value, "detach"):
            return value.detach().numpy()
        if isinstance(value, dict):
            return value if isinstance(value, Counter) else {k: plain(v) for k, v in value.items()}
        if isinstance(value, torch.dtype):
            return np.dtype(str(value).removeprefix("torch."))
        return type(value)(map(plain, value)) if isinstance(value, (list, tuple)) else value

    for mmap in (False, True):
        same(plain(state), plain(torch.load(tmp_path / "ours.pt", weights_only=True, mmap=mmap)))
    library = types.SimpleNamespace(torch=torch, nn=torch.nn, optim=torch.optim)
    brain = torch.arange(7.0) / 3
    for protocol in (2, 4):
        for written in (
            *torch_files.states(library).values(),
            torch.nn.LSTM(2, 3).state_dict(),
            [torch.Size([2]), torch.device("cpu")],
        ):
            torch.save(written, tmp_path / "theirs.pt", pickle_protocol=protocol)
            loaded = autograd.load(tmp_path / "theirs.pt", map_dtype="float32")
            if isinstance(written, dict):
                assert list(written) == list(loaded)
                if "brain" in written:
                    written = written | {"brain": brain.bfloat16().float()}
                same(
                    plain({k: v for k, v in written.items() if k not in ("optimizer",)}),
                    plain({k: loaded[k] for k in written if k not in ("optimizer",)}),
                )
            else:
                assert loaded == [(2,), "cpu"]
    unsigned = {name: np.array([0, 1, 2 ** int(name[4:]) - 1], name) for name in ("uint16", "uint32", "uint64")}
    others = OTHERS | unsigned
    autograd.save(others, tmp_path / "others.pt")
    for mmap in (False, True):
        loaded = torch.load(tmp_path / "others.pt", weights_only=True, mmap=mmap)
        same(others, plain(loaded))
    theirs = others | {"dtype": torch.float32} | {name: torch.from_numpy(array) for name, array in unsigned.items()}
    for protocol in (2, 4, 5):
        torch.save(theirs, tmp_path / "theirs.pt", pickle_protocol=protocol)
        same(others, autograd.load(tmp_path / "theirs.pt"))
    pairs = torch_files.narrow(torch, 1)
    torch.save(pairs, tmp_path / "narrow.pt")
    for (_, theirs), (ours, _) in zip(pairs, autograd.load(tmp_path / "narrow.pt", map_dtype="float32"), strict=True):
        np.testing.assert_array_equal(ours.array, theirs.numpy())
    torch.save({"a": brain}, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    with pytest.raises(FileError, match=r"before 1\.6"):
        autograd.load(tmp_path / "old.pt")
    torch.save(torch.nn.Linear(1, 1), tmp_path / "module.pt")
    with pytest.raises(FileError, match=r"torch\.nn\.modules\.linear Linear"):
        autograd.load(tmp_path / "module.pt")


# ---------------------------------------------------------------- nothing executed, nothing absurd
@contextlib.contextmanager
def under_watch(file, most=5_000_000):
    """Nothing is executed, imported or opened but `file`, and little memory is taken."""
    seen = []
    WATCHERS.append(seen)
    tracemalloc.start()
    try:
        yield
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        WATCHERS.pop()
    assert not [(event, args) for event, args in seen if event != "open" or str(args[0]) != str(file)]
    assert peak < most


"".encode("cp437")  # as above
WATCHERS = []
WATCHED = {
    "open",
    "import",
    "exec",
    "compile",
    "os.system",
    "os.mkdir",
    "os.remove",
    "os.rename",
    "subprocess.Popen",
    "pickle.find_class",
    "socket.connect",
}
sys.addaudithook(lambda event, args: WATCHERS and event in WATCHED and WATCHERS[-1].append((event, args)))


def refuses(file, data, *said):
    """Loading `data` raises FileError, in a sentence that names the file, and that is all that happens."""
    file.write_bytes(data)
    for mmap in (False, True):
        with under_watch(file), pytest.raises(FileError) as caught:
            autograd.load(file, mmap=mmap)
        message = str(caught.value)
        assert file.name in message
        assert len(message) < 700
        assert "\n" not in message
        assert all(part in message for part in said), message


def zipped(entries, compression=zipfile.ZIP_STORED):
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w", compression) as file:
        warnings.simplefilter("ignore")  # two of one name
        for name, data in entries:
            file.writestr(name, data)
    return buffer.getvalue()


def pt(*code, storages=None):
    """A .pt file with this pickle, in which numbers and strings stand for themselves."""
    entries = [("archive/data.pkl", b"\x80\2" + b"".join(code)), ("archive/version", b"3\n")]
    return zipped(entries + [(f"archive/data/{key}", data) for key, data in (storages or {"0": bytes(16)}).items()])


def text(value):
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def number(value):
    return pickle.dumps(value, 2)[2:-1]


TENSOR, ORDERED = b"ctorch._utils\n_rebuild_tensor_v2\n", b"ccollections\nOrderedDict\n"


def storage(key="0", kind=b"ctorch\nFloatStorage\n", count=4):
    return b"(" + text("storage") + kind + text(key) + text("cpu") + number(count) + b"tQ"


def a_tensor(offset=0, size=(4,), stride=(1,), stored=None):
    shape = [b"(" + b"".join(map(number, numbers)) + b"t" for numbers in (size, stride)]
    return (
        TENSOR + b"(" + (storage() if stored is None else stored) + number(offset) + b"".join(shape) + b"\x89" + ORDERED + b")RtR"
    )


def tensor_of(size, stride):
    """A tensor whose sizes and strides are what these instructions make."""
    return TENSOR + b"(" + storage() + b"K\0" + size + stride + b"\x89" + ORDERED + b")RtR"


def deep(levels):
    return b"]" * levels + b"a" * (levels - 1) + b"."


def doubled(levels, last=b""):
    """Each tuple holds the one before twice."""
    return b")q\0" + b"h\0\x86q\0" * levels + last


PICKLES = {
    "calls os.system": (b"cos\nsystem\n" + text("echo harm") + b"\x85R.", "os system", "nothing of it was executed"),
    "calls eval by the stack": (text("builtins") + text("eval") + b"\x93" + text("1") + b"\x85R.", "builtins eval"),
    "asks for a global of no name": (b"NN\x93.", "? ?"),
    "INST": (b"(" + text("echo harm") + b"ios\nsystem\n.", "INST"),
    "OBJ": (b"(cos\nsystem\n" + text("echo harm") + b"o.", "os system"),
    "OBJ of a known one": (b"(" + ORDERED + b"o.", "OBJ"),
    "NEWOBJ": (ORDERED + b")\x81.", "NEWOBJ"),
    "NEWOBJ_EX": (ORDERED + b")}\x92.", "NEWOBJ_EX"),
    "EXT1": (b"\x82\1.", "EXT1"),
    "PERSID": (b"Pharm\n.", "PERSID"),
    "POP and DUP": (b"NN0.", "POP"),
    "an attribute of a function": (TENSOR + b"}" + text("__code__") + b"NsbR.", "attributes"),
    "an attribute of a tensor": (a_tensor() + b"}b.", "attributes"),
    "a call of what is no function": (b"N)R.", "calls"),
    "a call of a dtype": (b"ctorch\nFloatStorage\n)R.", "calls"),
    "a call without arguments": (TENSOR + b")R.", "TypeError"),
    "a call with a list": (TENSOR + b"]R.", "calls"),
    "a function as a value": (b"]" + TENSOR + b"a.", "Call"),
    "a dtype of storages as a value": (b"]ctorch\nFloatStorage\na.", "Kind"),
    "a storage as a value": (b"]" + storage() + b"a.", "Storage"),
    "a storage of another place": (storage("../../../etc/passwd") + b".", "no entry"),
    "a storage that is none": (b"NQ.", "TypeError"),
    "a storage of other things": (b"(" + text("module") + number(1) * 4 + b"tQ.", "no storage"),
    "a storage of a name for a function": (storage(kind=TENSOR) + b".", "no storage"),
    "a storage of absurd length": (storage(count=2**60) + b".", "16 bytes"),
    "a storage of negative length": (storage(count=-4) + b".", "16 bytes"),
    "a storage of another dtype": (storage(kind=b"ctorch\nDoubleStorage\n") + b".", "float64"),
    "a complex storage": (storage(kind=b"ctorch\nComplexFloatStorage\n") + b".", "ComplexFloatStorage"),
    "booleans of 7": (a_tensor(stored=storage("7", b"ctorch\nBoolStorage\n")) + b".", "neither 0 nor 1"),
    "an absurd shape": (a_tensor(size=(2**40, 2**40), stride=(2**40, 1)) + b".", "reaches outside"),
    "an absurd shape that is expanded": (a_tensor(size=(2**40, 2**40), stride=(0, 0)) + b".", "reaches outside"),
    "an absurd shape without elements": (a_tensor(size=(0, 2**62), stride=(1, 1)) + b".", "reaches outside"),
    "an absurd number of dims": (a_tensor(size=(1,) * 100, stride=(0,) * 100) + b".", "sizes and strides"),
    "an offset before the storage": (a_tensor(offset=-1) + b".", "sizes and strides"),
    "an offset behind the storage": (a_tensor(offset=1) + b".", "reaches outside"),
    "a stride that leaves the storage": (a_tensor(stride=(2,)) + b".", "reaches outside"),
    "a negative stride": (a_tensor(offset=3, stride=(-1,)) + b".", "sizes and strides"),
    "sizes that are no numbers": (a_tensor(size=(4.0,)) + b".", "sizes and strides"),
    "a tensor of no storage": (a_tensor(stored=text("data")) + b".", "sizes and strides"),
    "a parameter of no tensor": (b"ctorch._utils\n_rebuild_parameter\n(N\x88Nt" + b"R.", "not made of a tensor"),
    "a device of lists": (b"ctorch\ndevice\n]\x85R.", "device"),
    "a list that holds itself": (b"]q\0h\0a.", "holds itself"),
    "twice, and that twice, and so on": (doubled(60, b"."), "again and again"),
    "the text of that": (b"ctorch\ndevice\n" + doubled(60, b"\x85R."), "device"),
    "lists in lists in lists": (deep(5000), "too deeply"),
    "a key that is a list": (b"}]Ns.", "list"),
    "half a pair": (b"}(Nu.", "ValueError"),
    "items for a list": (b"](NNu.", "list"),
    "appended to a dict": (b"}Na.", "no list"),
    "several appended to a dict": (b"}(Ne.", "no list"),
    "nothing": (b".", "ValueError"),
    "two things": (b"NN.", "ValueError"),
    "no end": (b"N", "ValueError"),
    "an empty stack": (b"R.", "IndexError"),
    "no mark": (b"t.", "IndexError"),
    "a memory of nothing": (b"h\7.", "KeyError"),
    "an unknown instruction": (b"\xff.", "ValueError"),
    "a string that is too short": (b"X\xff\xff\xff\x7fabc.", "ValueError"),
    "a number that is too short": (b"\x8b\xff\xff\xff\x7f\1.", "ValueError"),
    "a frozenset": (b"(\x91.", "FROZENSET"),
    "a frozenset by its name": (b"cbuiltins\nfrozenset\n]\x85R.", "builtins frozenset"),
    "a list in a set": (b"\x8f(]\x90.", "a list for a key"),
    "a list in a tuple in a set": (b"cbuiltins\nset\n]]\x85a\x85R.", "a list for a key, or in one"),
    "a set of a number": (b"cbuiltins\nset\nK\1\x85R.", "int"),
    "items for a set that is a list": (b"](N\x90.", "list"),
    "as many bytes as a number says": (b"cbuiltins\nbytearray\n" + number(2**40) + b"\x85R.", "int"),
    "bytes of a number": (b"cbuiltins\nbytes\n" + number(2**40) + b"\x85R.", "TypeError"),
    "bytes in another encoding": (b"c_codecs\nencode\n" + text("a") + text("rot13") + b"\x86R.", "latin1"),
    "bytes that are no latin1": (b"c_codecs\nencode\n" + text("ā") + text("latin1") + b"\x86R.", "UnicodeEncodeError"),
    "a complex number of text": (b"cbuiltins\ncomplex\n" + text("1j") + b"N\x86R.", "two floats"),
    "a counter of a number": (b"ccollections\nCounter\nK\1\x85R.", "int"),
    "a tensor with marks": (a_tensor()[:-2] + b"}" + text("neg") + b"\x88stR.", "negative"),
    "a tensor of another dtype than its storage": (
        a_tensor()[:-2].replace(b"v2", b"v3") + b"ctorch\nuint16\ntR.",
        "is of uint16, its storage of float32",
    ),
    "a tensor of no dtype": (a_tensor()[:-2].replace(b"v2", b"v3") + b"NtR.", "no dtype"),
    "a tensor of bytes": (a_tensor(stored=storage(kind=b"ctorch.storage\nUntypedStorage\n", count=16)) + b".", "no dtype"),
    "float8": (b"ctorch\nfloat8_e4m3fn\n.", "float8_e4m3fn"),
    "float8 of another kind": (b"ctorch\nfloat8_e5m2fnuz\n.", "float8_e5m2fnuz"),
    "a tensor for sizes": (tensor_of(a_tensor(), b"K\1\x85") + b".", "sizes and strides"),
    "a tensor for strides": (tensor_of(b"K\1\x85", a_tensor()) + b".", "sizes and strides"),
    "a Size of a tensor": (b"ctorch\nSize\n" + a_tensor() + b"\x85R.", "Tensor"),
    "a dict of a tensor": (ORDERED + a_tensor() + b"\x85R.", "Tensor"),
    "a dict of tensors": (ORDERED + b"(" + a_tensor() + b"t\x85R.", "Tensor"),
    "a device of a long name": (b"ctorch\ndevice\n" + text("c" * 40) + b"\x85R.", "device"),
    "a device of a long number": (b"ctorch\ndevice\n" + text("cuda") + number(2**64) + b"\x86R.", "device"),
    "a device of two names": (b"ctorch\ndevice\n" + text("cpu") * 2 + b"\x86R.", "device"),
}


@pytest.mark.parametrize("which", PICKLES)
def test_a_pickle_does_nothing_but_hold_a_state(which, tmp_path):
    code, *said = PICKLES[which]
    refuses(tmp_path / "evil.pt", pt(code, storages={"0": bytes(16), "7": b"\7\0\1\0"}), *said)


def test_the_pickles_above_are_refused_for_what_is_wrong_with_them(tmp_path):
    (tmp_path / "good.pt").write_bytes(pt(b"](" + a_tensor() + a_tensor(1, (2, 1), (2, 5)) + deep(3)[:-1] + b"e."))
    loaded = autograd.load(tmp_path / "good.pt")
    assert [t.shape for t in loaded[:2]] == [(4,), (2, 1)]
    assert loaded[2] == [[[]]]


def header(fields, data=b"", size=None, rest=b""):
    head = fields if isinstance(fields, bytes) else json.dumps(fields).encode()
    return struct.pack("<Q", len(head) if size is None else size) + head + data + rest


def entry(dtype="F32", shape=(2,), offsets=(0, 8)):
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


SAFETENSORS = {
    "a header longer than the file": (header({}, size=10**6), "1000000"),
    "a header of absurd length": (header({}, size=2**64 - 1), str(2**64 - 1)),
    "a header that is no object": (header(b"{{", bytes(8)), "JSONDecodeError"),
    "a header of lists": (header(b'{"a":' + b"[" * 100_000), "too deeply"),
    "a number of too many digits": (header(b'{"a":' + b"9" * 10_000 + b"}"), "ValueError"),
    "a name twice": (header(b'{"a":1,"a":1}'), "twice"),
    "no dtype": (header({"a": {"shape": [2], "data_offsets": [0, 8]}}, bytes(8)), "KeyError"),
    "an unknown dtype": (header({"a": entry("F4", (8,))}, bytes(8)), "F4"),
    "bfloat16": (header({"a": entry("BF16", (4,))}, bytes(8)), "bfloat16", "map_dtype"),
    "an absurd shape": (header({"a": entry(shape=(2**40, 2**40))}, bytes(8)), "shape"),
    "a negative shape": (header({"a": entry(shape=(-1, -2))}, bytes(8)), "[-1, -2]"),
    "a shape of fractions": (header({"a": entry(shape=(2.0,))}, bytes(8)), "[2.0]"),
    "a shape of text": (header({"a": entry(shape="22")}, bytes(8)), "22"),
    "too many dims": (header({"a": entry(shape=(1,) * 1000)}, bytes(8)), "shape"),
    "offsets behind the end": (header({"a": entry(offsets=(0, 8))}, bytes(7)), "end at byte"),
    "offsets that overlap": (header({"a": entry(), "b": entry(offsets=(4, 12))}, bytes(12)), "overlaps"),
    "the same offsets twice": (header({"a": entry(), "b": entry()}, bytes(8)), "overlaps"),
    "offsets with a gap": (header({"a": entry(offsets=(4, 12))}, bytes(12)), "gap"),
    "offsets backwards": (header({"a": entry(offsets=(8, 0))}, bytes(8)), "gap"),
    "offsets that are truth values": (header({"a": entry("U8", (1,), (False, True))}, bytes(1)), "shape"),
    "more at the end": (header({"a": entry()}, bytes(8), rest=b"more"), "end at byte"),
    "booleans of 7": (header({"a": entry("BOOL", (1,), (0, 1))}, b"\7"), "neither 0 nor 1"),
    "metadata that is a list": (header({"__metadata__": []}), "AttributeError"),
    "a description that is no JSON": (header({"__metadata__": {"chainrule": "x"}}), "JSONDecodeError"),
    "a description of unknown things": (header({"__metadata__": {"chainrule": '{"call": "os.system"}'}}), "call"),
    "a description of absent tensors": (header({"__metadata__": {"chainrule": '{"tensor": "a"}'}}), "KeyError"),
    "a description of two things in one": (header({"__metadata__": {"chainrule": '{"tensor": "a", "b": 1}'}}), "ValueError"),
    "a description with a list for a key": (header({"__metadata__": {"chainrule": '{"dict": [[[], 1]]}'}}), "a list for a key"),
    "a description that leaves out a tensor": (header({"__metadata__": {"chainrule": "[]"}, "a": entry()}, bytes(8)), "leaves out 'a'"),
    "integers that require grad": (header({"__metadata__": {"chainrule": '{"leaf": "a"}'}, "a": entry("I32")}, bytes(8)), "DtypeError"),
}  # fmt: skip


@pytest.mark.parametrize("which", SAFETENSORS)
def test_damaged_and_hostile_safetensors(which, tmp_path):
    data, *said = SAFETENSORS[which]
    refuses(tmp_path / "evil.safetensors", data, *said)


def npy(descr="<f4", shape="(2,)", data=bytes(8), fortran="False", version=1, size=None):
    """An array in NumPy's format; its header is said to be `size` bytes long."""
    head = f"{{'descr': {descr if descr[0] == '[' else repr(descr)}, 'fortran_order': {fortran}, 'shape': {shape}, }}\n".encode()
    length = (len(head) if size is None else size).to_bytes(2 if version == 1 else 4, "little")
    return b"\x93NUMPY" + bytes([version, 0]) + length + head + data


def patched(data, find, offset, new, last=False):
    """`data` with bytes replaced, at `offset` from the first or last `find`."""
    at = (data.rindex(find) if last else data.index(find)) + offset
    return data[:at] + new + data[at + len(new) :]


TWO = zipped([("a.npy", npy()), ("b.npy", npy())])
NPZ = {
    "objects": (zipped([("a.npy", npy("|O", data=pickle.dumps([1, 2])))]), "not an array of numbers"),
    "text": (zipped([("a.npy", npy("<U2"))]), "not an array of numbers"),
    "structures": (zipped([("a.npy", npy("[('x', '<f4')]"))]), "not an array of numbers"),
    "code for a shape": (zipped([("a.npy", npy(shape="(__import__('os').system('echo harm'),)"))]), "not an array of numbers"),
    "an absurd shape": (zipped([("a.npy", npy(shape="(1000000000, 1000000000)"))]), "1000000000"),
    "too many dims": (zipped([("a.npy", npy(shape=f"({'1, ' * 65})"))]), "which does not take"),
    "a negative shape": (zipped([("a.npy", npy(shape="(-2,)"))]), "not an array of numbers"),
    "an odd number of bytes": (zipped([("a.npy", npy("<f3"))]), "TypeError"),
    "too little": (zipped([("a.npy", npy(data=bytes(7)))]), "7 bytes"),
    "too much": (zipped([("a.npy", npy(data=bytes(9)))]), "9 bytes"),
    "a header longer than the entry": (zipped([("a.npy", npy(size=60_000))]), "not an array"),
    "a header of absurd length": (zipped([("a.npy", npy(version=2, size=2**32 - 1))]), "not an array"),
    "another version": (zipped([("a.npy", npy(version=9))]), "not an array of NumPy's"),
    "no array": (zipped([("a.npy", b"echo harm")]), "not an array of NumPy's"),
    "nothing": (zipped([("a.npy", b"")]), "not an array of NumPy's"),
    "another file": (zipped([("setup.py", npy())]), "not an array of NumPy's"),
    "booleans of 7": (zipped([("a.npy", npy("|b1", data=b"\1\7"))]), "neither 0 nor 1"),
    "a name twice": (zipped([("a.npy", npy()), ("a.npy", npy())]), "twice"),
    "entries on top of each other": (patched(TWO, b"PK\1\2", 42, bytes(4), last=True), "overlaps"),
    "an entry outside": (patched(TWO, b"PK\1\2", 42, b"\xff\xff\xff\x00", last=True), "cannot be read"),
    "an entry that is longer than the file": (patched(patched(TWO, b"PK\1\2", 20, b"\0\0\0\x70", last=True), b"PK\1\2", 24, b"\0\0\0\x70", last=True), "not there"),
    "an entry of a wrong length": (patched(TWO, b"PK\1\2", 24, b"\0\0\0\x70", last=True), "not there"),
    "a wrong signature": (patched(TWO, b"PK\3\4", 0, b"XX", last=True), "not begin"),
    "encryption": (patched(TWO, b"PK\1\2", 8, b"\1", last=True), "encrypted"),
    "another compression": (zipped([("a.npy", npy())], zipfile.ZIP_LZMA), "unusual"),
    "a zip bomb": (zipped([("a.npy", npy(shape="(100000000,)", data=bytes(10**8), descr="|u1"))], zipfile.ZIP_DEFLATED), "bomb"),
    "a bomb that lies about its size": (patched(zipped([("a.npy", bytes(10**8))], zipfile.ZIP_DEFLATED), b"PK\1\2", 24, b"\0\1\0\0"), "cannot be read"),
    "a compressed entry that lies about its size": (patched(zipped([("a.npy", npy())], zipfile.ZIP_DEFLATED), b"PK\1\2", 24, b"\xff\xff\0\0"), "cannot be read"),
    "a description of nothing": (zipped([("__state__.npy", npy("|u1", "(4,)", b"nope"))]), "JSONDecodeError"),
}  # fmt: skip


@pytest.mark.parametrize("which", NPZ)
def test_damaged_and_hostile_npz(which, tmp_path):
    data, *said = NPZ[which]
    refuses(tmp_path / "evil.npz", data, *said)


# ---------------------------------------------------------------- bombs: small files that describe much
def deflated(code):
    """A .pt file with this pickle, compressed."""
    return zipped([("archive/data.pkl", code), ("archive/data/0", bytes(16))], zipfile.ZIP_DEFLATED)


def remembered(*code):
    """These instructions, their results kept under 0, 1, ... and left on the stack, in a list that is not closed."""
    return b"](" + b"".join(c + b"q" + bytes([i]) for i, c in enumerate(code))


def keys(what):
    """Many keys with one hash: numbers, complex numbers or tuples of both."""
    some = range(1, 3000)
    if what == "int":
        made = [number(n * (2**61 - 1)) for n in some]
    else:
        pairs = [struct.pack(">d", -1000003.0 * n) + b"G" + struct.pack(">d", n) for n in some]
        made = [b"cbuiltins\ncomplex\nG" + pair + b"\x86R" for pair in pairs]
    return made if what != "tuple" else [key + b"\x85" for key in made]


def described(text):
    """An .npz file in which this is the description of the state, compressed."""
    return zipped([("__state__.npy", npy("|u1", f"({len(text)},)", text))], zipfile.ZIP_DEFLATED)


def big(count, made):
    """`made` and its instructions, called `count` times on the same list of many numbers."""
    return remembered(b"](" + b"K\1" * 10_000 + b"e", made) + b"h\1h\0\x85R" * count + b"e."


MUCH = 2**22
BOMBS = {
    "empty lists": lambda: deflated(b"]" * MUCH),
    "empty sets": lambda: deflated(b"\x8f" * MUCH),
    "marks": lambda: deflated(b"(" * MUCH),
    "dicts of one": lambda: deflated(b"}NNs" * MUCH),
    "lists of one": lambda: deflated(b"]Na" * MUCH),
    "what is kept": lambda: deflated(b"N" + b"\x94" * MUCH),
    "instructions that do nothing": lambda: deflated(b"\x80\2" * MUCH),
    "strings": lambda: deflated((b"\x8c\xff" + b"a" * 255) * (MUCH // 256)),
    "strings of wide letters": lambda: deflated(b"](" + text("\U0001f600" * 1000) * (MUCH // 4000)),
    "a number": lambda: deflated(b"\x8b" + struct.pack("<i", MUCH) + b"\1" * MUCH + b"."),
    "a long pickle": lambda: deflated(bytes(4 * MUCH)),
    "a long storage": lambda: zipped([("a/data.pkl", a_tensor(stored=storage(count=MUCH)) + b"."), ("a/data/0", bytes(4 * MUCH))], zipfile.ZIP_DEFLATED),
    "an expanded tensor": lambda: pt(a_tensor(size=(2**40,), stride=(0,)), b"."),
    "windows on a tensor": lambda: pt(a_tensor(size=(2, 2**30), stride=(2, 0)), b"."),
    "tensors": lambda: deflated(remembered(TENSOR, b"(" + storage() + b"K\0K\1\x85K\1\x85\x89}t") + b"h\0h\1R" * (MUCH // 256)),
    "twice, and that twice, for a key": lambda: pt(b"}" + doubled(60, b"Ns.")),
    "twice, and that twice, in a set": lambda: pt(b"\x8f(" + doubled(60, b"\x90.")),
    "twice, and that twice, for keys of a counter": lambda: pt(b"ccollections\nCounter\n}", doubled(60, b"Ns\x85R.")),
    "twice, and that twice, in pairs": lambda: pt(ORDERED, b"]", doubled(60, b"N\x86a\x85R.")),
    "a deep key": lambda: deflated(b"})" + b"\x85" * 100_000 + b"Ns."),
    "numbers of one hash": lambda: pt(b"}(", b"N".join(keys("int")), b"Nu."),
    "complex numbers of one hash": lambda: pt(b"}(", b"N".join(keys("complex")), b"Nu."),
    "tuples of one hash": lambda: pt(b"\x8f(", b"".join(keys("tuple")), b"\x90."),
    "a long number for many keys": lambda: deflated(b"}" + remembered(b"\x8b" + struct.pack("<i", 10**5) + b"\1" * 10**5)[1:] + b"h\0N" * 10_000 + b"u."),
    "two long strings, the same, for keys": lambda: deflated(b"}(" + text("a" * 10**5) + b"q\0N" + text("a" * 10**5) + b"q\1N" + b"h\0Nh\1N" * 10_000 + b"u."),
    "a list, made a Size again and again": lambda: deflated(big(10_000, b"ctorch\nSize\n")),
    "a list, made a set again and again": lambda: deflated(big(10_000, b"cbuiltins\nset\n")),
    "a device, and its name twice, and so on": lambda: pt(b"ctorch\ndevice\nq\0", text("cpu"), b"q\1", b"h\0h\1h\1\x86Rq\1" * 60, b"."),
    "lists in a description": lambda: described(b"[" + b"[]," * MUCH + b"[]]"),
    "dicts in a description": lambda: described(b"[" + b'{"dict":[]},' * (MUCH // 4) + b"[]]"),
    "a long array": lambda: zipped([("a.npy", npy("|u1", f"({4 * MUCH},)", bytes(4 * MUCH)))], zipfile.ZIP_DEFLATED),
    "many arrays": lambda: zipped([(f"{i}.npy", npy("|u1", f"({2**19},)", bytes(2**19))) for i in range(20)], zipfile.ZIP_DEFLATED),
}  # fmt: skip


@pytest.mark.parametrize("which", BOMBS)
def test_what_a_file_makes_is_limited_by_what_it_holds(which, tmp_path, monkeypatch):
    monkeypatch.setattr("autograd.files.parts.FREE", 2**20)  # less than it is, so that this is fast
    file = tmp_path / "bomb"
    file.write_bytes(BOMBS[which]())
    most = 2**20 + 100 * file.stat().st_size
    with under_watch(file, 2 * most + 2**20), pytest.raises(FileError) as caught:
        autograd.load(file)
    assert len(str(caught.value)) < 700


LIMITED = """
    import resource, sys, time
    import autograd
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 300_000_000,) * 2)
    for name in sys.argv[1:]:
        begun = time.process_time()
        try:
            autograd.load(name)
        except autograd.errors.FileError:
            print(time.process_time() - begun < 30)
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it asks Linux how much memory it has, and limits it")
def test_bombs_end_in_little_memory_and_time(tmp_path):
    for i, bomb in enumerate(
        [lambda: deflated(b"]" * 60_000_000), BOMBS["dicts in a description"], BOMBS["twice, and that twice, for a key"]]
    ):
        (tmp_path / str(i)).write_bytes(bomb())
    result = in_a_process(LIMITED, *map(str, sorted(tmp_path.iterdir())))
    assert result.stdout.split() == ["True"] * 3, result.stderr


DEEP = """
    import io, sys, threading
    import autograd

    def attempt():
        for name in sys.argv[1:]:
            try:
                print(autograd.load(name))
            except autograd.errors.FileError:
                print("refused")

    threading.stack_size(256 * 1024)
    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join()
"""


@pytest.mark.slow
def test_what_is_deep_is_refused_and_freed_in_threads_with_small_stacks(tmp_path):
    n = 30_000
    deep = [
        b"]" * n + b"a" * (n - 1),
        b")" + b"\x85" * n,
        b"(" * n + b")" + b"t" * n,
        b"}N" * n + b"}" + b"s" * n,
        b"]\x85" * n + b"a" * (n - 1),
    ]
    deep.append(b"ccollections\nCounter\nq\0" + b"h\0)RN" * n + b"N" + b"s" * n)
    files = [deflated(code + b".") for code in deep]
    files += [described(b"[" * n), described(b'{"tuple":[' * n), header(b"[" * n), header(b'{"a":' * n)]
    files.append(deflated(b"}" + b"]" * n + b"a" * (n - 1) + b"b."))  # an attribute, which is not kept
    for i, data in enumerate(files):
        (tmp_path / f"{i:02d}").write_bytes(data)
    result = in_a_process(DEEP, *map(str, sorted(tmp_path.iterdir())))
    assert result.stdout.split() == ["refused"] * (len(files) - 1) + ["{}"], result.stderr
    assert result.returncode == 0


def in_a_process(program, *args):
    """Run a program in another process that has this autograd."""
    path = os.pathsep.join([str(Path(autograd.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-c", textwrap.dedent(program), *args]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": path}, check=False)


@pytest.mark.parametrize("form", FORMATS)
def test_what_is_honest_is_within_the_limits(form, tmp_path, monkeypatch):
    monkeypatch.setattr("autograd.files.parts.FREE", 0)
    states = [
        [[] for _ in range(1000)],
        [{} for _ in range(1000)],
        [(float(i), i) for i in range(1000)],
        {i: {"step": i, "x": None} for i in range(500)},
        {str(i): tensor(i) for i in range(200)},
        {str(i): {"w": autograd.zeros(()), "s": []} for i in range(100)},
        [set() for _ in range(1000)],
        ["a" * 10, ""] * 1000,
        [None, True] * 1000,
    ]
    for state in states:
        autograd.save(state, tmp_path / f"x.{form}")
        same(state, autograd.load(tmp_path / f"x.{form}"))


def test_an_array_may_be_compressed_a_thousand_times(tmp_path):
    np.savez_compressed(tmp_path / "z.npz", zeros=np.zeros(30_000_000, np.uint8))
    assert autograd.load(tmp_path / "z.npz")["zeros"].numel() == 30_000_000


def test_names_that_look_like_paths_are_only_names(tmp_path):
    (tmp_path / "in").mkdir()
    file = tmp_path / "in" / "tricks.npz"
    file.write_bytes(zipped([("../out.npy", npy()), ("/etc/passwd.npy", npy()), ("C:\\x.npy", npy())]))
    with under_watch(file):
        loaded = autograd.load(file)
    assert list(loaded) == ["../out", "/etc/passwd", "C:\\x"]
    assert [f.name for f in tmp_path.iterdir()] == ["in"]
    assert [f.name for f in (tmp_path / "in").iterdir()] == ["tricks.npz"]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no .npz, .safetensors or .pt"),
        (b"P", "no .npz, .safetensors or .pt"),
        (b"\0" * 100, "no .npz, .safetensors or .pt"),
        (b"PK", "without an end"),
        (b"PK\5\6" + bytes(18), "not"),
        (pickle.dumps(print), "pickle"),
        (npy(), "numpy.load"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (b"GGUF" + bytes(20), "GGUF"),
    ],
)
def test_other_files(data, said, tmp_path):
    if data[:4] == b"PK\5\6":  # an empty zip file: a state of nothing
        (tmp_path / "x").write_bytes(data)
        assert autograd.load(tmp_path / "x") == {}
    else:
        refuses(tmp_path / "other", data, said)


# ---------------------------------------------------------------- damage
def small():
    others = {
        (1, "k"): {1, "a"},
        "c": 1 - 2j,
        "x": [b"\xff", bytearray(b"x")],
        2: Counter({1: 2}),
        "u": np.arange(2, dtype="uint16"),
    }
    return {"w": tensor([[1.0, 2.0], [3.0, 4.0]]), "l": [1, (2.5, None)], "b": tensor([True]), "n": tensor(3)} | others


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    for form in FORMATS:
        autograd.save(small(), folder / f"x.{form}")
    return {form: (folder / f"x.{form}").read_bytes() for form in FORMATS}


def attempt(data):
    """What `data` loads as, or FileError; any other exception is a failure of the test that calls this."""
    try:
        return autograd.load(io.BytesIO(data))
    except FileError as error:
        return error


@pytest.mark.parametrize("form", FORMATS)
def test_a_file_that_was_cut_off_is_never_accepted(form, saved):
    for length in [*range(0, len(saved[form]), 5), *range(len(saved[form]) - 60, len(saved[form]))]:
        assert isinstance(attempt(saved[form][:length]), FileError), length
    same(small(), attempt(saved[form]))


@pytest.mark.parametrize("form", ["npz", "pt"])
def test_no_changed_byte_of_the_content_goes_unnoticed(form, saved):
    data = saved[form]
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        for info in file.infolist():
            start = info.header_offset + 30 + sum(struct.unpack("<HH", data[info.header_offset + 26 :][:4]))
            if info.filename.endswith("version"):  # which is not read
                continue
            for at in range(start, start + info.file_size, 7):
                changed = data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :]
                assert isinstance(attempt(changed), FileError), (info.filename, at)


@pytest.mark.parametrize("form", ["npz", "pt"])
def test_no_changed_byte_of_a_zip_loses_or_renames_anything(form):
    state = {"w": tensor([[1.0, 2.0]]), "l": [1, (2.5, None)]}
    file = io.BytesIO()
    importlib.import_module(f"autograd.files.{'pytorch' if form == 'pt' else form}").write(
        file, *autograd.files.take_apart(state)
    )
    data, refused = file.getvalue(), 0
    for at in range(len(data)):
        for new in {0, 255, data[at] ^ 1 << at % 8} - {data[at]}:
            loaded = attempt(data[:at] + bytes([new]) + data[at + 1 :])
            if isinstance(loaded, FileError):
                refused += 1
            else:
                same(state, loaded)
    assert refused > len(data)  # more than a third: all else is padding, dates, versions and attributes


def zip_parts():
    """A zip file of a.npy and b.npy, as the bytes of its entries, of its directory's records, and of its end."""
    with zipfile.ZipFile(io.BytesIO(TWO)) as file:
        second, begin = file.infolist()[1], file.start_dir
    split = TWO.index(b"PK\1\2", begin + 4)
    return TWO[: second.header_offset], TWO[second.header_offset : begin], TWO[begin:split], TWO[split:-22]


def ended(entries, records, begin=None, count=None, size=None):
    """A zip file of these parts, with an end that says so."""
    directory = b"".join(records)
    numbers = len(records) if count is None else count, len(directory) if size is None else size
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, numbers[0], *numbers, len(b"".join(entries)) if begin is None else begin, 0)
    return b"".join(entries) + directory + end


def test_a_zip_whose_directory_and_entries_disagree_is_refused(tmp_path):
    a, b, about_a, about_b = zip_parts()
    assert ended([a, b], [about_a, about_b]) == TWO
    renamed = about_b.replace(b"b.npy", b"c.npy")
    for data in [
        ended([a, b], [about_a, about_b], size=0),
        ended([a, b], [about_a, about_b], size=0, count=0),
        ended([a, b], [about_a, about_b], size=0, count=0, begin=len(TWO) - 22),
        ended([a, b], [about_a, about_b], count=1),
        ended([a, b], [about_a, about_b], count=3),
        ended([a, b], [about_a, about_b], count=1, size=len(about_a)),
        ended([a, b], [about_a, about_b], count=1, size=len(about_b), begin=len(a + b + about_a)),
        ended([a, b], [about_a]),
        ended([a, b], [about_b]),
        ended([a, b], []),
        ended([a, b], [about_a, renamed]),
        ended([a, b.replace(b"b.npy", b"a.npy")], [about_a, about_b]),
        ended([a, b.replace(b"b.npy", b"a.npy")], [about_a, about_a]),
        ended([a], [about_a, about_b]),
        ended([a, b[:-1]], [about_a, about_b]),
        ended([a, b, b"more"], [about_a, about_b]),
        ended([a, b], [about_a, about_b], begin=0),
        ended([a, b], [about_a, about_b]) + b"more",
        b"PK" + TWO,
    ]:
        refuses(tmp_path / "x.npz", data)


class Stream(io.RawIOBase):
    """Takes what is written to it, and cannot go back."""

    def __init__(self):
        self.data = b""

    def writable(self):
        return True

    def write(self, data):
        self.data += bytes(data)
        return len(data)


def test_zips_of_other_programs(tmp_path):
    stream = Stream()  # the lengths then stand behind the entries
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        for large in (False, True):
            for file in (stream, tmp_path / "x.npz"):
                stream.data = b""
                with zipfile.ZipFile(file, "w", method, compresslevel=9) as zip:
                    zip.comment = b"a comment"
                    for name in ("a.npy", "ü.npy"):
                        with zip.open(name, "w", force_zip64=large) as entry:
                            entry.write(npy())
                if file is stream:
                    (tmp_path / "x.npz").write_bytes(stream.data)
                loaded = autograd.load(tmp_path / "x.npz")
                same({"a": tensor([0.0, 0.0]), "ü": tensor([0.0, 0.0])}, loaded)


def mutated(data, rng):
    data = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at, other = rng.randrange(len(data) + 1), rng.randrange(len(data) + 1)
        kind = rng.randrange(8)
        if kind == 0:
            data[at : at + 1] = bytes([rng.randrange(256)])
        elif kind == 1:
            data[at : at + 4] = struct.pack("<i", rng.choice([-1, 0, 1, 2**31 - 1, -(2**31), 255, 65535]))
        elif kind == 2:
            del data[at : at + rng.randint(1, 30)]
        elif kind == 3:
            data[at:at] = data[other : other + rng.randint(1, 60)]
        else:
            data[at : at + 1] = data[other : other + 1]  # which is more likely to mean something than any byte
    return bytes(data)


def mutated_inside(form, rng):
    """A file that is in order outside: its checksums and lengths are right, but one of its parts was changed."""
    if form == "safetensors":
        size = int.from_bytes(GOOD[form][:8], "little")
        return header(mutated(GOOD[form][8 : 8 + size], rng), GOOD[form][8 + size :])
    with zipfile.ZipFile(io.BytesIO(GOOD[form])) as file:
        entries = [(name, file.read(name)) for name in file.namelist()]
    which = 0 if form == "pt" and rng.random() < 0.8 else rng.randrange(len(entries))  # mostly the pickle
    return zipped([(name, mutated(data, rng) if i == which else data) for i, (name, data) in enumerate(entries)])


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMATS)
@given(seed=st.integers(0, 2**32))
def test_mutated_files_load_or_raise_the_one_error(form, seed):
    rng = random.Random(seed)
    for _ in range(25):
        attempt(mutated(GOOD[form], rng))
        attempt(mutated_inside(form, rng))


def _good():
    """A file of each format, made in memory."""
    for form in FORMATS:
        file = io.BytesIO()
        description, arrays = autograd.files.take_apart(small())
        importlib.import_module(f"autograd.files.{'pytorch' if form == 'pt' else form}").write(file, description, arrays)
        yield form, file.getvalue()


GOOD = dict(_good())
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["F32", "BOOL", "w", "tensor", "dict"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["w", "dict", "tuple", "tensor", "leaf", "array", "float", "set", "counter", "complex", "bytes", "bytearray", "dtype", "shape", "data_offsets"]), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@pytest.mark.slow
@settings(max_examples=25)
@given(
    fields=st.dictionaries(st.sampled_from(["w", "x", "__metadata__"]), JSON),
    description=JSON,
    dtype=JSON,
    shape=JSON,
    offsets=JSON,
)
def test_any_json_in_a_header_loads_or_raises_the_one_error(fields, description, dtype, shape, offsets):
    attempt(header(fields, bytes(8)))
    attempt(header({"w": {"dtype": dtype, "shape": shape, "data_offsets": offsets}}, bytes(8)))
    attempt(header({"w": {"dtype": "F32", "shape": shape, "data_offsets": [0, 8]}}, bytes(8)))
    attempt(header({"w": entry(), "__metadata__": {"chainrule": json.dumps(description)}}, bytes(8)))


@pytest.mark.slow
@settings(max_examples=25)
@given(st.lists(st.sampled_from([storage(), a_tensor(), TENSOR, ORDERED, b"ccollections\nCounter\n", b"cbuiltins\nset\n", b"c_codecs\nencode\n", b"ctorch\nSize\n", text("a"), text("latin1"), number(3), number(2.5), *(bytes([c]) for c in b"NN)]}((tuesaRbQq0\x85\x86\x87\x88\x8f\x90h")]), max_size=12))  # fmt: skip
def test_any_pickle_of_known_instructions_loads_or_raises_the_one_error(code):
    code = b"".join(c + b"\0" if c in (b"q", b"h") else c for c in code)
    attempt(pt(code, b"."))


# ---------------------------------------------------------------- no file is half written
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("where", ["write", "fsync", "replace"])
def test_a_failure_leaves_the_old_file_and_nothing_else(form, where, tmp_path, monkeypatch):
    file = tmp_path / f"x.{form}"
    autograd.save({"a": tensor([1.0])}, file)

    def fails(*args, **kwargs):
        raise OSError("no space left on device")

    if where == "write":
        monkeypatch.setattr(f"autograd.files.{'pytorch' if form == 'pt' else form}.np.ascontiguousarray", fails)
    else:
        monkeypatch.setattr(*((os, "fsync", fails) if where == "fsync" else (Path, "replace", fails)))
    with pytest.raises(OSError, match="no space"):
        autograd.save({"a": tensor([2.0])}, file)
    assert [f.name for f in tmp_path.iterdir()] == [file.name]
    assert autograd.load(file)["a"].tolist() == [1]


def test_links_and_permissions_stay(tmp_path):
    (tmp_path / "real").mkdir()
    target, link = tmp_path / "real" / "x.npz", tmp_path / "x.npz"
    autograd.save({"a": tensor([1.0])}, target)
    target.chmod(0o640)
    try:
        link.symlink_to(target)
    except OSError:
        pytest.skip("this system lets no one make links")
    autograd.save({"a": tensor([2.0])}, link)
    assert link.is_symlink()
    assert autograd.load(target)["a"].tolist() == [2]
    assert os.name != "posix" or target.stat().st_mode & 0o777 == 0o640


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no such devices")
@pytest.mark.parametrize("form", FORMATS)
def test_devices_and_pipes_are_written_to_and_not_replaced(form, tmp_path):
    device, pipe, link = Path(os.devnull), tmp_path / f"pipe.{form}", tmp_path / f"link.{form}"
    before = device.stat()
    link.symlink_to(device)
    for path in (device, link):
        autograd.save(small(), path)
        assert path.is_char_device()
    assert (before.st_ino, before.st_mode) == (device.stat().st_ino, device.stat().st_mode)
    os.mkfifo(pipe)
    got = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    autograd.save(small(), pipe)
    reader.join()
    assert pipe.is_fifo()
    same(small(), autograd.load(io.BytesIO(got[0])))
    assert sorted(f.name for f in tmp_path.iterdir()) == [link.name, pipe.name]


def test_what_can_only_be_written_or_read_from_front_to_back():
    for stream in (Stream(), types.SimpleNamespace(write=(some := bytearray()).extend)):
        autograd.save(small(), stream)
        same(small(), autograd.load(io.BytesIO(bytes(some) if some else stream.data)))
    end, other = os.pipe()
    os.close(other)
    with open(end, "rb") as file, pytest.raises(ArgumentError, match="front to back"):
        autograd.load(file)


def test_what_is_no_name_of_a_file_is_refused(tmp_path):
    for name in (f"{tmp_path}/a\0b.npz", f"{tmp_path}/\ud800.npz", None, 1.5):
        for call in (lambda name=name: autograd.save({}, name), lambda name=name: autograd.load(name)):
            with pytest.raises(ArgumentError, match="cannot be the name of a file"):
                call()
    name = "字" * 80 + ".npz"  # as long as a name may be
    autograd.save({"a": tensor(1)}, tmp_path / name)
    autograd.save({"a": tensor(2)}, os.fsencode(tmp_path / name))
    with np.load(tmp_path / name) as file:
        assert file["a"] == 2


@pytest.mark.skipif(os.name != "posix", reason="other systems say in other ways who may read a file")
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444])
def test_an_unfinished_file_is_open_to_nobody_else(mode, tmp_path, monkeypatch):
    file, seen = tmp_path / "x.npz", []
    autograd.save({"a": tensor(1)}, file)
    file.chmod(mode)
    if os.geteuid() == 0:  # who may write to the files of others does not take them away
        os.chown(file, 1234, 1235)
    owner = file.stat().st_uid, file.stat().st_gid
    write = autograd.files.npz.write

    def looks(*args):
        seen.extend(f.stat().st_mode & 0o777 for f in tmp_path.iterdir() if f != file)
        write(*args)
        seen.extend(f.stat().st_mode & 0o777 for f in tmp_path.iterdir() if f != file)

    monkeypatch.setattr("autograd.files.npz.write", looks)
    mask = os.umask(0)
    try:
        autograd.save({"a": tensor(2)}, file)
    finally:
        os.umask(mask)
    assert seen == [0o600, 0o600]
    assert file.stat().st_mode & 0o777 == mode
    assert (file.stat().st_uid, file.stat().st_gid) == owner
    assert autograd.load(file)["a"] == 2


def test_unfinished_files_that_nobody_writes_are_removed(tmp_path):
    file = tmp_path / "x.npz"
    others = [tmp_path / name for name in (".x.npz.tmp", ".x.npz.0badcafe.01234567.tmp", ".y.npz.01234567.tmp")]
    for other in others:  # of another program, of another host, of another file
        other.touch()
    killed = in_a_process(
        """
        import os, sys, autograd
        from autograd.files.parts import replacing
        with replacing(sys.argv[1]) as file:
            file.write(b"half")
            file.flush()
            os._exit(9)
        """,
        str(file),
    )
    assert killed.returncode == 9, killed.stderr
    (stray,) = set(tmp_path.iterdir()) - {*others}
    os.utime(stray, (0, 0))
    with autograd.files.replacing(file) as unfinished:  # which another save leaves alone
        unfinished.write(b"half")
        (mine,) = set(tmp_path.iterdir()) - {*others}
        os.utime(mine, (0, 0))
        autograd.save({"a": tensor(1)}, file)
        assert set(tmp_path.iterdir()) == {*others, mine, file}
    assert file.read_bytes() == b"half"
    assert set(tmp_path.iterdir()) == {*others, file}


SAVER = """
    import sys
    import numpy as np
    import autograd
    state = {"version": 0, "w": autograd.zeros(30_000), "l": [autograd.zeros(1000)]}
    for version in range(1, 100_000):
        state["version"] = version
        state["w"].fill_(version)
        state["l"][0].fill_(version)
        for form in ("npz", "safetensors", "pt"):
            autograd.save(state, f"{sys.argv[1]}/x.{form}")
        if version == 1:
            print("begun", flush=True)
"""


@pytest.mark.slow
def test_a_killed_process_leaves_whole_files(tmp_path):
    rng, versions = random.Random(0), []
    path = os.pathsep.join([str(Path(autograd.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    for _ in range(4):
        command = [sys.executable, "-c", textwrap.dedent(SAVER), str(tmp_path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": path}) as process:
            assert process.stdout.readline().strip() == b"begun"
            time.sleep(rng.uniform(0, 0.1))
            process.kill()
        for form in FORMATS:
            state = autograd.load(tmp_path / f"x.{form}")
            assert (state["w"] == state["version"]).all()
            assert (state["l"][0] == state["version"]).all()
            versions.append(state["version"])
    assert max(versions) > 1
    for form in FORMATS:
        autograd.save({}, tmp_path / f"x.{form}")
    assert sorted(f.name for f in tmp_path.iterdir()) == sorted(f"x.{form}" for form in FORMATS)


# ---------------------------------------------------------------- resume
class Training:
    """Three epochs of a network with dropout on shuffled batches, that can be saved and taken up again at any step."""

    def __init__(self, seed):
        autograd.manual_seed(seed)
        self.model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 2))
        self.optimizer = optim.Adam(self.model.parameters(), lr=0.05)
        self.scheduler = optim.lr_scheduler.StepLR(self.optimizer, 4, 0.5)
        self.order = Generator().manual_seed(seed)
        rng = np.random.default_rng(0)
        inputs, labels = rng.standard_normal((50, 4)).astype(np.float32), rng.integers(0, 2, 50)
        data = nn.utils.data.TensorDataset(tensor(inputs), tensor(labels))
        self.loader = nn.utils.data.DataLoader(data, batch_size=8, shuffle=True, generator=self.order)
        self.epoch = 0

    def steps(self):
        """Train, and after each step stop to give its loss."""
        while self.epoch < 3:
            for x, y in self.loader:
                self.optimizer.zero_grad()
                loss = nn.functional.cross_entropy(self.model(x), y)
                loss.backward()
                self.optimizer.step()
                self.scheduler.step()
                yield loss.item()
            self.epoch += 1

    def state(self):
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "random": autograd.get_rng_state(),
            "loader": self.loader.state_dict(),
            "epoch": self.epoch,
        }

    def load(self, state):
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scheduler.load_state_dict(state["scheduler"])
        autograd.set_rng_state(state["random"])
        self.loader.load_state_dict(state["loader"])
        self.epoch = state["epoch"]


@pytest.mark.parametrize("form", FORMATS)
def test_training_resumes_to_the_bit(form, tmp_path):
    whole = Training(1)
    losses = list(whole.steps())
    assert len(losses) == 21
    stop = random.Random(form).randint(1, 20)
    first = Training(1)
    steps = first.steps()
    begun = [next(steps) for _ in range(stop)]
    autograd.save(first.state(), tmp_path / f"checkpoint.{form}")

    again = Training(2)
    again.load(autograd.load(tmp_path / f"checkpoint.{form}"))
    assert begun + list(again.steps()) == losses, f"interrupted after step {stop}"
    same(whole.state()["model"], again.state()["model"])
    same(whole.state()["optimizer"], again.state()["optimizer"])
    same(whole.state()["scheduler"], again.state()["scheduler"])
    same(whole.state()["random"], again.state()["random"])
