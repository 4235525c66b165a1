"""LoRA: a frozen network, low-rank updates by parametrize, merged and taken away again."""

import math

import torch
import torch.nn as nn
import torch.nn.utils.parametrize as parametrize

_ = torch.manual_seed(0)


class LoRAParametrization(nn.Module):
    def __init__(self, features_in, features_out, rank=1, alpha=1, device="cpu"):
        super().__init__()
        self.lora_A = nn.Parameter(torch.zeros((rank, features_out)).to(device))
        self.lora_B = nn.Parameter(torch.zeros((features_in, rank)).to(device))
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))
        self.scale = alpha / rank
        self.enabled = True

    def forward(self, original_weights):
        if self.enabled:
            return original_weights + torch.matmul(self.lora_B, self.lora_A).view(original_weights.shape) * self.scale
        return original_weights


net = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1))
x = torch.randn(64, 8)
before = net(x).detach()
original = {name: p.detach().clone() for name, p in net.named_parameters()}
for layer in (net[0], net[2]):
    features_in, features_out = layer.weight.shape
    parametrize.register_parametrization(layer, "weight", LoRAParametrization(features_in, features_out))
for name, param in net.named_parameters():
    if "lora" not in name:
        param.requires_grad = False
assert torch.equal(net(x), before)
trainable = [p for p in net.parameters() if p.requires_grad]
optimizer = torch.optim.Adam(trainable, lr=0.02)
target = before + x[:, :1]
losses = []
for _ in range(200):
    loss = (net(x) - target).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
assert torch.equal(net[0].parametrizations.weight.original, original["0.weight"])
for layer in (net[0], net[2]):
    layer.parametrizations["weight"][0].enabled = False
restored = torch.equal(net(x), before)
for layer in (net[0], net[2]):
    layer.parametrizations["weight"][0].enabled = True
    parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)
merged = (net(x) - target).pow(2).mean().item()
print(
    "adapts:",
    losses[-1] < losses[0] / 2,
    "switches off:",
    restored,
    "merges:",
    abs(merged - losses[-1]) < 0.05,
    sum(p.numel() for p in trainable),
)
