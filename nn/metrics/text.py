"""How far texts are from those they should be: word and character error rates, and BLEU.

A text is a string, or a sequence of tokens of any kind, such as the labels that nn.ops.ctc_greedy_decoder reads. A batch
is a list of texts; a lone string is a batch of one.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from autograd.errors import ArgumentError, ShapeError, UnsupportedError, describe

from .metric import Metric, as_function

__all__ = ["BLEUScore", "CharErrorRate", "WordErrorRate", "bleu_score", "char_error_rate", "word_error_rate"]


def _batch(op: str, output: Any, target: Any) -> list[tuple[Any, Any]]:
    """Each text with what it should be."""
    outputs, targets = ([v] if isinstance(v, str) else v for v in (output, target))
    for name, texts in (("output", outputs), ("target", targets)):
        if not hasattr(texts, "__len__"):
            raise UnsupportedError(f"{op}: {name} is a string or a list of texts, not {describe(texts)}")
    if len(outputs) != len(targets):
        raise ShapeError(f"{op}: there are {len(outputs)} texts in output, and {len(targets)} in target")
    return list(zip(outputs, targets, strict=True))


def _tokens(op: str, text: Any, characters: bool = False) -> list[Hashable]:
    """The words of a text, or its characters."""
    if isinstance(text, str):
        return list(text if characters else text.split())
    if not hasattr(text, "__len__"):
        raise UnsupportedError(f"{op}: a text is a string or a sequence of tokens, not {describe(text)}; pass a list of texts")
    return text.tolist() if hasattr(text, "tolist") else list(text)


def _edits(a: Sequence[Hashable], b: Sequence[Hashable]) -> int:
    """How many tokens have to be put in, taken out or changed to make b of a (Levenshtein 1966)."""
    places = {token: i for i, token in enumerate(dict.fromkeys([*a, *b]))}
    wanted = np.array([places[token] for token in b], np.int64)
    along = np.arange(len(b) + 1)
    row = along  # what it costs to make the first j of b, of the tokens of a so far
    for token in a:
        change = np.minimum(row[1:] + 1, row[:-1] + (wanted != places[token]))
        row = np.minimum.accumulate(np.append(row[0] + 1, change) - along) + along  # or put in what comes next, at 1 each
    return int(row[-1])


class WordErrorRate(Metric):
    """How many words have to be put in, taken out or changed, over how many there should be: 0 at best, and it may exceed 1.

    Strings are split at white space. NaN if there should be no words, and are none. torchmetrics.text.WordErrorRate.

    >>> word_error_rate(["the cat sat", "hello"], ["the cat sat down", "hello"])
    0.2
    """

    name, best = "word_error_rate", "min"
    characters = False

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget all batches."""
        self.errors, self.total = 0, 0

    def update(self, output: Any, target: Any) -> None:
        """Take in a batch of texts. Raises ShapeError or UnsupportedError."""
        op = type(self).__name__
        pairs = [[_tokens(op, text, self.characters) for text in pair] for pair in _batch(op, output, target)]
        self.errors += sum(_edits(*pair) for pair in pairs)
        self.total += sum(len(wanted) for _, wanted in pairs)

    def compute(self) -> float:
        """The rate for all texts so far."""
        return self.errors / self.total if self.total else math.inf if self.errors else math.nan


class CharErrorRate(WordErrorRate):
    """How many characters have to be put in, taken out or changed, over how many there should be: 0 at best.

    torchmetrics.text.CharErrorRate.

    >>> char_error_rate("helo", "hello")
    0.2
    """

    name = "char_error_rate"
    characters = True


class BLEUScore(Metric):
    """How many of the words, pairs, up to groups of `n_gram` words, are in a reference too: 1 at best, 0 if no group is.

    The geometric mean of these shares over all texts, where a group counts no more often than in the reference that has it
    most often, times exp(1 - r / c) where all texts, c words together, are shorter than their references, r words, each that
    of the closest length. `smooth` adds 1 to both numbers of each share but that of single words (Lin and Och 2004). A target
    is a reference, or a list of them. Papineni et al. 2002; torchmetrics.text.BLEUScore.

    >>> round(bleu_score(["the cat is on the mat"], [["there is a cat on the mat", "a cat is on the mat"]]), 4)
    0.7598
    """

    name, best = "bleu_score", "max"

    def __init__(self, n_gram: int = 4, smooth: bool = False) -> None:
        if isinstance(n_gram, bool) or not isinstance(n_gram, int) or n_gram < 1:
            raise ArgumentError(f"BLEUScore: n_gram is a whole number, 1 or more, got {n_gram!r}")
        self.n_gram, self.smooth = n_gram, smooth
        self.reset()

    def reset(self) -> None:
        """Forget all batches."""
        self.lengths = np.zeros(2, np.int64)  # of all texts, and of their references
        self.right, self.found = np.zeros((2, self.n_gram), np.int64)  # groups of each size

    def update(self, output: Any, target: Any) -> None:
        """Take in a batch of texts and their references. Raises ShapeError, UnsupportedError or ArgumentError."""
        lengths, right, found = np.zeros(2, np.int64), np.zeros(self.n_gram, np.int64), np.zeros(self.n_gram, np.int64)
        for text, given in _batch("BLEUScore", output, target):
            words, references = _tokens("BLEUScore", text), [_tokens("BLEUScore", r) for r in _references(text, given)]
            if not references:
                raise ArgumentError(f"BLEUScore: every text needs a reference, {text!r} has none")
            lengths += len(words), min(map(len, references), key=lambda n: (abs(n - len(words)), n))
            for i in range(self.n_gram):
                groups, most = _groups(words, i + 1), Counter[Any]()
                for reference in references:
                    most |= _groups(reference, i + 1)
                right[i] += (groups & most).total()
                found[i] += groups.total()
        self.lengths, self.right, self.found = self.lengths + lengths, self.right + right, self.found + found

    def compute(self) -> float:
        """The score of all texts so far."""
        more = (np.arange(self.n_gram) > 0) * self.smooth
        right, found = self.right + more, self.found + more
        if not right.all():
            return 0.0
        length, wanted = self.lengths
        return float(np.exp(min(0, 1 - wanted / length) + np.log(right / found).mean()))


def _references(text: Any, given: Any) -> Sequence[Any]:
    """One, or several? Of a text of tokens, several are sequences in a list."""
    tokens = not isinstance(text, str)
    return [given] if isinstance(given, str) or (tokens and not isinstance(next(iter(given), 0), (list, tuple))) else given


def _groups(words: Sequence[Any], n: int) -> Counter[Any]:
    return Counter(zip(*(words[i:] for i in range(n)), strict=False))


word_error_rate = as_function(WordErrorRate)
char_error_rate = as_function(CharErrorRate)
bleu_score = as_function(BLEUScore)
