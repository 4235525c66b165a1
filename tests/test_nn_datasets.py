"""Datasets: those shipped, those of scikit-learn, files of MNIST and CIFAR-10 that the tests write, and those made up."""

import gzip
import hashlib
import io
import struct
import sys
import tarfile
import threading
import time
from collections import Counter
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import autograd
from autograd import Generator
from autograd.errors import ArgumentError, FileError, MissingError
from nn import datasets
from nn.datasets import CIFAR10, MNIST, FashionMNIST, digits, read_idx
from nn.utils.data import DataLoader
from nn.utils.data.transforms import Compose, Normalize, ToTensor


# ---------------------------------------------------------------- digits
def test_digits():
    train, test = digits()
    for part, n in ((train, 1437), (test, 360)):
        images, labels = part.tensors
        assert (images.shape, images.dtype) == ((n, 8, 8), np.float32)
        assert (labels.shape, labels.dtype) == ((n,), np.int64)
        assert (images.numpy().min(), images.numpy().max()) == (0, 1)
        assert set((images.numpy() * 16).ravel()) == set(range(17))
    assert Counter(test.tensors[1].tolist()) == dict.fromkeys(range(10), 36)
    assert digits()[0].tensors[0] is not train.tensors[0]


def test_digits_are_those_of_scikit_learn():
    datasets = pytest.importorskip(
        "sklearn.datasets", reason="scikit-learn is no dependency; where it is installed, it is compared with"
    )
    source = datasets.load_digits()
    both = [np.concatenate([part.tensors[i].numpy() for part in digits()]) for i in (0, 1)]
    ours = sorted((*(image.ravel() * 16).astype(int).tolist(), label) for image, label in zip(*both, strict=True))
    theirs = sorted((*image.astype(int).tolist(), label) for image, label in zip(source.data, source.target, strict=True))
    assert ours == theirs


# ---------------------------------------------------------------- tables
TABLES = {"iris": (150, 4, 3), "wine": (178, 13, 3), "breast_cancer": (569, 30, 2), "diabetes": (442, 10, 0)}


@pytest.mark.parametrize("name", TABLES)
def test_tables(name):
    source = pytest.importorskip("sklearn.datasets", reason="scikit-learn is in the extra chainrule[data]")
    table = getattr(datasets, name)()
    n, columns, classes = TABLES[name]
    x, y = table.tensors
    assert (x.shape, x.dtype, len(table)) == ((n, columns), np.float32, n)
    assert (y.shape, y.dtype) == (((n,), np.int64) if classes else ((n, 1), np.float32))
    assert len(table.features) == columns
    assert len(table.classes) == classes
    assert all(type(text) is str for text in table.features + table.classes)
    theirs = getattr(source, f"load_{name}")()
    assert_array_equal(x.numpy(), theirs.data.astype(np.float32))
    assert_array_equal(y.numpy().ravel(), theirs.target)
    assert next(iter(DataLoader(table, batch_size=7)))[0].shape == (7, columns)


def test_what_is_not_installed_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(
        MissingError, match=r"iris\(\) is in scikit-learn, which is not installed; pip install 'chainrule\[data\]'"
    ):
        datasets.iris()
    with pytest.raises(MissingError, match=r"needs the package pooch; pip install 'chainrule\[data\]'"):
        MNIST(tmp_path, download=True)


# ---------------------------------------------------------------- IDX
CODES = {"uint8": 8, "int8": 9, "int16": 11, "int32": 12, "float32": 13, "float64": 14}


