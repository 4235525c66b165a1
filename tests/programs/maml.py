"""MAML on sine waves: inner steps by grad with create_graph, an outer optimizer through them."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(0)


class Learner(nn.Module):
    def __init__(self):
        super().__init__()
        self.vars = nn.ParameterList()
        for fan_in, fan_out in ((1, 24), (24, 24), (24, 1)):
            w = nn.Parameter(torch.ones(fan_out, fan_in))
            torch.nn.init.kaiming_normal_(w)
            self.vars.append(w)
            self.vars.append(nn.Parameter(torch.zeros(fan_out)))

    def forward(self, x, vars=None):
        if vars is None:
            vars = self.vars
        for i in range(0, len(vars), 2):
            x = F.linear(x, vars[i], vars[i + 1])
            if i + 2 < len(vars):
                x = F.relu(x, inplace=True)
        return x

    def parameters(self, recurse=True):
        return self.vars


def task():
    amplitude, phase = 0.5 + torch.rand(()) * 2, torch.rand(()) * math.pi
    x = torch.rand(20, 1) * 6 - 3
    y = amplitude * torch.sin(x + phase)
    return x[:10], y[:10], x[10:], y[10:]


net = Learner()
meta_optim = torch.optim.Adam(net.parameters(), lr=5e-3)
update_lr, history = 0.05, []
for iteration in range(150):
    losses = 0
    for _ in range(4):
        x_spt, y_spt, x_qry, y_qry = task()
        fast = list(net.parameters())
        for k in range(2):
            loss = F.mse_loss(net(x_spt, fast), y_spt)
            grad = torch.autograd.grad(loss, fast, create_graph=True)
            fast = list(map(lambda p: p[1] - update_lr * p[0], zip(grad, fast)))
        losses = losses + F.mse_loss(net(x_qry, fast), y_qry)
    meta_optim.zero_grad()
    (losses / 4).backward()
    torch.nn.utils.clip_grad_norm_(net.parameters(), 10)
    meta_optim.step()
    history.append(losses.item() / 4)
print("adapts better:", sum(history[-20:]) < 0.7 * sum(history[:20]), len(list(net.named_parameters())))
