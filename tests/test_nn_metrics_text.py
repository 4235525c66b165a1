"""Error rates of texts and BLEU: by their definitions, one text after the other, and bad input."""

import functools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from autograd import tensor
from autograd.errors import ArgumentError, ShapeError, UnsupportedError
from nn import metrics

text = st.lists(st.sampled_from("abc"), max_size=6).map(" ".join)
texts = st.lists(st.tuples(text, text, text), min_size=1, max_size=4)


def distance(a, b):
    """By Levenshtein's recurrence."""

    @functools.cache
    def to(i, j):
        if not (i and j):
            return i + j
        return min(to(i - 1, j) + 1, to(i, j - 1) + 1, to(i - 1, j - 1) + (a[i - 1] != b[j - 1]))

    return to(len(a), len(b))


@given(texts)
def test_error_rates_are_edits_over_length(rows):
    found, wanted, _ = (list(column) for column in zip(*rows, strict=True))
    for kind, cut in ((metrics.WordErrorRate, str.split), (metrics.CharErrorRate, list)):
        errors = sum(distance(cut(a), cut(b)) for a, b in zip(found, wanted, strict=True))
        total = sum(len(cut(b)) for b in wanted)
        metric = kind()
        for a, b in zip(found, wanted, strict=True):
            metric.update(a, b)
        expected = errors / total if total else math.inf if errors else math.nan
        assert_allclose(metric.compute(), expected)
        whole = kind()
        whole.update(found, wanted)
        assert_allclose(whole.compute(), expected)


def test_texts_are_sequences_of_tokens_too():
    assert metrics.word_error_rate([[1, 2, 3]], [[1, 3]]) == 0.5
    assert metrics.word_error_rate(tensor([[1, 2], [3, 4]]), np.array([[1, 2], [4, 3]])) == 0.5
    assert metrics.char_error_rate([["a", "b"]], [["a", "c"]]) == 0.5
    assert metrics.word_error_rate("A b", "a b") == 0.5, "letters count as they are"
    pairs = [["a", "b", "c", "d"]], [["a", "b", "x", "d"]]
    assert metrics.bleu_score(*pairs, n_gram=2) == metrics.bleu_score("a b c d", "a b x d", n_gram=2) == pytest.approx(0.5)
    assert metrics.bleu_score([[1, 2]], [[[3, 4], [1, 2]]], n_gram=2) == 1


def bleu(rows, n_gram, smooth):
    """Papineni et al. 2002, group by group."""
    right, found, length, wanted = [0] * n_gram, [0] * n_gram, 0, 0
    for a, *references in rows:
        words, references = a.split(), [reference.split() for reference in references]
        length += len(words)
        wanted += sorted((abs(len(r) - len(words)), len(r)) for r in references)[0][1]
        for n in range(1, n_gram + 1):
            groups = lambda words: [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]  # noqa: E731, B023
            for group in set(groups(words)):
                found[n - 1] += groups(words).count(group)
                right[n - 1] += min(groups(words).count(group), max(groups(r).count(group) for r in references))
    right, found = ([n + (smooth and i > 0) for i, n in enumerate(counts)] for counts in (right, found))
    if not all(right):
        return 0
    shares = [r / f for r, f in zip(right, found, strict=True)]
    return (1 if length > wanted else math.exp(1 - wanted / length)) * math.prod(shares) ** (1 / n_gram)


@given(texts, st.integers(1, 4), st.booleans())
def test_bleu_is_what_its_paper_says(rows, n_gram, smooth):
    metric = metrics.BLEUScore(n_gram, smooth)
    for a, b, c in rows:
        metric.update(a, [[b, c]])
    assert_allclose(metric.compute(), bleu(rows, n_gram, smooth), rtol=1e-12)
    found, references = [a for a, *_ in rows], [[b, c] for _, b, c in rows]
    assert_allclose(metrics.bleu_score(found, references, n_gram=n_gram, smooth=smooth), metric.compute())


@pytest.mark.parametrize(
    ("error", "says", "call"),
    [
        (ShapeError, "WordErrorRate: there are 1 texts in output, and 2 in target", lambda: metrics.word_error_rate("a", ["a", "b"])),
        (UnsupportedError, "CharErrorRate: output is a string or a list of texts, not", lambda: metrics.char_error_rate(3, "a")),
        (UnsupportedError, "a text is a string or a sequence of tokens, not .*; pass a list of texts", lambda: metrics.word_error_rate([1, 2], [1, 3])),
        (ArgumentError, "every text needs a reference, 'a' has none", lambda: metrics.bleu_score(["a"], [[]])),
        (ArgumentError, "n_gram is a whole number, 1 or more, got 0", lambda: metrics.BLEUScore(0)),
    ],
)  # fmt: skip
def test_bad_input_is_refused(error, says, call):
    with pytest.raises(error, match=says):
        call()


def test_what_is_refused_leaves_the_metric_as_it_was():
    for metric in (metrics.WordErrorRate(), metrics.BLEUScore(1)):
        metric.update("a b", "a c")
        before = metric.compute()
        with pytest.raises((UnsupportedError, ArgumentError)):
            metric.update(["a", 3], ["a", 3])
        assert metric.compute() == before == 0.5
