"""The records of what processes do together, here in a group of one; test_distributed.py has several."""

from samples import Sample
from strategies import call

from autograd.distributed import Group

ALONE = Group()
ONE = {"PyTorch": "it has these for processes only; test_distributed.py compares", "foreign": "MPI sends NumPy's memory"}


def of(*shapes, place=()):
    def make(s):
        return call(s.array(s.pick(*shapes)), ALONE, *place)

    return make


# fmt: off
SAMPLES = [
    Sample("all_reduce", of((), (3,), (2, 1, 3)), lambda x, group: x * 1, exempt=ONE),
    Sample("all_gather", of((), (3,), (2, 1, 3)), lambda x, group: x[None], exempt=ONE),
    Sample("reduce_scatter", of((1,), (1, 3), (1, 2, 1)), lambda x, group: x[0], exempt=ONE),
    Sample("all_to_all", of((1,), (1, 3), (1, 2, 1)), lambda x, group: x * 1, exempt=ONE),
    Sample("broadcast", of((), (3,), (2, 1, 3), place=(0,)), lambda x, group, place: x * 1, exempt=ONE),
]
# fmt: on
