"""An array class of another library: it speaks NumPy's protocols, as CuPy's does, and refuses to become an ndarray."""

import numpy as np

from autograd.api import devices


class Foreign(np.lib.mixins.NDArrayOperatorsMixin):
    """Wraps an ndarray, which it calls its host, and mixes with Python numbers and its own kind only.

    Like CuPy's arrays it may be indexed with arrays of the host.
    """

    def __init__(self, host):
        self.host = np.asarray(host)

    shape = property(lambda self: self.host.shape)
    dtype = property(lambda self: self.host.dtype)
    ndim = property(lambda self: self.host.ndim)
    size = property(lambda self: self.host.size)

    def __array__(self, *args, **kwargs):
        raise TypeError("a foreign array does not become an ndarray")

    def __float__(self):
        return float(self.host)

    def __bool__(self):
        return bool(self.host)

    def __getitem__(self, index):
        return _send(self.host[_index(index)])

    def __setitem__(self, index, value):
        self.host[_index(index)] = _bring(value)

    def __array_ufunc__(self, ufunc, method, *args, out=None, **kwargs):
        args = (_bring(args[0]), _index(args[1]), *map(_bring, args[2:])) if method == "at" else map(_bring, args)
        if out is None:
            return _send(getattr(ufunc, method)(*args, **kwargs))
        getattr(ufunc, method)(*args, out=_bring(out), **kwargs)
        return out[0]

    def __array_function__(self, function, types, args, kwargs):
        if any(kind not in (Foreign, np.ndarray) for kind in types):
            return NotImplemented  # that class knows what to do with ours
        if function is np.asarray:  # with like=self: how an array of the host is brought here on purpose
            return Foreign(function(*args, **kwargs))
        return _send(function(*_bring(args), **{k: _bring(v) for k, v in kwargs.items()}))

    def __repr__(self):
        return f"Foreign({self.host!r})"


def _bring(value):
    if isinstance(value, Foreign):
        return value.host
    if isinstance(value, (tuple, list)):
        return type(value)(map(_bring, value))
    if isinstance(value, np.ndarray) and value.ndim:
        raise TypeError("an array of the host among foreign ones")
    return value


def _index(index):
    return tuple(map(_index, index)) if isinstance(index, tuple) else getattr(index, "host", index)


def _send(value):
    if isinstance(value, (tuple, list)) and any(isinstance(v, (np.ndarray, np.generic)) for v in value):
        return getattr(value, "_make", type(value))(map(_send, value))
    return Foreign(value) if isinstance(value, (np.ndarray, np.generic)) else value


# ---------------------------------------------------------------- a device on which such arrays are
devices.KNOWN["foreign"] = lambda: devices.Library(
    Foreign, lambda array, index: Foreign(array), lambda a: a.host, lambda a: 0, lambda: 1
)
