"""An autoencoder squeezes digits through four numbers, and beats PCA, which is the best that straight lines can do.

    python demos/45_autoencoder.py [--quick] [--seed 0] [--out pictures]

Claim: through four numbers, an autoencoder brings unseen digits back with at most 3/4 of the squared error of PCA; another one,
trained to remove noise, leaves at most 1/3 of the error of unseen noisy digits.

demos/04_vae.py goes on from here: there a code is a distribution, and digits can be drawn from it.
Source: Hinton and Salakhutdinov, Reducing the dimensionality of data with neural networks, 2006; Vincent et al., Extracting and
composing robust features with denoising autoencoders, 2008.
"""

import math

import nn
import nn.functional as F
from autograd import linalg, manual_seed, randn_like
from nn import optim
from nn.datasets import digits
from nn.train import fit, predict
from nn.utils.data import DataLoader, TensorDataset

from common import arguments, claim, panels, save


def autoencoder(code):
    """64 pixels, fewer and fewer units, `code` numbers, and back."""
    return nn.Sequential(
        nn.Sequential(nn.Linear(64, 128), nn.GELU(), nn.Linear(128, 64), nn.GELU(), nn.Linear(64, code)),
        nn.Sequential(nn.Linear(code, 64), nn.GELU(), nn.Linear(64, 128), nn.GELU(), nn.Linear(128, 64), nn.Sigmoid()),
    )


def trained(model, given, wanted, epochs):
    optimizer = optim.AdamW(model.parameters(), lr=4e-3)
    data = DataLoader(TensorDataset(given, wanted), 64, shuffle=True)
    schedule = optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, epochs * math.ceil(len(given) / 64))
    fit(model, F.mse_loss, optimizer, data, epochs, scheduler=schedule, schedule="step", verbose=False)
    return model


def principal_components(x, code):
    """What is left of a picture along the `code` directions in which `x` varies most."""
    middle = x.mean(0)
    directions = linalg.svd(x - middle, full_matrices=False)[2][:code]
    return lambda y: (y - middle) @ directions.T @ directions + middle


def noisy(x):
    return x + 0.4 * randn_like(x)


def draw(rows, path):
    """Ten digits, and what becomes of them."""
    figure, axes = panels(10, len(rows), 0.95, 1.0)
    for i, (name, images) in enumerate(rows.items()):
        for ax, image in zip(axes[10 * i :], images[:10], strict=False):
            ax.imshow(image.reshape(8, 8).numpy(), cmap="gray_r", vmin=0, vmax=1)
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set_color("#cbd5e1")
        axes[10 * i].set_ylabel(name, rotation=0, ha="right", va="center", labelpad=10)
    save(figure, path)


def main():
    options = arguments(__doc__)
    manual_seed(options.seed)
    train_set, test_set = digits()
    x, unseen = (part.tensors[0].flatten(1) for part in (train_set, test_set))
    epochs = 40 if options.quick else 200

    squeezed = predict(trained(autoencoder(4), x, x, epochs), unseen)
    pca = principal_components(x, 4)(unseen)
    copies = x.repeat(8, 1)  # each with noise of its own
    spoilt = noisy(unseen)
    cleaned = predict(trained(autoencoder(32), noisy(copies), copies, epochs // 8), spoilt)

    rows = {"digit": unseen, "PCA": pca, "autoencoder": squeezed, "with noise": spoilt, "cleaned": cleaned}
    errors = {name: F.mse_loss(images, unseen).item() for name, images in rows.items()}
    for name, error in errors.items():
        print(f"{name:12} squared error per pixel {error:.4f}")
    draw(rows, options.out / "autoencoder.png")
    against, left = errors["autoencoder"] / errors["PCA"], errors["cleaned"] / errors["with noise"]
    claim(
        against <= (0.9 if options.quick else 0.75) and left <= 1 / 3,
        f"through four numbers the autoencoder leaves {against:.0%} of the error of PCA; of noise, {left:.0%} is left",
    )


if __name__ == "__main__":
    main()
