"""Trees: the same function on every leaf, in whatever they are nested."""

from collections import namedtuple

import pytest

from autograd.api.tree import tree_build, tree_leaves, tree_map
from autograd.errors import ArgumentError

Pair = namedtuple("Pair", "a b")
TREE = {"x": 1, "y": (2, [3, {}]), "z": Pair(4, ()), "none": None}


def test_structure_is_kept():
    assert tree_map(lambda v: v, TREE) == TREE
    assert type(tree_map(str, TREE)["z"]) is Pair
    assert tree_leaves(TREE) == [1, 2, 3, 4, None]
    assert tree_build(TREE, "abcde") == {"x": "a", "y": ("b", ["c", {}]), "z": Pair("d", ()), "none": "e"}
    assert tree_build((0, 0), [[1], {"k": 2}]) == ([1], {"k": 2})


def test_others_are_looked_up_by_place_and_key():
    assert tree_map(lambda a, b: (a, b), {"x": 1, "y": 2}, {"y": 20, "x": 10}) == {"x": (1, 10), "y": (2, 20)}
    assert tree_map(lambda dim, branch: (dim, branch), (0, None), ([1, 2], {"k": 3})) == ((0, [1, 2]), (None, {"k": 3}))


@pytest.mark.parametrize(
    ("tree", "other", "message"),
    [
        ((1, 2), (1,), "where one argument has a tuple of 2, another has a tuple of 1"),
        ([1], 3, "where one argument has a list of 1, another has a int"),
        ({"a": 1}, {"b": 1}, r"where one argument has a dict with the keys \['a'\], another has one with \['b'\]"),
        ({"a": (1,)}, {"a": 5}, "where one argument has a tuple of 1, another has a int"),
    ],
)
def test_trees_that_differ_are_refused(tree, other, message):
    with pytest.raises(ArgumentError, match=message):
        tree_map(lambda a, b: a, tree, other)
