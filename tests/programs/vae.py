"""A small variational autoencoder, with autocast, a gradient scaler and a data loader."""

import torch
from torch import nn, optim
from torch.cuda.amp import GradScaler
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(1)


class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.encode = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
        self.decode = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 8), nn.Sigmoid())

    def reparameterize(self, mu, logvar):
        std = torch.exp(0.5 * logvar)
        return mu + torch.randn_like(std) * std

    def forward(self, x):
        mu, logvar = self.encode(x.view(-1, 8)).chunk(2, dim=1)
        return self.decode(self.reparameterize(mu, logvar)), mu, logvar


def loss_function(recon, x, mu, logvar):
    bce = F.binary_cross_entropy(recon, x.view(-1, 8), reduction="sum")
    return bce - 0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())


data = (torch.rand(256, 8) > 0.5).float()
data[:, 4:] = data[:, :4]
loader = DataLoader(TensorDataset(data), batch_size=32, shuffle=True, pin_memory=False)
model = torch.compile(VAE(), backend="eager") if hasattr(torch, "compile") else VAE()
optimizer = optim.AdamW(model.parameters(), lr=1e-2)
scaler = GradScaler(enabled=False)
first = last = None
for epoch in range(30):
    total = 0.0
    for (x,) in loader:
        optimizer.zero_grad()
        with torch.autocast(device_type="cpu", enabled=False):
            recon, mu, logvar = model(x)
            loss = loss_function(recon, x, mu, logvar)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 100.0)
        scaler.step(optimizer)
        scaler.update()
        total += loss.item()
    first, last = first if first is not None else total, total
print("learns" if last < 0.9 * first else "does not learn")
