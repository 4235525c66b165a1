"""A polynomial fitted by gradient descent, with most imports that a PyTorch file begins with."""

import argparse
import math

import torch
import torch.backends.cudnn as cudnn
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.autograd import Variable
from torch.nn.parameter import Parameter
from torch.optim.lr_scheduler import StepLR

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=200)
args = parser.parse_args()

torch.manual_seed(0)
torch.cuda.manual_seed_all(0)
torch.set_num_threads(1)
torch.set_printoptions(precision=3)
torch.use_deterministic_algorithms(True)
cudnn.benchmark = False
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")


class Polynomial(nn.Module):
    def __init__(self, degree):
        super().__init__()
        self.weight = Parameter(torch.zeros(degree + 1))

    def forward(self, x):
        powers = torch.stack([x**k for k in range(len(self.weight))], dim=-1)
        return powers @ self.weight


x = torch.linspace(-1, 1, 101).to(device, non_blocking=True)
y = Variable(torch.sin(math.pi * x))
net = Polynomial(3).to(device)
optimizer = optim.Adam(net.parameters(), lr=0.1)
scheduler = StepLR(optimizer, step_size=100, gamma=0.5)
for _ in range(args.epochs):
    optimizer.zero_grad(set_to_none=True)
    loss = F.mse_loss(net(x), y)
    loss.backward()
    optimizer.step()
    scheduler.step()
print(f"loss {loss.item():.4f}")
print("odd" if net.weight[::2].abs().max() < 1e-3 else "not odd")
