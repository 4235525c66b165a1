"""Tiny NeRF: positional encoding, rays, volume rendering by cumprod, learning one view."""

import torch
import torch.nn as nn

torch.manual_seed(2)


def positional_encoding(tensor, num_encoding_functions=4, include_input=True, log_sampling=True):
    encoding = [tensor] if include_input else []
    if log_sampling:
        frequency_bands = 2.0 ** torch.linspace(
            0.0, num_encoding_functions - 1, num_encoding_functions, dtype=tensor.dtype, device=tensor.device
        )
    else:
        frequency_bands = torch.linspace(2.0**0.0, 2.0 ** (num_encoding_functions - 1), num_encoding_functions)
    for freq in frequency_bands:
        for func in [torch.sin, torch.cos]:
            encoding.append(func(tensor * freq))
    return encoding[0] if len(encoding) == 1 else torch.cat(encoding, dim=-1)


def cumprod_exclusive(tensor):
    cumprod = torch.cumprod(tensor, -1)
    cumprod = torch.roll(cumprod, 1, -1)
    cumprod[..., 0] = 1.0
    return cumprod


def meshgrid_xy(tensor1, tensor2):
    ii, jj = torch.meshgrid(tensor1, tensor2, indexing="ij")
    return ii.transpose(-1, -2), jj.transpose(-1, -2)


def get_ray_bundle(height, width, focal_length, tform_cam2world):
    ii, jj = meshgrid_xy(torch.arange(width).to(tform_cam2world), torch.arange(height).to(tform_cam2world))
    directions = torch.stack(
        [(ii - width * 0.5) / focal_length, -(jj - height * 0.5) / focal_length, -torch.ones_like(ii)], dim=-1
    )
    ray_directions = torch.sum(directions[..., None, :] * tform_cam2world[:3, :3], dim=-1)
    ray_origins = tform_cam2world[:3, -1].expand(ray_directions.shape)
    return ray_origins, ray_directions


def render(model, ray_origins, ray_directions, near=2.0, far=6.0, num_samples=8):
    depth_values = torch.linspace(near, far, num_samples).to(ray_origins)
    depth_values = depth_values + torch.rand(list(ray_origins.shape[:-1]) + [num_samples]) * (far - near) / num_samples
    query_points = ray_origins[..., None, :] + ray_directions[..., None, :] * depth_values[..., :, None]
    radiance_field = model(positional_encoding(query_points.reshape((-1, 3))))
    radiance_field = torch.reshape(radiance_field, list(query_points.shape[:-1]) + [radiance_field.shape[-1]])
    sigma_a = torch.nn.functional.relu(radiance_field[..., 3])
    rgb = torch.sigmoid(radiance_field[..., :3])
    one_e_10 = torch.tensor([1e10], dtype=ray_origins.dtype, device=ray_origins.device)
    dists = torch.cat((depth_values[..., 1:] - depth_values[..., :-1], one_e_10.expand(depth_values[..., :1].shape)), dim=-1)
    alpha = 1.0 - torch.exp(-sigma_a * dists)
    weights = alpha * cumprod_exclusive(1.0 - alpha + 1e-10)
    return (weights[..., None] * rgb).sum(dim=-2), (weights * depth_values).sum(dim=-1), weights.sum(-1)


model = nn.Sequential(nn.Linear(3 + 3 * 2 * 4, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 4))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
pose = torch.eye(4)
pose[2, 3] = 4.0
rows, columns = torch.meshgrid(torch.arange(8.0), torch.arange(8.0), indexing="ij")
target = torch.stack([(rows - 3.5) ** 2 + (columns - 3.5) ** 2 < 9] * 3, dim=-1).float() * torch.tensor([0.9, 0.4, 0.1])
losses = []
for i in range(150):
    rgb, depth, acc = render(model, *get_ray_bundle(8, 8, 8.0, pose))
    loss = torch.nn.functional.mse_loss(rgb, target)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    losses.append(loss.item())
psnr = -10.0 * torch.log10(torch.tensor(sum(losses[-10:]) / 10))
print(tuple(rgb.shape), tuple(depth.shape), "psnr above 15:", psnr.item() > 15)