def idx(array):
    """An array as the content of an IDX file."""
    head = struct.pack(">HBB", 0, CODES[array.dtype.name], array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.astype(array.dtype.newbyteorder(">")).tobytes()


@pytest.mark.parametrize("dtype", CODES)
@pytest.mark.parametrize("shape", [(5,), (2, 3, 4), (0, 28, 28)])
@pytest.mark.parametrize("zipped", [False, True])
def test_idx_files_are_read(dtype, shape, zipped, tmp_path):
    array = (np.arange(np.prod(shape)) * 3 - 4).reshape(shape).astype(dtype)
    path = tmp_path / ("x.gz" if zipped else "x")
    path.write_bytes(gzip.compress(idx(array)) if zipped else idx(array))
    found = read_idx(path)
    assert found.dtype == dtype
    assert found.dtype.isnative
    assert found.flags.writeable
    assert_array_equal(found, array)
    assert_array_equal(read_idx(str(path)), array)


GOOD = idx(np.arange(12, dtype=np.uint8).reshape(3, 4))
DAMAGED = {
    "empty": (b"", "is cut short: 4 more bytes should follow"),
    "no magic": (b"PK\3\4" + GOOD, "is no IDX file: it does not begin with two zeros, a dtype and a number of dims"),
    "no dtype": (b"\0\0\7\1" + GOOD[4:], "is no IDX file"),
    "no dims": (b"\0\0\10\0" + GOOD[4:], "is no IDX file"),
    "cut in its sizes": (GOOD[:7], "is cut short: 5 more bytes should follow"),
    "cut in its numbers": (GOOD[:-1], "is cut short: 1 more bytes should follow"),
    "absurd": (b"\0\0\16\3" + b"\xff" * 12 + b"12", "is cut short: 633825299671392843082401578998 more bytes should follow"),
    "too long": (GOOD + b"\0", r"is longer than an array of shape \(3, 4\) and dtype uint8"),
}


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_idx_files_are_told(name, zipped, tmp_path):
    content, message = DAMAGED[name]
    path = tmp_path / ("x.gz" if zipped else "x")
    path.write_bytes(gzip.compress(content) if zipped else content)
    with pytest.raises(FileError, match=message):
        read_idx(path)


def test_damaged_compression_is_told(tmp_path):
    whole = gzip.compress(idx(np.arange(200, dtype=np.uint8)))
    path = tmp_path / "x.gz"
    for content in (b"no gzip", whole[:-9], whole[:40], whole[:30] + b"\xff" * 20 + whole[50:], whole[:-8] + b"\0" * 8):
        path.write_bytes(content)
        with pytest.raises(FileError, match=r"x\.gz (cannot be read|is cut short)"):
            read_idx(path)
    with pytest.raises(FileError, match="cannot be read"):
        read_idx(tmp_path / "none")


# ---------------------------------------------------------------- MNIST
def write_mnist(folder, n=6, zipped=True, of=MNIST):
    """Files as those of MNIST, but of a few made-up images; returns the images and labels to train with."""
    folder = folder / of.folder
    folder.mkdir(parents=True, exist_ok=True)
    rng, parts = np.random.default_rng(0), []
    for part, size in (("train", n), ("t10k", 2)):
        images, labels = rng.integers(0, 256, (size, 28, 28), np.uint8), rng.integers(0, 10, size, np.uint8)
        for name, array in ((f"{part}-images-idx3-ubyte", images), (f"{part}-labels-idx1-ubyte", labels)):
            content = idx(array)
            (folder / (name + ".gz" * zipped)).write_bytes(gzip.compress(content) if zipped else content)
        parts.append((images, labels))
    return parts[0]


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("of", [MNIST, FashionMNIST])
def test_mnist(of, zipped, tmp_path):
    images, labels = write_mnist(tmp_path, zipped=zipped, of=of)
    train, test = of(tmp_path), of(str(tmp_path), train=False)
    assert (len(train), len(test)) == (6, 2)
    assert (train.data.dtype, train.targets.dtype) == (np.uint8, np.int64)
    assert_array_equal(train.data.numpy(), images)
    assert_array_equal(train.targets.numpy(), labels)
    image, label = train[3]
    assert_array_equal(image, images[3])
    assert type(label) is int
    assert label == labels[3]
    assert [len(train.classes), train.class_to_idx[train.classes[4]]] == [10, 4]


def test_mnist_as_a_pytorch_program_uses_it(tmp_path):
    images, labels = write_mnist(tmp_path)
    transform = Compose([ToTensor(), Normalize((0.1307,), (0.3081,))])
    train = MNIST(tmp_path, train=True, transform=transform, target_transform=lambda label: label % 2)
    batches = list(DataLoader(train, batch_size=4))
    assert [x.shape for x, _ in batches] == [(4, 1, 28, 28), (2, 1, 28, 28)]
    assert_allclose(batches[1][0].numpy()[1, 0], (images[5] / 255 - 0.1307) / 0.3081, rtol=1e-4, atol=1e-6)
    assert [int(y) for _, ys in batches for y in ys] == (labels % 2).tolist()


def test_files_that_are_missing_are_told(tmp_path):
    with pytest.raises(FileError) as caught:
        MNIST(tmp_path)
    for part in (
        f"MNIST: there is no {tmp_path / 'MNIST' / 'raw' / 'train-images-idx3-ubyte.gz'}; download=True fetches it (12 MB",
        "or put there yourself what https://ossci-datasets.s3.amazonaws.com/mnist/ has: train-images-idx3-ubyte.gz, train-labels",
    ):
        assert part in str(caught.value)
    with pytest.raises(FileError, match=r"CIFAR10: there is no .*cifar-10-binary\.tar\.gz; download=True fetches it \(170 MB"):
        CIFAR10(tmp_path)


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("images-idx3", np.zeros((6, 28), np.uint8), r"hold uint8 \(6, 28\) and uint8 \(6,\) instead of uint8 images"),
        ("images-idx3", np.zeros((5, 28, 28), np.uint8), r"hold uint8 \(5, 28, 28\) and uint8 \(6,\) instead"),
        ("images-idx3", np.zeros((6, 28, 28), np.int16), r"hold int16 \(6, 28, 28\) and uint8"),
        ("labels-idx1", np.zeros((6, 1), np.uint8), r"uint8 \(6, 1\) instead"),
        ("labels-idx1", np.full(6, 10, np.uint8), "labels lie between 0 and 9, but there is a 10"),
    ],
)  # fmt: skip
def test_files_of_something_else_are_told(name, array, message, tmp_path):
    write_mnist(tmp_path)
    (tmp_path / MNIST.folder / f"train-{name}-ubyte.gz").write_bytes(gzip.compress(idx(array)))
    with pytest.raises(FileError, match=message):
        MNIST(tmp_path)


