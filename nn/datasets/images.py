"""Image datasets to download, with torchvision's interface: MNIST and Fashion-MNIST (IDX files), CIFAR-10 (binary version)."""

from __future__ import annotations

import gzip
import math
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np

from autograd.api.creation import from_numpy
from autograd.errors import FileError, MissingError

from ..utils.data import Dataset

__all__ = ["CIFAR10", "MNIST", "FashionMNIST", "read_idx"]

DAMAGED = (OSError, EOFError, zlib.error, tarfile.TarError)  # what reading a compressed file raises that is cut short or changed


def _read(file: IO[bytes], n: int, name: Any) -> bytes:
    """The next n bytes; memory is taken as they come, whatever n promises. Raises FileError if there are fewer."""
    parts: list[bytes] = []
    while n and (part := file.read(min(n, 1 << 20))):
        parts.append(part)
        n -= len(part)
    if n:
        raise FileError(f"{name} is cut short: {n} more bytes should follow")
    return b"".join(parts)


IDX = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}


def read_idx(path: Any) -> Any:
    """The array in an IDX file, the format of MNIST, gzipped or not. Raises FileError.

    Two zero bytes, one for the dtype, one for the number of dims; the sizes, then the numbers, highest byte first.
    """
    opens: Any = gzip.open if str(path).endswith(".gz") else open
    try:
        with opens(path, "rb") as file:
            zero, kind, ndim = np.frombuffer(_read(file, 4, path), ">u2, u1, u1")[0]
            if zero or kind not in IDX or not ndim:
                raise FileError(f"{path} is no IDX file: it does not begin with two zeros, a dtype and a number of dims")
            shape = np.frombuffer(_read(file, 4 * int(ndim), path), ">u4").tolist()
            dtype = np.dtype(IDX[int(kind)])
            array = np.frombuffer(_read(file, math.prod(shape) * dtype.itemsize, path), dtype).reshape(shape)
            if file.read(1):
                raise FileError(f"{path} is longer than an array of shape {tuple(shape)} and dtype {dtype.name}")
    except DAMAGED as error:
        raise FileError(f"{path} cannot be read: {error}") from error
    return array.astype(dtype.newbyteorder("="))


class _Images(Dataset):
    """Images and their classes: `data` and `targets`, and by number, after the transforms, as pairs."""

    folder = ""  # where in root the files are
    files: tuple[tuple[str, str], ...]  # their names and SHA-256
    mirrors: tuple[str, ...]  # the folders on the web that have them
    megabytes = 0
    classes: tuple[str, ...]
    data: Any
    targets: Any

    def __init__(
        self, root: Any, train: bool = True, transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None, download: bool = False,
    ) -> None:  # fmt: skip
        self.root, self.train, self.transform, self.target_transform = root, train, transform, target_transform
        if download:
            self._download()
        self.data, self.targets = self._load()

    @property
    def _path(self) -> Path:
        return Path(self.root) / self.folder

    @property
    def class_to_idx(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.classes)}

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        image, target = np.asarray(self.data[index]), int(self.targets[index])
        return self.transform(image) if self.transform else image, self.target_transform(
            target
        ) if self.target_transform else target

    def _load(self) -> tuple[Any, Any]:
        raise NotImplementedError

    def _missing(self, path: Path) -> FileError:
        files = ", ".join(name for name, _ in self.files)
        return FileError(
            f"{type(self).__name__}: there is no {path}; download=True fetches it ({self.megabytes} MB, with the extra "
            f"chainrule[data]), or put there yourself what {self.mirrors[0]} has: {files}"
        )

    def _download(self) -> None:
        """Fetch those of the files that are not there, or not as they should be, from the first mirror that has them."""
        try:
            import pooch
        except ImportError as error:
            raise MissingError("download=True needs the package pooch; pip install 'chainrule[data]'") from error
        for file, digest in self.files:
            problems = []
            for mirror in self.mirrors:
                try:
                    pooch.create(self._path, mirror, registry={file: f"sha256:{digest}"}, retry_if_failed=1).fetch(file)
                    break
                except (OSError, ValueError) as error:  # no answer, or another file
                    problems.append(f"{mirror}{file}: {error}")
            else:
                raise FileError(f"{type(self).__name__}: the download failed: {'; '.join(problems)}")


