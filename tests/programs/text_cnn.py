"""TextCNN: convolutions of three widths over words, max over time, early stopping by a loader of its own."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.autograd import Variable
from torch.utils.data.dataloader import DataLoader


class CNN_Text(nn.Module):
    def __init__(self, vocab, dim, classes, kernels=(2, 3, 4), number=6, static=False):
        super(CNN_Text, self).__init__()
        self.static = static
        self.embed = nn.Embedding(vocab, dim)
        self.convs = nn.ModuleList([nn.Conv2d(1, number, (K, dim)) for K in kernels])
        self.dropout = nn.Dropout(0.2)
        self.fc1 = nn.Linear(len(kernels) * number, classes)
        if self.static:
            self.embed.weight.requires_grad = False

    def forward(self, x):
        x = self.embed(x)
        x = x.unsqueeze(1)
        x = [F.relu(conv(x)).squeeze(3) for conv in self.convs]
        x = [F.max_pool1d(i, i.size(2)).squeeze(2) for i in x]
        x = torch.cat(x, 1)
        x = self.dropout(x)
        return self.fc1(x)


torch.manual_seed(0)
texts = torch.randint(0, 12, (200, 8))
for i in range(200):
    if i % 2:
        at = int(torch.randint(0, 6, ()))
        texts[i, at : at + 2] = torch.LongTensor([3, 7])  # the phrase that counts
labels = torch.LongTensor([i % 2 for i in range(200)])
items = list(zip(texts, labels))
train_iter, dev_iter = DataLoader(items[:160], 32, shuffle=True), DataLoader(items[160:], 40)
model = CNN_Text(12, 8, 2)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
steps, best_acc, last_step = 0, 0, 0
model.train()
for epoch in range(1, 13):
    for feature, target in train_iter:
        feature, target = Variable(feature), Variable(target)
        optimizer.zero_grad()
        logit = model(feature)
        loss = F.cross_entropy(logit, target)
        loss.backward()
        optimizer.step()
        steps += 1
        corrects = (torch.max(logit, 1)[1].view(target.size()).data == target.data).sum()
        accuracy = 100.0 * corrects / feature.size(0)
    model.eval()
    for feature, target in dev_iter:
        logit = model(feature)
        dev_acc = 100.0 * (torch.max(logit, 1)[1] == target).sum().item() / target.size(0)
    model.train()
    if dev_acc > best_acc:
        best_acc, last_step = dev_acc, steps
    elif steps - last_step >= 40:
        break
print("finds the phrase:", best_acc > 85, loss.data.item() < 0.5, accuracy.item() > 80)
