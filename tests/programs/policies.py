"""Policies by torch.distributions: an actor and a critic learn a bandit, a squashed Gaussian finds a point, a mixture is fitted."""

import torch
import torch.nn as nn
import torch.optim as optim
from torch.distributions import Independent, MixtureSameFamily, Normal, TransformedDistribution, kl_divergence
from torch.distributions.categorical import Categorical
from torch.distributions.transforms import TanhTransform

torch.manual_seed(0)


class Agent(nn.Module):
    def __init__(self):
        super().__init__()
        self.actor = nn.Sequential(nn.Linear(3, 32), nn.Tanh(), nn.Linear(32, 3))
        self.critic = nn.Sequential(nn.Linear(3, 32), nn.Tanh(), nn.Linear(32, 1))

    def act(self, state, action=None):
        policy = Categorical(logits=self.actor(state))
        action = policy.sample() if action is None else action
        return action, policy.log_prob(action), policy.entropy(), self.critic(state).squeeze(-1)


agent = Agent()
optimizer = optim.Adam(agent.parameters(), lr=0.01)
for step in range(150):
    wanted = torch.randint(0, 3, (64,))
    state = torch.nn.functional.one_hot(wanted, 3).float()
    with torch.no_grad():
        action, old, _, value = agent.act(state)
    reward = (action == wanted).float()
    for epoch in range(2):
        _, new, entropy, value = agent.act(state, action)
        advantage = (reward - value).detach()
        ratio = (new - old).exp()
        surrogate = -torch.min(advantage * ratio, advantage * torch.clamp(ratio, 0.8, 1.2)).mean()
        loss = surrogate + 0.5 * (value - reward).pow(2).mean() - 0.01 * entropy.mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(agent.parameters(), 0.5)
        optimizer.step()
print(
    "chooses well"
    if (agent.act(torch.eye(3).repeat(100, 1))[0] == torch.arange(3).repeat(100)).float().mean() > 0.9
    else "guesses"
)

loc, log_scale = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(2))
optimizer = optim.Adam([loc, log_scale], lr=0.05)
for step in range(200):
    policy = TransformedDistribution(Independent(Normal(loc, log_scale.exp()), 1), [TanhTransform(cache_size=1)])
    action = policy.rsample((64,))
    loss = ((action - torch.tensor([0.5, -0.5])) ** 2).sum(-1).mean() + 0.01 * policy.log_prob(action).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print([round(2 * x) for x in torch.tanh(loc).tolist()])

data = torch.cat([Normal(-2.0, 0.5).sample((300,)), Normal(2.0, 0.5).sample((300,))])
logits, means = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.tensor([-0.5, 0.5]))
optimizer = optim.Adam([logits, means], lr=0.05)
for step in range(150):
    loss = -MixtureSameFamily(Categorical(logits=logits), Normal(means, torch.full((2,), 0.5))).log_prob(data).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print([round(x) for x in means.tolist()])
print(f"{kl_divergence(Normal(0.0, 1.0), Normal(1.0, 2.0)):.4f}", Independent(Normal(torch.zeros(2), 1.0), 1).event_shape[0])
