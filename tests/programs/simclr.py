"""SimCLR's loss and loop: two views of each item, a temperature, masks, top-1, half precision that is off."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.cuda.amp import GradScaler, autocast

torch.manual_seed(0)


class ContrastiveLearningViewGenerator(object):
    def __init__(self, base_transform, n_views=2):
        self.base_transform = base_transform
        self.n_views = n_views

    def __call__(self, x):
        return [self.base_transform(x) for i in range(self.n_views)]


class SimCLR(object):
    def __init__(self, model, optimizer, scheduler, temperature=0.5, fp16_precision=False):
        self.model, self.optimizer, self.scheduler = model, optimizer, scheduler
        self.temperature, self.fp16_precision = temperature, fp16_precision
        self.criterion = torch.nn.CrossEntropyLoss()

    def info_nce_loss(self, features):
        n = features.shape[0] // 2
        labels = torch.cat([torch.arange(n) for i in range(2)], dim=0)
        labels = (labels.unsqueeze(0) == labels.unsqueeze(1)).float()
        features = F.normalize(features, dim=1)
        similarity_matrix = torch.matmul(features, features.T)
        mask = torch.eye(labels.shape[0], dtype=torch.bool)
        labels = labels[~mask].view(labels.shape[0], -1)
        similarity_matrix = similarity_matrix[~mask].view(similarity_matrix.shape[0], -1)
        positives = similarity_matrix[labels.bool()].view(labels.shape[0], -1)
        negatives = similarity_matrix[~labels.bool()].view(similarity_matrix.shape[0], -1)
        logits = torch.cat([positives, negatives], dim=1)
        labels = torch.zeros(logits.shape[0], dtype=torch.long)
        return logits / self.temperature, labels

    def train(self, data, epochs):
        scaler = GradScaler(enabled=self.fp16_precision)
        tops = []
        for epoch in range(epochs):
            images = torch.cat(ContrastiveLearningViewGenerator(lambda x: x + 0.2 * torch.randn_like(x))(data), dim=0)
            with autocast(enabled=self.fp16_precision):
                logits, labels = self.info_nce_loss(self.model(images))
                loss = self.criterion(logits, labels)
            self.optimizer.zero_grad()
            scaler.scale(loss).backward()
            scaler.step(self.optimizer)
            scaler.update()
            with torch.no_grad():
                _, pred = logits.topk(1, 1, True, True)
                tops.append(
                    pred.t().eq(labels.view(1, -1).expand_as(pred.t()))[:1].reshape(-1).float().sum(0).item() / len(labels)
                )
            if epoch >= 10:
                self.scheduler.step()
        return tops


model = nn.Sequential(nn.Linear(10, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 8))
optimizer = torch.optim.Adam(model.parameters(), 3e-3, weight_decay=1e-4)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=40, eta_min=0, last_epoch=-1)
tops = SimCLR(model, optimizer, scheduler).train(torch.randn(24, 10), 50)
print("recognises its other view:", sum(tops[-5:]) / 5 > 0.8, f"lr {optimizer.param_groups[0]['lr']:.1e}")