# ---------------------------------------------------------------- CIFAR-10
NAMES = [*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]


def cifar(names=NAMES, n=3):
    """Contents as those of CIFAR-10's files, of a few made-up images."""
    rng = np.random.default_rng(0)
    return {
        name: np.concatenate([rng.integers(0, 10, (n, 1)), rng.integers(0, 256, (n, 3072))], 1).astype(np.uint8).tobytes()
        for name in names
    }


def tar_of(contents, path):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in contents.items():
            info = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


def unpacked(contents, root):
    (root / "cifar-10-batches-bin").mkdir()
    for name, content in contents.items():
        (root / "cifar-10-batches-bin" / name).write_bytes(content)


@pytest.mark.parametrize("packed", [False, True])
def test_cifar(packed, tmp_path):
    contents = cifar()
    if packed:
        tar_of(dict(reversed(contents.items())) | {"readme.html": b"text"}, tmp_path / "cifar-10-binary.tar.gz")
    else:
        unpacked(contents, tmp_path)
    train, test = CIFAR10(tmp_path), CIFAR10(tmp_path, train=False, transform=ToTensor())
    assert (train.data.shape, train.data.dtype, len(train.targets), len(test)) == ((15, 32, 32, 3), np.uint8, 15, 3)
    fourth = contents["data_batch_2.bin"][:3073]
    image, label = train[3]
    assert label == fourth[0] == train.targets[3]
    assert type(label) is int
    assert image.shape == (32, 32, 3)
    for colour, row, column in ((0, 0, 0), (1, 2, 3), (2, 31, 30)):
        assert image[row, column, colour] == fourth[1 + colour * 1024 + row * 32 + column]
    assert test[0][0].shape == (3, 32, 32)
    assert [path.name for path in tmp_path.iterdir()] == ["cifar-10-binary.tar.gz" if packed else "cifar-10-batches-bin"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c | {"data_batch_2.bin": c["data_batch_2.bin"][:-1]}, r"data_batch_2\.bin.* holds 9218 bytes; it should be 3073 for"),
        (lambda c: c | {"data_batch_5.bin": b""}, r"data_batch_5\.bin.* holds 0 bytes"),
        (lambda c: c | {"data_batch_1.bin": b"\x0a" + bytes(3072)}, "classes lie between 0 and 9, but there is a 10"),
        (lambda c: {name: c[name] for name in NAMES[:4]}, r"does not have all of data_batch_1\.bin, "),
    ],
)  # fmt: skip
@pytest.mark.parametrize("packed", [False, True])
def test_damaged_cifar_is_told(change, message, packed, tmp_path):
    contents = change(cifar())
    if packed:
        tar_of(contents, tmp_path / "cifar-10-binary.tar.gz")
    else:
        unpacked(contents, tmp_path)
    with pytest.raises(FileError, match=message):
        CIFAR10(tmp_path)


