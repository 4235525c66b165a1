"""Denoising diffusion of points: a schedule in buffers, sinusoidal times, an average of weights, sampling."""

import copy
import math

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import Adam


def exists(x):
    return x is not None


def extract(a, t, x_shape):
    b, *_ = t.shape
    out = a.gather(-1, t)
    return out.reshape(b, *((1,) * (len(x_shape) - 1)))


class SinusoidalPosEmb(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.dim = dim

    def forward(self, x):
        device = x.device
        half_dim = self.dim // 2
        emb = math.log(10000) / (half_dim - 1)
        emb = torch.exp(torch.arange(half_dim, device=device) * -emb)
        emb = x[:, None] * emb[None, :]
        return torch.cat((emb.sin(), emb.cos()), dim=-1)


class Model(nn.Module):
    def __init__(self, dim=64):
        super().__init__()
        self.time_mlp = nn.Sequential(SinusoidalPosEmb(16), nn.Linear(16, dim), nn.GELU(), nn.Linear(dim, dim))
        self.first = nn.Linear(2, dim)
        self.rest = nn.Sequential(nn.SiLU(), nn.Linear(dim, dim), nn.SiLU(), nn.Linear(dim, dim), nn.SiLU(), nn.Linear(dim, 2))

    def forward(self, x, time):
        return self.rest(self.first(x) + self.time_mlp(time))


class GaussianDiffusion(nn.Module):
    def __init__(self, model, timesteps=40):
        super().__init__()
        self.model = model
        betas = torch.linspace(1e-3, 0.2, timesteps, dtype=torch.float64)
        alphas = 1.0 - betas
        alphas_cumprod = torch.cumprod(alphas, dim=0)
        alphas_cumprod_prev = F.pad(alphas_cumprod[:-1], (1, 0), value=1.0)
        self.num_timesteps = int(betas.shape[0])
        register_buffer = lambda name, val: self.register_buffer(name, val.to(torch.float32))
        register_buffer("betas", betas)
        register_buffer("sqrt_alphas_cumprod", torch.sqrt(alphas_cumprod))
        register_buffer("sqrt_one_minus_alphas_cumprod", torch.sqrt(1.0 - alphas_cumprod))
        register_buffer("sqrt_recip_alphas", torch.sqrt(1.0 / alphas))
        register_buffer("posterior_variance", betas * (1.0 - alphas_cumprod_prev) / (1.0 - alphas_cumprod))

    def q_sample(self, x_start, t, noise=None):
        noise = noise if exists(noise) else torch.randn_like(x_start)
        return (
            extract(self.sqrt_alphas_cumprod, t, x_start.shape) * x_start
            + extract(self.sqrt_one_minus_alphas_cumprod, t, x_start.shape) * noise
        )

    @torch.inference_mode()
    def sample(self, n):
        x = torch.randn((n, 2), device=self.betas.device)
        for i in reversed(range(0, self.num_timesteps)):
            t = torch.full((n,), i, dtype=torch.long)
            noise = torch.randn_like(x) if i > 0 else 0.0
            predicted = self.model(x, t)
            factor = extract(self.betas, t, x.shape) / extract(self.sqrt_one_minus_alphas_cumprod, t, x.shape)
            x = extract(self.sqrt_recip_alphas, t, x.shape) * (x - factor * predicted)
            x = x + extract(self.posterior_variance, t, x.shape).sqrt() * noise
        return x

    def forward(self, x):
        t = torch.randint(0, self.num_timesteps, (x.shape[0],), device=x.device).long()
        noise = torch.randn_like(x)
        return F.mse_loss(self.model(self.q_sample(x, t, noise), t), noise, reduction="none").mean()


class EMA:
    def __init__(self, beta):
        self.beta = beta

    def update_model_average(self, ma_model, current_model):
        for current_params, ma_params in zip(current_model.parameters(), ma_model.parameters()):
            old_weight, up_weight = ma_params.data, current_params.data
            ma_params.data = old_weight * self.beta + (1 - self.beta) * up_weight


torch.manual_seed(0)
diffusion = GaussianDiffusion(Model())
ema, ema_model = EMA(0.98), copy.deepcopy(diffusion)
opt = Adam(diffusion.parameters(), lr=3e-3, betas=(0.9, 0.99))
for step in range(1200):
    angle = torch.rand(128) * 2 * math.pi
    loss = diffusion(torch.stack((angle.cos(), angle.sin()), dim=1))
    loss.backward()
    opt.step()
    opt.zero_grad()
    if step < 50:
        ema_model.load_state_dict(diffusion.state_dict())
    ema.update_model_average(ema_model, diffusion)
radius = ema_model.sample(200).norm(dim=1)
print("on the circle:", bool((radius - 1).abs().median() < 0.1), list(diffusion.state_dict())[:2])