class MNIST(_Images):
    """Handwritten digits, 60,000 to train with and 10,000 to test on (torchvision.datasets.MNIST).

    `data` are the images, a uint8 tensor (n, 28, 28), `targets` the digits, int64 (n,); an example is the image as an array
    and the digit as an int, each after its transform. The files lie in root/MNIST/raw, gzipped or not; `download=True`
    fetches those missing (extra chainrule[data]) and checks their SHA-256. Raises FileError if they are missing or damaged.
    LeCun, Cortes and Burges, 1998.
    """

    folder = "MNIST/raw"
    mirrors = ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/")
    files = (
        ("train-images-idx3-ubyte.gz", "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
        ("train-labels-idx1-ubyte.gz", "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
        ("t10k-images-idx3-ubyte.gz", "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
        ("t10k-labels-idx1-ubyte.gz", "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
    )
    megabytes = 12
    classes = (
        "0 - zero", "1 - one", "2 - two", "3 - three", "4 - four",
        "5 - five", "6 - six", "7 - seven", "8 - eight", "9 - nine",
    )  # fmt: skip

    def _load(self) -> tuple[Any, Any]:
        part = "train" if self.train else "t10k"
        images, labels = self._array(f"{part}-images-idx3-ubyte"), self._array(f"{part}-labels-idx1-ubyte")
        if images.dtype != np.uint8 or labels.dtype != np.uint8 or images.shape != (*labels.shape, 28, 28):
            found = f"{images.dtype} {images.shape} and {labels.dtype} {labels.shape}"
            raise FileError(f"{self._path}: the {part} files hold {found} instead of uint8 images (n, 28, 28) and labels (n,)")
        if labels.size and labels.max() > 9:
            raise FileError(f"{self._path}: the {part} labels lie between 0 and 9, but there is a {labels.max()}")
        return from_numpy(images), from_numpy(labels.astype(np.int64))

    def _array(self, name: str) -> Any:
        for path in (self._path / name, self._path / f"{name}.gz"):
            if path.exists():
                return read_idx(path)
        raise self._missing(path)


class FashionMNIST(MNIST):
    """Pictures of clothes, in the form of MNIST, in root/FashionMNIST/raw (torchvision.datasets.FashionMNIST).

    Xiao, Rasul and Vollgraf, 2017.
    """

    folder = "FashionMNIST/raw"
    mirrors = (
        "https://fashion-mnist.s3.eu-central-1.amazonaws.com/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    )
    files = (
        ("train-images-idx3-ubyte.gz", "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
        ("train-labels-idx1-ubyte.gz", "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
        ("t10k-images-idx3-ubyte.gz", "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
        ("t10k-labels-idx1-ubyte.gz", "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
    )
    megabytes = 31
    classes = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")


class CIFAR10(_Images):
    """Small colour photographs of ten kinds of things, 50,000 to train with and 10,000 to test on (torchvision.datasets.CIFAR10).

    `data` are the images, a uint8 array (n, 32, 32, 3), `targets` their classes, a list of ints; an example is the two of
    one, each after its transform. It reads the binary version, which needs no pickle: cifar-10-binary.tar.gz in root, or
    what is in it in root/cifar-10-batches-bin. Raises FileError if that is missing or damaged. Krizhevsky, 2009.
    """

    mirrors = ("https://www.cs.toronto.edu/~kriz/",)
    files = (("cifar-10-binary.tar.gz", "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"),)
    megabytes = 170
    classes = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

    def _load(self) -> tuple[Any, Any]:
        names = [f"data_batch_{i}.bin" for i in range(1, 6)] if self.train else ["test_batch.bin"]
        folder, archive = self._path / "cifar-10-batches-bin", self._path / "cifar-10-binary.tar.gz"
        if folder.is_dir():
            parts = [self._records((folder / name).read_bytes(), folder / name) for name in names if (folder / name).exists()]
        elif archive.exists():
            parts = self._in_archive(archive, names)
        else:
            raise self._missing(archive)
        if len(parts) != len(names):
            raise FileError(f"CIFAR10: {folder if folder.is_dir() else archive} does not have all of {', '.join(names)}")
        records = np.concatenate(parts)
        return records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1).copy(), records[:, 0].tolist()

    def _in_archive(self, path: Path, names: list[str]) -> list[Any]:
        """Read in the order in which they lie there, as going back means to decompress anew; nothing is unpacked to disk."""
        found = {}
        try:
            with gzip.open(path) as file, tarfile.open(fileobj=file, mode="r:") as archive:
                for member in archive:
                    name = member.name.rpartition("/")[2]
                    if name in names and (content := archive.extractfile(member)) is not None:
                        found[name] = self._records(_read(content, member.size, f"{name} in {path}"), f"{name} in {path}")
                while file.read(1 << 20):  # to the end, where the checksum is
                    pass
        except DAMAGED as error:
            raise FileError(f"{path} cannot be read: {error}") from error
        return [found[name] for name in names if name in found]

    def _records(self, content: bytes, name: Any) -> Any:
        """The class and 3 x 32 x 32 colours of each image."""
        if not content or len(content) % 3073:
            raise FileError(f"{name} holds {len(content)} bytes; it should be 3073 for each image")
        records = np.frombuffer(content, np.uint8).reshape(-1, 3073)
        if records[:, 0].max() > 9:
            raise FileError(f"{name}: the classes lie between 0 and 9, but there is a {records[:, 0].max()}")
        return records
