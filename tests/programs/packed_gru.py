"""A classifier of sentences of unequal length: padding, packing, a bidirectional GRU, an embedding bag beside it."""

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence
from torch.utils.data import DataLoader
from torch.utils.data.dataset import Dataset

torch.manual_seed(0)


class Sentences(Dataset):
    def __init__(self, n):
        generator = torch.Generator().manual_seed(n)
        self.items = []
        for _ in range(n):
            length = int(torch.randint(2, 9, (1,), generator=generator))
            words = torch.randint(1, 10, (length,), generator=generator)
            self.items.append((words, int((words > 5).sum() * 2 > length)))

    def __getitem__(self, index):
        return self.items[index]

    def __len__(self):
        return len(self.items)


def collate_batch(batch):
    label_list, text_list, offsets = [], [], [0]
    for _text, _label in batch:
        label_list.append(_label)
        text_list.append(_text)
        offsets.append(_text.size(0))
    lengths = torch.tensor(offsets[1:], dtype=torch.int64)
    starts = torch.tensor(offsets[:-1]).cumsum(dim=0)
    return pad_sequence(text_list, batch_first=True), lengths, torch.cat(text_list), starts, torch.tensor(label_list)


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(10, 8, padding_idx=0)
        self.bag = nn.EmbeddingBag(10, 8, mode="mean")
        self.gru = nn.GRU(8, 16, num_layers=2, bidirectional=True, batch_first=True, dropout=0.1)
        self.fc = nn.Linear(40, 2)

    def forward(self, padded, lengths, flat, starts):
        packed = pack_padded_sequence(self.embedding(padded), lengths, batch_first=True, enforce_sorted=False)
        output, hidden = self.gru(packed)
        output, out_lengths = pad_packed_sequence(output, batch_first=True)
        assert torch.equal(out_lengths, lengths) and output.shape[:2] == padded.shape
        return self.fc(torch.cat((hidden[-2], hidden[-1], self.bag(flat, starts)), dim=1))


model = Classifier()
criterion = nn.CrossEntropyLoss(label_smoothing=0.05)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
for epoch in range(8):
    for padded, lengths, flat, starts, label in DataLoader(Sentences(200), batch_size=40, shuffle=True, collate_fn=collate_batch):
        optimizer.zero_grad()
        loss = criterion(model(padded, lengths, flat, starts), label)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
model.eval()
with torch.no_grad():
    padded, lengths, flat, starts, label = next(iter(DataLoader(Sentences(100), 100, collate_fn=collate_batch)))
    right = (model(padded, lengths, flat, starts).argmax(1) == label).float().mean()
print("right:", bool(right > 0.85), "padding is zero:", bool((model.embedding.weight[0] == 0).all()))