def test_a_damaged_archive_is_told(tmp_path):
    path = tmp_path / "cifar-10-binary.tar.gz"
    tar_of(cifar(), path)
    whole = path.read_bytes()
    for content in (b"", b"no archive", whole[:20000], whole[:-30], whole[:5000] + b"\0" * 5000 + whole[10000:]):
        path.write_bytes(content)
        with pytest.raises(FileError, match=r"cannot be read|cut short|does not have all of"):
            CIFAR10(tmp_path)


# ---------------------------------------------------------------- downloads
@pytest.fixture
def server(tmp_path, monkeypatch):
    """A web server for the files in a folder: its address, the folder, and what was asked for."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    folder, asked = tmp_path / "web", []
    folder.mkdir()

    class Handler(SimpleHTTPRequestHandler):
        def log_request(self, code="-", size="-"):
            asked.append((self.path, int(code)))

        def log_message(self, format, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=folder)) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}/", folder, asked
        http.shutdown()
        thread.join()


def sums(folder, names):
    return tuple((name, hashlib.sha256((folder / name).read_bytes()).hexdigest()) for name, _ in names)


def test_downloads_are_checked_and_kept(server, tmp_path, monkeypatch):
    pooch = pytest.importorskip("pooch", reason="pooch is in the extra chainrule[data]")
    pooch.get_logger().setLevel("ERROR")
    monkeypatch.setattr(time, "sleep", lambda seconds: None)  # between two tries
    address, web, asked = server
    images, _ = write_mnist(web)
    (web / MNIST.folder).rename(web / "mnist")
    monkeypatch.setattr(MNIST, "files", sums(web / "mnist", MNIST.files))
    monkeypatch.setattr(MNIST, "mirrors", [f"{address}gone/", f"{address}mnist/"])
    root = tmp_path / "data"
    train = MNIST(root, download=True)
    assert_array_equal(train.data.numpy(), images)
    assert sorted(path.name for path in (root / "MNIST" / "raw").iterdir()) == sorted(dict(MNIST.files))
    assert {code for path, code in asked if path.startswith("/gone")} == {404}
    asked.clear()
    MNIST(root, train=False, download=True)
    assert asked == [], "what is there is not fetched again"
    damaged = root / "MNIST" / "raw" / "t10k-labels-idx1-ubyte.gz"
    damaged.write_bytes(b"changed")
    MNIST(root, train=False, download=True)
    assert {path for path, _ in asked} == {"/gone/t10k-labels-idx1-ubyte.gz", "/mnist/t10k-labels-idx1-ubyte.gz"}


def test_a_download_of_another_file_is_refused(server, tmp_path, monkeypatch):
    pooch = pytest.importorskip("pooch", reason="pooch is in the extra chainrule[data]")
    pooch.get_logger().setLevel("ERROR")
    monkeypatch.setattr(time, "sleep", lambda seconds: None)  # between two tries
    address, web, _ = server
    tar_of(cifar(), web / "cifar-10-binary.tar.gz")
    monkeypatch.setattr(CIFAR10, "mirrors", [address])
    with pytest.raises(FileError, match=r"CIFAR10: the download failed: .*cifar-10-binary\.tar\.gz: SHA256 hash"):
        CIFAR10(tmp_path / "data", download=True)
    assert not list((tmp_path / "data").glob("*")), "nothing of it stays"
    monkeypatch.setattr(CIFAR10, "files", sums(web, CIFAR10.files))
    assert len(CIFAR10(tmp_path / "data", download=True)) == 15


def test_the_checksums_are_complete():
    for of, n in ((MNIST, 4), (FashionMNIST, 4), (CIFAR10, 1)):
        assert len(of.files) == n
        assert all(len(digest) == 64 and set(digest) <= set("0123456789abcdef") for _, digest in of.files)
        assert all(mirror.endswith("/") for mirror in of.mirrors)


# ---------------------------------------------------------------- made up
SHAPES = {"make_moons": 2, "make_circles": 2, "make_spirals": 2, "make_blobs": 3, "make_xor": 2}


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("n", [1, 7, 100])
def test_shapes_to_classify(name, n):
    make = getattr(datasets, name)
    x, y = make(n, generator=Generator().manual_seed(0))
    assert (x.shape, x.dtype, y.shape, y.dtype) == ((n, 2), np.float32, (n,), np.int64)
    sizes = np.bincount(y.numpy(), minlength=SHAPES[name])
    assert len(sizes) == SHAPES[name]
    assert np.ptp(sizes) <= 1
    again = make(n, generator=Generator().manual_seed(0))
    assert_array_equal(again[0].numpy(), x.numpy())
    assert_array_equal(again[1].numpy(), y.numpy())
    if n == 100:
        assert (np.diff(y.numpy()) != 0).sum() > 20, "in random order"
        autograd.manual_seed(0)
        assert_array_equal(make(n)[0].numpy(), x.numpy())


def in_order(x, y):
    return np.array(
        sorted((int(label), *np.round(row, 5) + 0.0) for row, label in zip(np.asarray(x), np.asarray(y), strict=True))
    )


@pytest.mark.parametrize(("name", "options"), [("make_moons", {}), ("make_circles", {"factor": 0.5})])
def test_shapes_are_those_of_scikit_learn(name, options):
    theirs = pytest.importorskip("sklearn.datasets", reason="scikit-learn is in the extra chainrule[data]")
    assert_allclose(in_order(*getattr(datasets, name)(40, **options)), in_order(*getattr(theirs, name)(40, **options)), atol=2e-5)


def test_noise_is_added():
    for make in (datasets.make_moons, datasets.make_circles, datasets.make_spirals, datasets.make_xor):
        clean, noisy = (
            make(4000, generator=Generator().manual_seed(0)),
            make(4000, noise=0.1, generator=Generator().manual_seed(0)),
        )
        assert_array_equal(clean[1].numpy(), noisy[1].numpy())
        moved = (noisy[0] - clean[0]).numpy()
        assert abs(moved.std() - 0.1) < 0.005
        assert abs(moved.mean()) < 0.01


def test_spirals_wind_out_and_do_not_cross():
    x, y = datasets.make_spirals(300, n_classes=3, turns=1.5)
    radius = np.hypot(*x.numpy().T)
    angle = np.arctan2(x.numpy()[:, 1], x.numpy()[:, 0]) / (2 * np.pi)
    assert_allclose((angle - 1.5 * radius - y.numpy() / 3 + 0.5) % 1, 0.5, atol=1e-4)
    assert_allclose(np.sort(radius)[-3:], 1, rtol=1e-6)


def test_blobs():
    centers = [[0.0, 5.0], [9.0, -5.0]]
    x, y = datasets.make_blobs(2000, centers=centers, cluster_std=0.5, generator=Generator().manual_seed(0))
    for i, center in enumerate(centers):
        points = x.numpy()[y.numpy() == i]
        assert_allclose(points.mean(0), center, atol=0.06)
        assert_allclose(points.std(0), 0.5, atol=0.03)
    x, y = datasets.make_blobs(50, n_features=4, centers=5, cluster_std=0.0, center_box=(2, 3))
    assert (x.shape, len(np.unique(x.numpy(), axis=0))) == ((50, 4), 5)
    assert 2 <= x.numpy().min() <= x.numpy().max() <= 3


def test_xor():
    x, y = datasets.make_xor()
    assert in_order(x, y).tolist() == [[0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 0]]
    assert Counter(map(tuple, datasets.make_xor(40)[0].tolist())) == {(i, j): 10 for i in (0, 1) for j in (0, 1)}


def test_sequences_to_copy():
    x, y = datasets.make_copy(50, length=4, delay=3, n_symbols=5)
    assert (x.shape, x.dtype, y.shape, y.dtype) == ((50, 11), np.int64, (50, 11), np.int64)
    x, y = x.numpy(), y.numpy()
    assert set(x[:, :4].ravel()) == {1, 2, 3, 4, 5}
    assert_array_equal(y[:, -4:], x[:, :4])
    assert not y[:, :-4].any()
    assert (x[:, 7] == 6).all()
    assert not x[:, 4:7].any()
    assert not x[:, 8:].any()
    assert datasets.make_copy(1, length=1, delay=0)[0].shape == (1, 2)


def test_sequences_to_add():
    x, y = datasets.make_adding(200, length=9)
    assert (x.shape, x.dtype, y.shape, y.dtype) == ((200, 9, 2), np.float32, (200, 1), np.float32)
    numbers, marks = x.numpy()[..., 0], x.numpy()[..., 1]
    assert set(marks.ravel()) == {0, 1}
    assert (marks[:, :4].sum(1) == 1).all()
    assert (marks[:, 4:].sum(1) == 1).all()
    assert (marks.sum(0) > 0).all()
    assert_allclose(y.numpy()[:, 0], [a[b > 0].sum() for a, b in zip(numbers, marks, strict=True)], rtol=1e-6)
    assert 0 <= numbers.min() < numbers.max() < 1


def test_sequences_to_continue():
    x, y = datasets.make_sines(40, length=30)
    assert (x.shape, x.dtype, y.shape, y.dtype) == ((40, 30, 1), np.float32, (40, 30, 1), np.float32)
    assert_array_equal(x.numpy()[:, 1:], y.numpy()[:, :-1])
    wave = x.numpy()[..., 0].astype(np.float64)
    both, middle = wave[:, 2:] + wave[:, :-2], wave[:, 1:-1]  # a sine obeys x(t + 1) + x(t - 1) = 2 cos(w) x(t)
    factor = (both * middle).sum(1) / (middle**2).sum(1)
    assert_allclose(both, factor[:, None] * middle, atol=1e-5)
    periods = np.arccos(factor / 2) * 30 / (2 * np.pi)
    assert 1 < periods.min() < 2
    assert 4 < periods.max() < 5
    noisy, clean = datasets.make_sines(400, noise=0.3)
    assert abs((noisy[:, 1:] - clean[:, :-1]).numpy().std() - 0.3) < 0.01


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: datasets.make_moons(0), "make_moons: n_samples is a whole number, 1 or more, got 0"),
        (lambda: datasets.make_xor(2.5), "make_xor: n_samples is a whole number, 1 or more, got 2.5"),
        (lambda: datasets.make_circles(factor=1), "make_circles: factor is 0 or more and below 1, got 1"),
        (lambda: datasets.make_spirals(n_classes=0), "make_spirals: n_classes is a whole number"),
        (lambda: datasets.make_blobs(centers=0), "make_blobs: centers is a whole number"),
        (lambda: datasets.make_blobs(centers=[1.0]), r"centers is a number or a matrix, a row for each, got shape \(1,\)"),
        (lambda: datasets.make_copy(length=0), "make_copy: length is a whole number, 1 or more"),
        (lambda: datasets.make_adding(length=1), "make_adding: length is a whole number, 2 or more"),
        (lambda: datasets.make_sines(True), "make_sines: n_samples is a whole number"),
    ],
)  # fmt: skip
def test_bad_requests_are_told(make, message):
    with pytest.raises(ArgumentError, match=message):
        make()


def test_datasets_has_what_its_index_says():
    assert all(hasattr(datasets, name) for name in datasets.__all__)


# ---------------------------------------------------------------- shapes
def test_shapes_are_what_their_labels_boxes_and_masks_say():
    shapes = datasets.make_shapes(60, size=48, objects=(1, 4), noise=0.0)
    images, labels, boxes, masks = (part.numpy() for part in shapes)
    assert [part.dtype for part in shapes] == [np.float32, np.int64, np.float32, np.bool_]
    assert (images.min() >= 0) & (images.max() <= 1)
    assert masks.sum(1).max() == 1  # what is hidden belongs to what hides it
    there = labels >= 0
    assert set(there.sum(1)) == {1, 2, 3, 4}
    assert np.all(there[:, :-1] >= there[:, 1:])
    assert np.all(masks.any((2, 3)) == there)
    assert not boxes[~there].any()
    for image, found, box in zip(*np.nonzero(there), boxes[there], strict=True):
        y, x = np.nonzero(masks[image, found])
        assert_array_equal(box, [x.min(), y.min(), x.max() + 1, y.max() + 1])
        behind = images[image][:, ~masks[image].any(0)]
        colour = np.median(images[image][:, y, x], axis=1)
        assert np.abs(colour - np.median(behind, axis=1)).max() > 0.1  # it stands out
    for target, n in zip(shapes.targets(), there.sum(1), strict=True):
        assert (len(target["boxes"]), len(target["labels"])) == (n, n)
        assert target["labels"].min() >= 0


def test_a_shape_that_is_hidden_does_not_count():
    shapes = datasets.make_shapes(50, size=12, objects=20)
    there = (shapes.labels >= 0).numpy()
    assert there.sum(1).min() < 20
    assert np.all(there[:, :-1] >= there[:, 1:])
    assert_array_equal(shapes.masks.any(3).any(2), there)


def test_single_shapes_are_of_each_kind_as_often_and_look_their_own_way():
    shapes = datasets.make_shapes(200, noise=0.0, turn=0.0)
    assert set(Counter(shapes.labels[:, 0].tolist()).values()) == {20}
    assert len(shapes.kinds) == 10
    share = {}  # of its box that a shape fills
    for label, mask in zip(shapes.labels[:, 0].tolist(), shapes.masks[:, 0].numpy(), strict=True):
        y, x = np.nonzero(mask)
        share.setdefault(shapes.kinds[label], []).append(mask.sum() / (np.ptp(x) + 1) / (np.ptp(y) + 1))
    mean = {kind: np.mean(values) for kind, values in share.items()}
    for kind, filled in {"square": 1, "bar": 1, "disk": np.pi / 4, "triangle": 1 / 2, "half": np.pi / 4, "frame": 3 / 4}.items():
        assert_allclose(mean[kind], filled, atol=0.08, err_msg=kind)


def test_shapes_repeat_with_their_generator():
    a, b, c = (datasets.make_shapes(5, objects=2, generator=Generator().manual_seed(seed)) for seed in (1, 1, 2))
    for x, y in zip(a, b, strict=True):
        assert_array_equal(x, y)
    assert not np.array_equal(a.images, c.images)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_samples": 0}, "n_samples is a whole number, 1 or more, got 0"),
        ({"size": 4}, "size is a whole number, 8 or more, got 4"),
        ({"objects": (3, 2)}, "objects is a whole number, from 1 to 2, got 3"),
        ({"objects": 0}, "objects is a whole number, .*, got 0"),
        ({"n_classes": 11}, "n_classes is a whole number, from 1 to 10, got 11"),
        ({"size": 32.0}, "size is a whole number"),
    ],
)
def test_shapes_refuse(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        datasets.make_shapes(**arguments)


# ---------------------------------------------------------------- faces
def test_faces_are_what_their_people_say():
    """The mean face over many pictures is dark where there is hair, and as bright as the skin of its person in the cheek."""
    images, people = (part.numpy() for part in datasets.make_faces(60, n_pictures=40))
    assert images.dtype == people.dtype == np.float32
    assert images.shape == (60, 40, 1, 24, 24)
    assert people.shape == (60, 10)
    assert abs(people).max() <= 1
    mean = images.mean((1, 2))
    for place, trait in (((15, 7), 2), ((4, 12), 3)):  # the cheek has the colour of the skin, the brow that of the hair
        assert np.corrcoef(mean[:, *place], people[:, trait])[0, 1] > 0.8


def test_faces_of_a_person_differ_less_than_people_do():
    images, _ = datasets.make_faces(80, n_pictures=30)
    halves = [images.numpy()[:, part].mean(1).reshape(80, -1) for part in (slice(15), slice(15, None))]
    gaps = np.linalg.norm(halves[0][:, None] - halves[1], axis=2)
    assert (gaps.argmin(1) == np.arange(80)).mean() > 0.5  # by chance, 1 in 80


def test_faces_repeat_with_their_generator():
    a, b, c = (datasets.make_faces(3, generator=Generator().manual_seed(seed))[0] for seed in (1, 1, 2))
    assert_array_equal(a, b)
    assert not np.array_equal(a, c)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_people": 0}, "n_people is a whole number, 1 or more, got 0"),
        ({"n_pictures": 2.0}, "n_pictures is a whole number"),
        ({"size": 4}, "size is a whole number, 8 or more, got 4"),
    ],
)
def test_faces_refuse(arguments, message):
    with pytest.raises(ArgumentError, match=f"make_faces: {message}"):
        datasets.make_faces(**arguments)
