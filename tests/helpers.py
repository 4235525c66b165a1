"""What many test files make and take apart: leaves of graphs, results that may be several, warnings, another thread."""

import threading
import warnings

import numpy as np

from autograd import tensor


def leaf(values, dtype=None, **options):
    """A Tensor that requires a gradient: of an array, of nested lists or of a number; of the dtype that NumPy gives it."""
    return tensor(np.array(values, dtype), requires_grad=True, **options)


def vector(*numbers, dtype=np.float64, **options):
    """A leaf of one dimension with these numbers."""
    return leaf(numbers, dtype, **options)


def leaves(result):
    """The values that a call returned, out of any tuples and lists."""
    return [leaf for part in result for leaf in leaves(part)] if isinstance(result, (tuple, list)) else [result]


def warned(function):
    """What `function` returns, and the warnings that it gave."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        return function(), found


def in_thread(function):
    """What `function` returns in a thread of its own."""
    results = []
    thread = threading.Thread(target=lambda: results.append(function()))
    thread.start()
    thread.join()
    return results[0]
