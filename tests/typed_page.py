"""A page of a user's code, which mypy reads strictly, as part of the checks: nothing in it may be inferred to be Any."""

from typing import assert_type

import autograd
import nn
import nn.functional as F
from nn import optim

t = autograd.tensor([1.0, 2.0], requires_grad=True)
x = autograd.exp(t)
assert_type(x, autograd.Tensor)
assert_type(t.sum(0), autograd.Tensor)
assert_type(-((2 * x + 1) ** 2) / x @ x, autograd.Tensor)
assert_type(x > 1, autograd.Tensor)
assert_type(x[0].relu_().view(1, 1).T, autograd.Tensor)
values, where = autograd.stack([x, x]).max(dim=1)
assert_type(where, autograd.Tensor)
assert_type(x.split(1), tuple[autograd.Tensor, ...])
assert_type(x.numel(), int)
assert_type(autograd.linalg.svd(autograd.ones(3, 2)).S, autograd.Tensor)
assert_type(autograd.allclose(x, x), bool)
assert_type(autograd.special.log_ndtr(x), autograd.Tensor)
(x * x).sum().backward()
assert_type(t.grad, autograd.Tensor | None)

layer = nn.Linear(2, 3)
assert_type(layer.weight, nn.Parameter)
assert_type(nn.ReLU(), nn.ReLU)
optimizer = optim.Adam(layer.parameters(), lr=1e-3)
loss = F.mse_loss(F.relu(F.linear(autograd.ones(4, 2), layer.weight, layer.bias)), autograd.zeros(4, 3))
assert_type(loss, autograd.Tensor)
optimizer.zero_grad()
loss.backward()
optimizer.step()
