"""Training in few verbs: `fit`, `evaluate` and `predict`, and callbacks that watch, save and stop.

They are plain functions of an ordinary model, loss, optimizer and batches, and none of these has to know of them: a loop
written by hand, or half of one, goes with them just as well.

>>> import autograd, nn
>>> _ = autograd.manual_seed(0)
>>> x = autograd.randn(64, 2)
>>> batches = nn.utils.data.DataLoader(nn.utils.data.TensorDataset(x, (x[:, 0] * x[:, 1] > 0).long()), 16, shuffle=True)
>>> net = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 2))
>>> optimizer = nn.optim.Adam(net.parameters(), lr=0.05)
>>> history = nn.train.fit(net, nn.CrossEntropyLoss(), optimizer, batches, epochs=20, metrics=[nn.metrics.accuracy])
>>> history["loss"][-1] < history["loss"][0], history["accuracy"][-1] > 0.9
(True, True)
>>> sorted(nn.train.evaluate(net, nn.CrossEntropyLoss(), batches))
['loss']
>>> nn.train.predict(net, x).shape
(64, 2)
"""

from .callbacks import *
from .doctor import *
from .loop import *
from .measure import *
from .writers import *
