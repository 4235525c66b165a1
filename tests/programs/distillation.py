"""Knowledge distillation, then sharpness-aware steps and averaged weights: wrappers around optimizers and models."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.optim.swa_utils import SWALR, AveragedModel, update_bn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)


class SAM(torch.optim.Optimizer):
    def __init__(self, params, base_optimizer, rho=0.05, **kwargs):
        assert rho >= 0.0, f"Invalid rho, should be non-negative: {rho}"
        defaults = dict(rho=rho, **kwargs)
        super(SAM, self).__init__(params, defaults)
        self.base_optimizer = base_optimizer(self.param_groups, **kwargs)
        self.param_groups = self.base_optimizer.param_groups
        self.defaults.update(self.base_optimizer.defaults)

    @torch.no_grad()
    def first_step(self, zero_grad=False):
        grad_norm = self._grad_norm()
        for group in self.param_groups:
            scale = group["rho"] / (grad_norm + 1e-12)
            for p in group["params"]:
                if p.grad is None:
                    continue
                self.state[p]["old_p"] = p.data.clone()
                e_w = p.grad * scale.to(p)
                p.add_(e_w)
        if zero_grad:
            self.zero_grad()

    @torch.no_grad()
    def second_step(self, zero_grad=False):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                p.data = self.state[p]["old_p"]
        self.base_optimizer.step()
        if zero_grad:
            self.zero_grad()

    def _grad_norm(self):
        shared_device = self.param_groups[0]["params"][0].device
        norms = [p.grad.norm(p=2).to(shared_device) for group in self.param_groups for p in group["params"] if p.grad is not None]
        return torch.norm(torch.stack(norms), p=2)


def loss_fn_kd(outputs, labels, teacher_outputs, alpha=0.9, T=4.0):
    soft = nn.KLDivLoss(reduction="batchmean")(F.log_softmax(outputs / T, dim=1), F.softmax(teacher_outputs / T, dim=1))
    return soft * (alpha * T * T) + F.cross_entropy(outputs, labels) * (1.0 - alpha)


x = torch.randn(300, 4)
y = (x[:, 0] * x[:, 1] > 0).long()
loader = DataLoader(TensorDataset(x, y), batch_size=50, shuffle=True)
teacher = nn.Sequential(nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 2))
optimizer = torch.optim.Adam(teacher.parameters(), lr=1e-2)
for epoch in range(20):
    for data, labels in loader:
        optimizer.zero_grad()
        F.cross_entropy(teacher(data), labels).backward()
        optimizer.step()
teacher.eval()
student = nn.Sequential(nn.Linear(4, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 2))
sam = SAM(student.parameters(), torch.optim.SGD, lr=0.05, momentum=0.9)
averaged = AveragedModel(student)
swa_scheduler = SWALR(sam.base_optimizer, swa_lr=0.05, anneal_epochs=2)
for epoch in range(25):
    student.train()
    for data, labels in loader:
        with torch.no_grad():
            teacher_outputs = teacher(data)
        loss_fn_kd(student(data), labels, teacher_outputs).backward()
        sam.first_step(zero_grad=True)
        loss_fn_kd(student(data), labels, teacher_outputs).backward()
        sam.second_step(zero_grad=True)
    if epoch > 15:
        averaged.update_parameters(student)
        swa_scheduler.step()
update_bn(loader, averaged)
averaged.eval()
print("the student learned:", bool((averaged(x).argmax(1) == y).float().mean() > 0.9), "of", int(averaged.n_averaged), "averages")
