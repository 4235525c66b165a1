"""U-Net: down, up, skips by concatenation, a Dice coefficient, mixed precision that may be off."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor, optim
from torch.utils.data import DataLoader, Dataset, random_split


class DoubleConv(nn.Module):
    """(convolution => [BN] => ReLU) * 2"""

    def __init__(self, in_channels, out_channels, mid_channels=None):
        super().__init__()
        if not mid_channels:
            mid_channels = out_channels
        self.double_conv = nn.Sequential(
            nn.Conv2d(in_channels, mid_channels, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(mid_channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(mid_channels, out_channels, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )

    def forward(self, x):
        return self.double_conv(x)


class Up(nn.Module):
    def __init__(self, in_channels, out_channels, bilinear=True):
        super().__init__()
        if bilinear:
            self.up = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
            self.conv = DoubleConv(in_channels + out_channels, out_channels, in_channels // 2)
        else:
            self.up = nn.ConvTranspose2d(in_channels, in_channels // 2, kernel_size=2, stride=2)
            self.conv = DoubleConv(in_channels, out_channels)

    def forward(self, x1, x2):
        x1 = self.up(x1)
        diffY = x2.size()[2] - x1.size()[2]
        diffX = x2.size()[3] - x1.size()[3]
        x1 = F.pad(x1, [diffX // 2, diffX - diffX // 2, diffY // 2, diffY - diffY // 2])
        return self.conv(torch.cat([x2, x1], dim=1))


class UNet(nn.Module):
    def __init__(self, bilinear):
        super().__init__()
        self.inc = DoubleConv(1, 4)
        self.down1 = nn.Sequential(nn.MaxPool2d(2), DoubleConv(4, 8))
        self.up1 = Up(8, 4, bilinear)
        self.outc = nn.Conv2d(4, 1, kernel_size=1)

    def forward(self, x):
        x1 = self.inc(x)
        return self.outc(self.up1(self.down1(x1), x1))


def dice_coeff(input: Tensor, target: Tensor, epsilon: float = 1e-6):
    assert input.size() == target.size()
    inter = 2 * (input * target).sum(dim=(-1, -2))
    sets_sum = input.sum(dim=(-1, -2)) + target.sum(dim=(-1, -2))
    sets_sum = torch.where(sets_sum == 0, inter, sets_sum)
    return ((inter + epsilon) / (sets_sum + epsilon)).mean()


class Squares(Dataset):
    def __len__(self):
        return 20

    def __getitem__(self, i):
        mask = torch.zeros(9, 9)
        mask[i % 5 : i % 5 + 4, i % 4 : i % 4 + 4] = 1
        return {"image": (mask + 0.2 * torch.randn(9, 9)).unsqueeze(0), "mask": mask}


torch.manual_seed(0)
train_set, val_set = random_split(Squares(), [16, 4], generator=torch.Generator().manual_seed(0))
train_loader = DataLoader(train_set, shuffle=True, batch_size=8, num_workers=0, pin_memory=False)
val_loader = DataLoader(val_set, shuffle=False, drop_last=True, batch_size=4)
for bilinear in (True, False):
    model = UNet(bilinear).to(memory_format=torch.channels_last)
    optimizer = optim.RMSprop(model.parameters(), lr=3e-3, weight_decay=1e-8, momentum=0.9, foreach=True)
    scheduler = optim.lr_scheduler.ReduceLROnPlateau(optimizer, "max", patience=5)
    grad_scaler = torch.cuda.amp.GradScaler(enabled=False)
    for epoch in range(20):
        model.train()
        for batch in train_loader:
            images, true_masks = batch["image"], batch["mask"]
            images = images.to(device="cpu", dtype=torch.float32, memory_format=torch.channels_last)
            with torch.autocast("cpu", enabled=False):
                masks_pred = model(images).squeeze(1)
                loss = F.binary_cross_entropy_with_logits(masks_pred, true_masks.float())
                loss += 1 - dice_coeff(torch.sigmoid(masks_pred), true_masks.float())
            optimizer.zero_grad(set_to_none=True)
            grad_scaler.scale(loss).backward()
            grad_scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            grad_scaler.step(optimizer)
            grad_scaler.update()
        model.eval()
        with torch.inference_mode():
            score = sum(dice_coeff((torch.sigmoid(model(b["image"]).squeeze(1)) > 0.5).float(), b["mask"]) for b in val_loader)
        scheduler.step(score)
    print(f"bilinear={bilinear}: finds the squares: {score > 0.8}")
