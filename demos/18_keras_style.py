"""A Keras program in our terms: layers without input sizes, compile, fit, evaluate.

Claim: the model of lazy layers learns its input sizes from the first batch, and reads at least 95 % of 360 digits that it has
never seen.

Keras' `compile` names what `fit` is to use: here these are arguments of `nn.train.fit`, so that a class of ten lines makes one
out of the other. Dense(64, activation="relu") is LazyLinear(64) and ReLU(); the softmax is part of the loss.
"""

import nn
from autograd import manual_seed
from nn import optim
from nn.datasets import digits
from nn.utils.data import DataLoader

from common import arguments, claim, panels, save


class Model(nn.Sequential):
    """A Sequential with Keras' three verbs, which hand on to nn.train's."""

    def compile(self, optimizer, loss, metrics):
        self.chosen = optimizer, loss, metrics

    def fit(self, dataset, epochs, batch_size=32, validation_data=None):
        make_optimizer, loss, metrics = self.chosen
        batches = DataLoader(dataset, batch_size, shuffle=True)
        self(dataset[:1][0])  # the lazy layers see one example, and get their weights
        return nn.train.fit(
            self,
            loss,
            make_optimizer(self.parameters()),
            batches,
            epochs,
            validation=DataLoader(validation_data, 500),
            metrics=metrics,
        )

    def evaluate(self, dataset):
        _, loss, metrics = self.chosen
        return nn.train.evaluate(self, loss, DataLoader(dataset, 500), metrics=metrics)


def main():
    options = arguments(__doc__)
    manual_seed(options.seed)
    train_set, test_set = digits()
    model = Model(
        nn.Flatten(),
        nn.LazyLinear(64),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.LazyLinear(10),
    )
    model.compile(lambda parameters: optim.Adam(parameters, lr=0.003), nn.CrossEntropyLoss(), [nn.metrics.accuracy])
    history = model.fit(train_set, epochs=6 if options.quick else 20, validation_data=test_set)
    print(nn.summary(model, test_set.tensors[0][:1]))
    scores = model.evaluate(test_set)
    print({name: round(float(value), 4) for name, value in scores.items()})

    figure, axes = panels(2)
    for ax, name in zip(axes, ("loss", "accuracy"), strict=True):
        ax.plot(history[name], label="training, with dropout")
        ax.plot(history[f"val_{name}"], label="validation")
        ax.set(title=name, xlabel="epoch")
    axes[0].legend(frameon=False)
    save(figure, options.out / "keras_style.png")
    claim(scores["accuracy"] >= 0.95, f"the model of lazy layers reads {scores['accuracy']:.1%} of the digits")


if __name__ == "__main__":
    main()
