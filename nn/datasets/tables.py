"""Four classic tables of measurements, which come with scikit-learn: iris, wine, breast_cancer and diabetes."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd.api.creation import from_numpy
from autograd.engine.tensor import Tensor
from autograd.errors import MissingError

from ..utils.data import TensorDataset

__all__ = ["Table", "breast_cancer", "diabetes", "iris", "wine"]


class Table(TensorDataset):
    """Rows of numbers and what is to be told from them; `features` names the columns, `classes` the classes."""

    def __init__(self, x: Tensor, y: Tensor, features: list[str], classes: list[str]) -> None:
        super().__init__(x, y)
        self.features, self.classes = features, classes


def _load(name: str) -> Table:
    try:
        from sklearn import datasets
    except ImportError as error:
        raise MissingError(f"{name}() is in scikit-learn, which is not installed; pip install 'chainrule[data]'") from error
    source: Any = getattr(datasets, f"load_{name}")()
    classes = [str(label) for label in source.get("target_names", [])]
    target = source.target.astype(np.int64) if classes else source.target.astype(np.float32)[:, None]
    features = [str(feature) for feature in source.feature_names]
    return Table(from_numpy(source.data.astype(np.float32)), from_numpy(target), features, classes)


def iris() -> Table:
    """150 irises of 3 species by 4 lengths in cm: x float32 (150, 4), y int64 (150,). Fisher, 1936; raises MissingError."""
    return _load("iris")


def wine() -> Table:
    """178 wines of 3 growers by 13 measurements: x float32 (178, 13), y int64 (178,). Aeberhard and Forina, 1991."""
    return _load("wine")


def breast_cancer() -> Table:
    """569 tumours, malignant (0) or benign (1), by 30 measurements of cell nuclei: x float32 (569, 30), y int64 (569,).

    Wolberg, Mangasarian, Street and Street, 1993.
    """
    return _load("breast_cancer")


def diabetes() -> Table:
    """442 patients by 10 standardized measurements, and how their diabetes went on: x float32 (442, 10), y float32 (442, 1).

    Efron, Hastie, Johnstone and Tibshirani, 2004.
    """
    return _load("diabetes")
