"""Random programs of views and writes in place: what PyTorch runs runs here, to the same values and gradients.

Not drawn is `.data`, writes to which PyTorch does not notice, so that gradients are silently wrong; here they raise.
"""

import random
import re

import numpy as np
import pytest

import autograd
import nn.functional

OPS = """
    {a} * {b} | {a} + {b} | {a} - 0.5 * {b} | {a}.exp() | {a}.sigmoid() | {a}.tanh() | {a}.relu() | {a} / ({b} * {b} + 1) | {a} * 3 | {a}.sum(0)
    {a} @ {b} | torch.cat([{a}, {a}]) | torch.stack([{a}, {a}]) | {a}.clone() | {a}.max(0).values | {a}.softmax(-1) | {a}[[1, 0]] | {a}.flip(0)
    F.layer_norm({a}, {a}.shape[-1:]) | F.normalize({a}, dim=0) | {a}.cumsum(0) | torch.where({a} > 0, {a}, {b}) | {a}.repeat(1, 2)
"""
VIEWS = """
    {a}[0] | {a}[1:] | {a}[..., 1] | {a}[:, ::2] | {a}[None] | {a}.T | {a}.view(-1) | {a}.reshape(-1) | {a}.reshape(3, -1) | {a}.unsqueeze(0) | {a}.narrow(0, 1, 1)
    {a}.diagonal() | {a}.transpose(0, -1) | {a}.squeeze() | {a}.expand(2, *{a}.shape) | {a}.split(1)[0] | {a}.unbind()[1] | {a}.chunk(2)[0] | {a}.select(0, 1)
    {a}.view_as({a}) | {a}.unfold(0, 2, 1) | {a}.flatten() | {a}.movedim(0, -1) | {a}.detach() | torch.einsum('ij->ji', {a}) | {a}[...]
"""
WRITES = """
    {a}.add_({b}) | {a}.mul_(2) | {a}.mul_({b}) | {a}.sub_({b}, alpha=2) | {a}.copy_({b}) | {a}.zero_() | {a}.fill_(0.5) | {a}.relu_() | {a}.sigmoid_() | {a}.tanh_()
    {a}[0] = {b} | {a}[0] += {b} | {a}[..., 1] += 1 | {a}[1:] *= {b} | {a}[[1, 0]] = {b} | {a}[{a} > 0.3] = 0.25 | {a}.T[0] = {b} | {a}[0].mul_({b}) | {a}[1].copy_({b})
    F.relu({a}, inplace=True) | {a}.masked_fill_({a} > 0.2, 0.1) | {a} += {b} | {a} *= 0.5 | {a}.view(-1)[1:].add_(1) | {a}.clamp_(-1, 1) | {a}.exp_() | {a}.neg_()
    {a}.div_(2) | {a}.narrow(0, 0, 1).add_({b}) | {a}.index_add_(0, torch.tensor([0]), {a}[1:2] * 2) | torch.mul(c, {a}.detach(), out=c)
"""
OPS, VIEWS, WRITES = ([s.strip() for line in text.strip().splitlines() for s in line.split("|")] for text in (OPS, VIEWS, WRITES))
REFUSALS = "leaf|multiple views|more than one element of the written-to tensor"


def start(library, functional):
    def new(values, **options):
        return library.tensor(values, dtype=library.float64, **options)

    names = {"torch": library, "F": functional, "x": new([[0.3, -0.7, 0.9], [0.5, 0.2, -0.4]], requires_grad=True)}
    names |= {"w": new([0.6, -0.2, 0.8], requires_grad=True), "c": new([[0.1, 0.4, -0.3], [0.7, -0.6, 0.2]])}
    return names | {"y": names["x"] * 2, "z": names["x"] * names["w"], "b": names["c"].clone()}


def execute(line, names):
    """Run a line, and return what it raised."""
    try:
        exec(line, names)
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        return error
    return None


def program(torch, seed):
    """Lines that fit together, the first that PyTorch refuses being the last; and PyTorch's names after them, with this error."""
    rng = random.Random(seed)
    names, lines = start(torch, torch.nn.functional), []
    while len(lines) < 9:
        tensors = [n for n, v in names.items() if isinstance(v, torch.Tensor)]
        a, b = rng.choice(tensors[-6:]), rng.choice(tensors)
        kind = rng.choice([OPS, VIEWS, VIEWS, WRITES, WRITES, WRITES])
        form = rng.choice(kind)
        if "] = {b}" in form and names[a].untyped_storage().data_ptr() == names[b].untyped_storage().data_ptr():
            continue  # PyTorch does not see to it that what was overwritten is not read again
        line = form.format(a=a, b=b)
        line = line if kind is WRITES else f"t{len(lines)} = {line}"
        if (
            kind is not VIEWS and rng.random() < 0.12
        ):  # of a view that is made there PyTorch says that it requires grad: it has none
            line = f"with torch.no_grad(): {line}"
        error = execute(line, names)
        if error is None or re.search(REFUSALS, str(error)):
            lines.append(line)
        if error is not None and lines and lines[-1] == line:
            return lines, names, error
    return lines, names, None


def finish(names, library):
    """All values, which of the tensors require grad, and the gradients of all that do."""
    tensors = {n: v for n, v in names.items() if isinstance(v, library.Tensor)}
    loss = sum((v * v + v).sum() for v in tensors.values() if v.requires_grad)
    loss.backward()
    grads = {n: tensors[n].grad for n in "xw"}
    return {n: v.detach().numpy().copy() for n, v in (tensors | grads).items() if v is not None} | {
        "tracked": {n: v.requires_grad for n, v in tensors.items()}
    }


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(300))
def test_random_programs_agree_with_pytorch(torch, seed):
    lines, theirs, error = program(torch, seed)
    ours = start(autograd, nn.functional)
    text = "\n".join(lines)
    for line in lines[: -1 if error else None]:
        if (problem := execute(line, ours)) is not None:  # memory that overlaps itself, where PyTorch does not look or only warns
            assert re.search("expanded memory|read-only memory", str(problem)), f"{text}\n{line}: {problem}"
            assert re.search(r"zero_|fill_|copy_|\[.*\] = ", line) or "unfold" in text, f"{text}\n{line}: {problem}"
            return
    if error is not None and "or another view of its base" in str(error):
        return  # one of several views, outdated by a write to its base: PyTorch refuses to look at it, here it is made anew
    if error is not None:
        if execute(lines[-1], ours) is None:  # a view that was made before its base required grad may be a "leaf" in PyTorch
            assert "leaf" in str(error), f"{text}\nis not refused, where PyTorch says {error}"
            assert all(ours[n].tolist() == start(autograd, None)[n].tolist() for n in "xw"), text
        return
    try:
        expected = finish(theirs, torch)
    except RuntimeError as what:
        if re.search("modified by an inplace operation|does not require grad|or another view of its base", str(what)):
            return  # a value that was saved and is lost: here it may have been kept
        raise
    found = finish(ours, autograd)
    assert found.pop("tracked") == expected.pop("tracked"), text
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-9, atol=1e-12, err_msg=f"{text}\n{name}")
