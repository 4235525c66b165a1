"""The FGSM tutorial with Grad-CAM beside it: attacks by the sign of the gradient, hooks on a layer."""

import torch
import torch.nn as nn
import torch.nn.functional as F

use_cuda = True
torch.manual_seed(42)
torch.use_deterministic_algorithms(True, warn_only=True)
device = torch.device("cuda" if use_cuda and torch.cuda.is_available() else "cpu")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, 6, 3, padding=1), nn.ReLU())
        self.pool = nn.AdaptiveAvgPool2d((2, 2))
        self.fc = nn.Linear(24, 2)

    def forward(self, x):
        return F.log_softmax(self.fc(self.pool(self.features(x)).flatten(1)), dim=1)


def fgsm_attack(image, epsilon, data_grad):
    sign_data_grad = data_grad.sign()
    perturbed_image = image + epsilon * sign_data_grad
    return torch.clamp(perturbed_image, 0, 1)


labels = torch.arange(40) % 2
images = torch.rand(40, 1, 8, 8) * 0.3
images[labels == 1, :, :4, :4] += 0.4
model = Net().to(device)
optimizer = torch.optim.Adam(model.parameters(), 2e-2)
for _ in range(60):
    optimizer.zero_grad()
    F.nll_loss(model(images), labels).backward()
    optimizer.step()
model.eval()
accuracies = []
for eps in [0, 0.1, 0.3]:
    correct = 0
    for data, target in zip(images.split(1), labels.split(1)):
        data, target = data.to(device), target.to(device)
        data = data.clone()
        data.requires_grad = True
        output = model(data)
        loss = F.nll_loss(output, target)
        model.zero_grad()
        loss.backward()
        data_grad = data.grad.data
        final_pred = model(fgsm_attack(data, eps, data_grad)).max(1, keepdim=True)[1]
        correct += final_pred.item() == target.item()
    accuracies.append(correct / float(len(images)))

activation, gradient = {}, {}
layer = model.features[2]
handles = [
    layer.register_forward_hook(lambda module, args, output: activation.update(value=output.detach())),
    layer.register_full_backward_hook(lambda module, grad_input, grad_output: gradient.update(value=grad_output[0].detach())),
]
output = model(images[1:2])
model.zero_grad()
output[0, 1].backward()
for handle in handles:
    handle.remove()
weights = gradient["value"].mean(dim=(2, 3), keepdim=True)
cam = F.relu((weights * activation["value"]).sum(1))
cam = F.interpolate(cam.unsqueeze(1), size=(16, 16), mode="bilinear", align_corners=False)
print("right:", accuracies[0] > 0.9, "fooled:", accuracies[2] < accuracies[0] - 0.3, tuple(cam.shape), bool((cam >= 0).all()))
