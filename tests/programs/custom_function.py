"""Functions, layers and hooks of one's own: autograd.Function, gradcheck, anomaly mode, checkpoint, hooks on tensors."""

import torch
import torch.nn as nn
from torch.autograd import Function, gradcheck
from torch.utils.checkpoint import checkpoint


class LinearFunction(Function):
    @staticmethod
    def forward(ctx, input, weight, bias=None):
        ctx.save_for_backward(input, weight, bias)
        output = input.mm(weight.t())
        if bias is not None:
            output += bias.unsqueeze(0).expand_as(output)
        return output

    @staticmethod
    def backward(ctx, grad_output):
        input, weight, bias = ctx.saved_tensors
        grad_input = grad_weight = grad_bias = None
        if ctx.needs_input_grad[0]:
            grad_input = grad_output.mm(weight)
        if ctx.needs_input_grad[1]:
            grad_weight = grad_output.t().mm(input)
        if bias is not None and ctx.needs_input_grad[2]:
            grad_bias = grad_output.sum(0)
        return grad_input, grad_weight, grad_bias


class Sign(Function):
    """A step forward, the identity backward."""

    @staticmethod
    def forward(ctx, x):
        return x.sign()

    @staticmethod
    def backward(ctx, g):
        return g.clamp(-1, 1)


class Binary(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(o, i))
        self.bias = nn.Parameter(torch.empty(o))
        nn.init.uniform_(self.weight, -0.5, 0.5)
        nn.init.uniform_(self.bias, -0.1, 0.1)

    def forward(self, x):
        return LinearFunction.apply(x, Sign.apply(self.weight), self.bias)

    def extra_repr(self):
        return "in_features={}, out_features={}, bias={}".format(
            self.weight.shape[1], self.weight.shape[0], self.bias is not None
        )


torch.manual_seed(0)
inputs = (torch.randn(5, 4, dtype=torch.double, requires_grad=True), torch.randn(3, 4, dtype=torch.double, requires_grad=True))
print(gradcheck(LinearFunction.apply, inputs, eps=1e-6, atol=1e-4), Binary(4, 2))
net = nn.Sequential(Binary(4, 8), nn.Tanh(), nn.Linear(8, 1))
x = torch.randn(50, 4, requires_grad=True)
y = (x.detach() * torch.tensor([1.0, -1.0, 1.0, -1.0])).sum(1, keepdim=True).sign()
norms = []
net[2].weight.register_hook(lambda grad: norms.append(grad.norm().item()) or grad * 0.5)
optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
first = None
for _ in range(80):
    optimizer.zero_grad()
    hidden = checkpoint(net[0], x, use_reentrant=False)
    hidden.retain_grad()
    loss = nn.functional.soft_margin_loss(net[2](net[1](hidden)), y)
    with torch.autograd.detect_anomaly(check_nan=True):
        loss.backward()
    optimizer.step()
    first = first or loss.item()
with torch.autograd.set_grad_enabled(False), torch.no_grad():
    quiet = net(x)
print(
    "learns:", loss.item() < 0.5 * first, len(norms), hidden.grad.shape == hidden.shape, quiet.requires_grad, x.grad is not None
)
