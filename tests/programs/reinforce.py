"""REINFORCE on a walk of five steps, with a policy that samples by multinomial and a functional gradient for good measure."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.func import functional_call, grad, vmap

torch.manual_seed(3)
torch.set_default_dtype(torch.float64)
policy = nn.Sequential(nn.Linear(1, 16), nn.Tanh(), nn.Linear(16, 2))
optimizer = torch.optim.RMSprop(policy.parameters(), lr=1e-2)
baseline = 0.0
for episode in range(150):
    position, log_probs, total = torch.zeros(1), [], 0.0
    for _ in range(5):
        probs = F.softmax(policy(position), dim=-1)
        action = torch.multinomial(probs, 1).item()
        log_probs.append(torch.log(probs[action]))
        position = position + (1.0 if action else -1.0)
        total += position.item()
    loss = -(total - baseline) * torch.stack(log_probs).sum()
    baseline = 0.9 * baseline + 0.1 * total
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
right = F.softmax(policy(torch.zeros(1)), dim=-1)[1].item()
print("walks right" if right > 0.8 else "does not")

params = {k: v.detach() for k, v in policy.named_parameters()}
per_sample = vmap(grad(lambda p, x: functional_call(policy, p, (x,)).sum()), in_dims=(None, 0))(params, torch.ones(3, 1))
print(sorted((k, tuple(v.shape)) for k, v in per_sample.items()))
