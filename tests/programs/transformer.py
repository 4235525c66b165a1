"""A character model in the manner of minGPT, which learns to repeat a sentence."""

import math
from dataclasses import dataclass

import torch
import torch.nn as nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint
from torch.utils.data import Dataset
from torch.utils.data.dataloader import DataLoader

torch.manual_seed(0)
torch.set_float32_matmul_precision("high")
TEXT = "hello world, hello torch. " * 12


@dataclass
class Config:
    vocab: int
    block: int = 16
    embd: int = 32
    head: int = 4
    layer: int = 2


class Characters(Dataset):
    def __init__(self, text, block):
        self.chars = sorted(set(text))
        self.data = torch.tensor([self.chars.index(c) for c in text], dtype=torch.long)
        self.block = block

    def __len__(self):
        return len(self.data) - self.block

    def __getitem__(self, i):
        return self.data[i : i + self.block], self.data[i + 1 : i + self.block + 1]


class CausalSelfAttention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c_attn, self.c_proj, self.head = nn.Linear(c.embd, 3 * c.embd), nn.Linear(c.embd, c.embd), c.head
        self.register_buffer("bias", torch.tril(torch.ones(c.block, c.block)).view(1, 1, c.block, c.block))

    def forward(self, x):
        B, T, C = x.size()
        q, k, v = (t.view(B, T, self.head, C // self.head).transpose(1, 2) for t in self.c_attn(x).split(C, dim=2))
        att = (q @ k.transpose(-2, -1)) * (1.0 / math.sqrt(k.size(-1)))
        att = F.softmax(att.masked_fill(self.bias[:, :, :T, :T] == 0, float("-inf")), dim=-1)
        return self.c_proj((att @ v).transpose(1, 2).contiguous().view(B, T, C))


class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.ln_1, self.attn, self.ln_2 = nn.LayerNorm(c.embd), CausalSelfAttention(c), nn.LayerNorm(c.embd)
        self.mlp = nn.Sequential(nn.Linear(c.embd, 4 * c.embd), nn.GELU(), nn.Linear(4 * c.embd, c.embd))

    def forward(self, x):
        x = x + self.attn(self.ln_1(x))
        return x + checkpoint(lambda h: self.mlp(self.ln_2(h)), x, use_reentrant=False)


class GPT(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.transformer = nn.ModuleDict(
            dict(
                wte=nn.Embedding(c.vocab, c.embd),
                wpe=nn.Embedding(c.block, c.embd),
                h=nn.ModuleList([Block(c) for _ in range(c.layer)]),
                ln_f=nn.LayerNorm(c.embd),
            )
        )
        self.lm_head = nn.Linear(c.embd, c.vocab, bias=False)
        self.apply(self._init_weights)

    def _init_weights(self, module):
        if isinstance(module, (nn.Linear, nn.Embedding)):
            torch.nn.init.normal_(module.weight, mean=0.0, std=0.02)
            if isinstance(module, nn.Linear) and module.bias is not None:
                torch.nn.init.zeros_(module.bias)

    def forward(self, idx, targets=None):
        pos = torch.arange(0, idx.size(1), dtype=torch.long, device=idx.device).unsqueeze(0)
        x = self.transformer.wte(idx) + self.transformer.wpe(pos)
        for block in self.transformer.h:
            x = block(x)
        logits = self.lm_head(self.transformer.ln_f(x))
        loss = None if targets is None else F.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1), ignore_index=-1)
        return logits, loss


data = Characters(TEXT, 16)
model = nn.DataParallel(GPT(Config(len(data.chars)))) if torch.cuda.is_available() else GPT(Config(len(data.chars)))
groups = [
    {"params": [p for p in model.parameters() if p.dim() >= 2], "weight_decay": 0.1},
    {"params": [p for p in model.parameters() if p.dim() < 2], "weight_decay": 0.0},
]
optimizer = torch.optim.AdamW(groups, lr=3e-3, betas=(0.9, 0.95))
for epoch in range(8):
    for x, y in DataLoader(data, batch_size=16, shuffle=True, num_workers=0):
        logits, loss = model(x, y)
        model.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
model.eval()
idx = data.data[:16].unsqueeze(0)
with torch.no_grad():
    for _ in range(10):
        logits, _ = model(idx[:, -16:])
        idx = torch.cat((idx, torch.argmax(logits[:, -1, :], dim=-1, keepdim=True)), dim=1)
print("".join(data.chars[int(i)] for i in idx[0][-10:]) == TEXT[16:26])
