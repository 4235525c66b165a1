"""torch.func: per-sample gradients, ensembles, Jacobians and Hessian-vector products of a network without state."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.func import functional_call, grad, hessian, jacfwd, jacrev, jvp, stack_module_state, vjp, vmap

torch.manual_seed(0)


class SimpleCNN(nn.Module):
    def __init__(self):
        super(SimpleCNN, self).__init__()
        self.conv1 = nn.Conv2d(1, 4, 3, 1)
        self.fc1 = nn.Linear(4 * 9, 10)

    def forward(self, x):
        x = F.relu(self.conv1(x))
        x = F.max_pool2d(x, 2)
        x = torch.flatten(x, 1)
        return F.log_softmax(self.fc1(x), dim=1)


def loss_fn(predictions, targets):
    return F.nll_loss(predictions, targets)


data, targets = torch.randn(6, 1, 8, 8), torch.randint(10, (6,))
model = SimpleCNN()
params = {k: v.detach() for k, v in model.named_parameters()}
buffers = {k: v.detach() for k, v in model.named_buffers()}


def compute_loss(params, buffers, sample, target):
    batch = sample.unsqueeze(0)
    targets = target.unsqueeze(0)
    predictions = functional_call(model, (params, buffers), (batch,))
    return loss_fn(predictions, targets)


ft_compute_sample_grad = vmap(grad(compute_loss), in_dims=(None, None, 0, 0))
per_sample = ft_compute_sample_grad(params, buffers, data, targets)
slow = []
for i in range(6):
    loss = loss_fn(model(data[i : i + 1]), targets[i : i + 1])
    slow.append(torch.autograd.grad(loss, list(model.parameters())))
for j, name in enumerate(params):
    assert torch.allclose(per_sample[name], torch.stack([s[j] for s in slow]), atol=1e-5), name

models = [nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2)) for _ in range(4)]
stacked, stacked_buffers = stack_module_state(models)
base = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2)).to("cpu")
x = torch.randn(7, 3)
together = vmap(lambda p, b, x: functional_call(base, (p, b), (x,)), in_dims=(0, 0, None))(stacked, stacked_buffers, x)
assert torch.allclose(together, torch.stack([m(x) for m in models]), atol=1e-6)

weight, bias, point = torch.randn(4, 3), torch.randn(4), torch.randn(3)
predict = lambda weight, bias, x: F.linear(x, weight, bias).tanh()
jacobian, forward = jacrev(predict, argnums=2)(weight, bias, point), jacfwd(predict, argnums=2)(weight, bias, point)
assert torch.allclose(jacobian, forward, atol=1e-6)
energy = lambda x: (x**4).sum() / 12
assert torch.allclose(hessian(energy)(point), torch.diag(point**2), atol=1e-6)
_, pushed = jvp(grad(energy), (point,), (torch.ones(3),))
value, pull = vjp(lambda x: predict(weight, bias, x), point)
print(torch.allclose(pushed, point**2, atol=1e-6), tuple(pull(torch.ones(4))[0].shape), tuple(vmap(torch.dot)(x, x).shape))
