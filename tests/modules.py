"""A record for each module: how it is made, what it takes, and what it refuses; test_nn_modules.py tests them all alike."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from nn.lazy import __all__ as LAZY


class Ints(NamedTuple):
    """An array of integers from 0 to high - 1."""

    shape: tuple
    high: int


class Places(NamedTuple):
    """An array of integers from 0 to high - 1, those of one image and channel all different."""

    shape: tuple
    high: int


class Signs(NamedTuple):
    """An array of -1 and 1, integers."""

    shape: tuple


@dataclass(frozen=True)
class Layer:
    """How to test a module: nn.<name>(*args, **kwargs) called with inputs of these shapes."""

    name: str
    args: tuple = ()
    inputs: tuple = ((2, 3),)  # of each argument the shape, or Ints; None for None
    wrong: tuple = None  # inputs that do not fit; None if any shape does
    kwargs: dict = field(default_factory=dict)
    away: tuple = ()  # numbers that inputs keep away from: there is a kink
    random: bool = False  # is it in training?
    exact: bool = True  # is the gradient the derivative?
    close: float = 1e-8  # how close PyTorch's gradients are
    pytorch: bool = True  # has PyTorch this module?

    @property
    def label(self):
        shown = [*map(repr, self.args), *(f"{k}={v!r}" for k, v in self.kwargs.items())]
        return f"{self.name}({', '.join(shown)})".replace(" ", "")

    def make(self, nn, dtype):
        """The module, of either library."""
        kwargs = {
            k: make(nn, dtype) if isinstance(v, Layer) else v
            for k, v in self.kwargs.items()
            for make in [getattr(v, "make", None)]
        }
        module = getattr(nn, self.name)(*(a.make(nn, dtype) if isinstance(a, Layer) else a for a in self.args), **kwargs)
        return module.to(dtype)

    def draw(self, inputs=None, seed=0):
        """Arrays to call it with."""
        rng = np.random.default_rng(seed)

        def array(spec):
            if spec is None:
                return None
            if isinstance(spec, Ints):
                return rng.integers(0, spec.high, spec.shape)
            if isinstance(spec, Places):
                planes = [rng.permutation(spec.high) for _ in range(spec.shape[0] * spec.shape[1])]
                return np.reshape([p[: np.prod(spec.shape[2:])] for p in planes], spec.shape)
            if isinstance(spec, Signs):
                return rng.choice([-1, 1], spec.shape)
            if isinstance(spec, list):
                return tuple(map(array, spec))
            x = rng.permutation(np.linspace(-2, 2, int(np.prod(spec)) + 2)[1:-1]).reshape(spec)  # no ties
            for a in self.away:
                x = np.where(np.abs(x - a) < 0.05, a + np.where(x < a, -0.1, 0.1), x)
            return x

        return [array(spec) for spec in (self.inputs if inputs is None else inputs)]


def layers(name, *rows, **common):
    """Several records of one module."""
    return [Layer(name, **common | row) for row in rows]


def activation(name, *args, away=(), **kwargs):
    return Layer(name, args, ((2, 3),), None, kwargs, away)


IMAGE = {1: (2, 4, 7), 2: (2, 4, 6, 7), 3: (2, 4, 4, 5, 4)}
SMALL = {1: (2, 2, 5), 2: (2, 2, 4, 5), 3: (1, 2, 3, 3, 4)}
X = (5, 2, 4)  # a sequence
QKV = ((3, 2, 4), (5, 2, 4), (5, 2, 4))
ENCODER = Layer("TransformerEncoderLayer", (4, 2, 6), (X,), ((5, 2, 3),), {"dropout": 0.0})
DECODER = Layer("TransformerDecoderLayer", (4, 2, 6), (X, (3, 2, 4)), ((5, 2, 3), (3, 2, 4)), {"dropout": 0.0})

# fmt: off
LAYERS = [
    # ---- dense, sparse, shapes
    Layer("Linear", (3, 4), ((2, 5, 3),), ((2, 4),)),
    Layer("Linear", (3, 4), ((3,),), ((2, 4),), {"bias": False}),
    Layer("DataParallel", (Layer("Linear", (3, 2)),), ((4, 3),)),
    Layer("Bilinear", (3, 4, 2), ((5, 3), (5, 4)), ((5, 3), (5, 3))),
    Layer("Bilinear", (3, 4, 2), ((2, 5, 3), (2, 5, 4)), ((5, 3), (4, 4)), {"bias": False}),
    Layer("Identity"),
    Layer("Flatten", (), ((2, 3, 4),)),
    Layer("Unflatten", (1, (2, 3)), ((2, 6),), ((2, 5),)),
    Layer("Embedding", (6, 3), (Ints((2, 4), 6),), (Ints((2,), 9),)),
    Layer("Embedding", (6, 3), (Ints((5,), 6),), ((2,),), {"padding_idx": 2, "scale_grad_by_freq": True}, exact=False),
    Layer("EmbeddingBag", (6, 3), (Ints((2, 4), 6),), (Ints((2, 3, 1), 6),)),
    Layer("EmbeddingBag", (6, 3), (Ints((3, 4), 6),), (Ints((2, 3, 1), 6),), {"mode": "max"}),
    Layer("EmbeddingBag", (6, 3), (Ints((3, 4), 6), None, (3, 4)), (Ints((2, 3), 6), None, (2, 2)), {"mode": "sum", "padding_idx": 1}),
    # ---- convolution
    *[Layer(f"Conv{n}d", (4, 6, 3), (IMAGE[n],), ((2, 3, *IMAGE[n][2:]),), kwargs)
      for n in (1, 2, 3) for kwargs in ({"stride": 2, "padding": 1}, {"groups": 2, "bias": False, "padding": "same"})],
    *[Layer("Conv2d", (4, 2, (3, 2)), (IMAGE[2],), ((4, 6),), {"padding": (2, 1), "dilation": (1, 2), "padding_mode": mode})
      for mode in ("reflect", "replicate", "circular")],
    Layer("Conv2d", (4, 2, (2, 3)), (IMAGE[2],), ((4, 6),), {"padding": "same", "padding_mode": "circular"}),
    *[Layer(f"ConvTranspose{n}d", (2, 4, 3), (SMALL[n],), ((2, 3, *SMALL[n][2:]),), kwargs)
      for n in (1, 2, 3) for kwargs in ({"stride": 2, "padding": 1, "output_padding": 1}, {"groups": 2, "bias": False, "dilation": 2})],
    Layer("Unfold", (2,), (SMALL[2],), ((2, 3),), {"stride": 2, "padding": 1}),
    Layer("Fold", ((4, 5), (2, 3)), ((2, 12, 9),), ((2, 11, 9),)),
    # ---- pooling
    *[Layer(f"{kind}Pool{n}d", (3,), (IMAGE[n],), ((2,) * (n + 3),), kwargs) for n in (1, 2, 3) for kind, kwargs in
      [("Max", {"stride": 2, "padding": 1}), ("Max", {"ceil_mode": True, "stride": 2}),
       ("Avg", {"stride": 2, "padding": 1}), ("Avg", {"ceil_mode": True, "padding": 1, "count_include_pad": False})]],
    Layer("AvgPool2d", (2,), (IMAGE[2],), ((2, 3),), {"divisor_override": 3}),
    *[Layer(f"Adaptive{kind}Pool{n}d", (size,), (IMAGE[n],), ((2,) * (n + 3),)) for n in (1, 2, 3) for kind in ("Max", "Avg") for size in (1, 3)],
    *[Layer(f"LPPool{n}d", (2, 3), (IMAGE[n],), ((2,) * (n + 3),), {"stride": 2}) for n in (1, 2, 3)],
    *[Layer(f"MaxUnpool{n}d", (2,), (SMALL[n], Places(SMALL[n], 2**n * int(np.prod(SMALL[n][2:])))), (SMALL[n], Ints((2, 2), 2))) for n in (1, 2, 3)],
    # ---- padding and size
    *[Layer(f"{kind}Pad{n}d", args, (SMALL[n],), ((1,) * (n + 1),) if kind != "Replication" else None)
      for n in (1, 2, 3) for kind, args in [("Reflection", (1,)), ("Replication", (2,)), ("Circular", ((1, 2) * n,))]],
    *[Layer(f"{kind}Pad{n}d", args, (SMALL[n],)) for n in (1, 2, 3) for kind, args in [("Zero", (1,)), ("Constant", ((2, 1) * n, 3.5))]],
    Layer("Upsample", (), (SMALL[2],), ((2, 3),), {"scale_factor": 2}),
    Layer("Upsample", (), (SMALL[2],), ((2, 3),), {"size": (5, 7), "mode": "bilinear", "align_corners": True}),
    Layer("UpsamplingNearest2d", (), (SMALL[2],), ((2, 3),), {"scale_factor": 2}),
    Layer("UpsamplingBilinear2d", (7,), (SMALL[2],), ((2, 3),)),
    Layer("PixelShuffle", (2,), ((1, 8, 2, 3),), ((1, 6, 2, 3),)),
    Layer("ChannelShuffle", (2,), ((1, 6, 2, 3),), ((1, 3, 2, 3),)),
    Layer("PixelUnshuffle", (2,), ((1, 2, 4, 6),), ((1, 2, 3, 6),)),
    # ---- normalization
    *[Layer(f"BatchNorm{n}d", (4,), (IMAGE[n],), ((2, 3, *IMAGE[n][2:]),), kwargs) for n in (1, 2, 3) for kwargs in
      ({}, {"momentum": None}, {"affine": False, "track_running_stats": False})],
    Layer("BatchNorm1d", (4,), ((5, 4),), ((4,),)),
    Layer("SyncBatchNorm", (4,), (IMAGE[2],), ((2, 3, *IMAGE[2][2:]),)),
    *[Layer(f"InstanceNorm{n}d", (4,), (IMAGE[n],), ((4,),), kwargs) for n in (1, 2, 3) for kwargs in
      ({}, {"affine": True, "track_running_stats": True})],
    Layer("LocalResponseNorm", (3,), (SMALL[2],), ((2, 3),), {"alpha": 0.5}),
    Layer("LayerNorm", (4,), ((2, 3, 4),), ((2, 3),)),
    Layer("LayerNorm", ((3, 4),), ((2, 3, 4),), ((2, 3, 3),), {"bias": False}),
    Layer("RMSNorm", (4,), ((2, 3, 4),), ((2, 3),)),
    Layer("RMSNorm", ((3, 4),), ((2, 3, 4),), ((2, 3, 3),), {"eps": 1e-3, "elementwise_affine": False}),
    Layer("GroupNorm", (2, 4), (IMAGE[2],), ((2, 3, 5, 5),)),
    Layer("GroupNorm", (4, 4), (IMAGE[1],), ((2, 3, 5),), {"affine": False}),
    # ---- recurrent
    *[Layer(name, (4, 3), (X,), ((5, 2, 3),), kwargs) for name in ("RNN", "LSTM", "GRU") for kwargs in
      ({}, {"num_layers": 2, "bidirectional": True, "batch_first": True}, {"bias": False})],
    Layer("RNN", (4, 3), (X, (1, 2, 3)), (X, (1, 3, 3)), {"nonlinearity": "relu"}),
    Layer("LSTM", (4, 3), (X, [(1, 2, 2), (1, 2, 3)]), (X, [(1, 2, 3), (1, 2, 3)]), {"proj_size": 2}),
    Layer("GRU", (4, 3), ((5, 4), (1, 3)), ((5, 4), (2, 3))),
    Layer("RNNCell", (4, 3), ((2, 4), (2, 3)), ((2, 3), (2, 3))),
    Layer("LSTMCell", (4, 3), ((2, 4), [(2, 3), (2, 3)]), ((2, 4), [(2, 4), (2, 3)])),
    Layer("GRUCell", (4, 3), ((4,),), ((3,),), {"bias": False}),
    # ---- attention
    Layer("MultiheadAttention", (4, 2), QKV, ((3, 2, 4), (5, 2, 4), (4, 2, 4))),
    Layer("MultiheadAttention", (4, 2), ((2, 3, 4), (2, 5, 3), (2, 5, 6)), ((2, 3, 4), (2, 5, 4), (2, 5, 6)), {"kdim": 3, "vdim": 6, "batch_first": True, "bias": False}),
    Layer("MultiheadAttention", (4, 2), ((3, 4), (5, 4), (5, 4)), ((3, 3), (5, 4), (5, 4)), {"add_bias_kv": True, "add_zero_attn": True}),
    ENCODER, DECODER,
    Layer("TransformerEncoderLayer", (4, 2, 6), ((2, 5, 4),), ((2, 5, 3),), {"dropout": 0.0, "activation": "gelu", "norm_first": True, "batch_first": True}),
    Layer("TransformerDecoderLayer", (4, 2, 6), (X, (3, 2, 4)), ((5, 2, 3), (3, 2, 4)), {"dropout": 0.0, "norm_first": True, "bias": False}),
    Layer("TransformerEncoder", (ENCODER, 2), (X,), ((5, 2, 3),)),
    Layer("TransformerDecoder", (DECODER, 2), (X, (3, 2, 4)), ((5, 2, 3), (3, 2, 4))),
    Layer("Transformer", (4, 2, 1, 1, 6, 0.0), (X, (3, 2, 4)), ((5, 2, 4), (3, 2, 3))),
    # ---- activations
    *[activation(name, away=away) for name, away in {
        "ReLU": (0,), "ReLU6": (0,), "Sigmoid": (), "Tanh": (), "SiLU": (), "Mish": (), "ELU": (), "CELU": (), "SELU": (0,), "GELU": (),
        "LeakyReLU": (0,), "LogSigmoid": (), "Softplus": (), "Softsign": (), "Tanhshrink": (), "Hardtanh": (-1, 1), "Hardswish": (), "Hardshrink": (-0.5, 0.5), "Softshrink": (-0.5, 0.5), "PReLU": (0,)}.items()],
    Layer("Hardsigmoid", (), ((2, 3),), close=1e-7),  # PyTorch's 1/6 is in single precision
    activation("Threshold", 0.3, -1.0, away=(0.3,)),
    activation("ELU", 0.7, away=(0,)),
    activation("CELU", 2.0),
    activation("GELU", approximate="tanh"),
    activation("Softplus", 2.0, 3.0, away=(1.5,)),
    Layer("PReLU", (3,), ((2, 3, 4),), ((2, 4, 3),), {}, (0,)),
    Layer("GLU", (), ((2, 6),), ((2, 5),)),
    Layer("Softmax", (1,)), Layer("Softmin", (1,)), Layer("LogSoftmax", (1,)),
    Layer("Softmax2d", (), ((2, 3, 2, 2),), ((2, 3),)),
    # ---- random
    *[Layer(name, (0.5,), ((3, 4, *(2,) * n),), random=True) for n, name in enumerate(("Dropout", "Dropout1d", "Dropout2d", "Dropout3d"))],
    Layer("AlphaDropout", (0.5,), random=True),
    # ---- comparing
    Layer("CosineSimilarity", (), ((2, 3), (2, 3)), ((2, 3), (2, 4))),
    Layer("PairwiseDistance", (), ((2, 3), (2, 3)), ((2, 3), (2, 4))),
    # ---- losses
    *[Layer(name, (), ((2, 3), (2, 3)), ((2, 3), (3,))) for name in ("MSELoss", "L1Loss", "SmoothL1Loss", "HuberLoss")],
    Layer("AdaptiveLogSoftmaxWithLoss", (16, 12, [3, 7]), ((5, 16), Ints((5,), 12)), ((5, 7), Ints((5,), 12))),
    Layer("AdaptiveLogSoftmaxWithLoss", (8, 12, [3, 7, 9]), ((9, 8), Ints((9,), 12)), ((9, 8), Ints((8,), 12)), {"div_value": 2.0, "head_bias": True}),
    Layer("CrossEntropyLoss", (), ((4, 3), Ints((4,), 3)), ((4, 3), Ints((3,), 3))),
    Layer("CrossEntropyLoss", (), ((4, 3, 2), Ints((4, 2), 3)), ((4, 3), Ints((4,), 9)), {"label_smoothing": 0.1, "reduction": "sum"}),
    Layer("NLLLoss", (), ((4, 3), Ints((4,), 3)), ((4, 3), Ints((3,), 3)), {"reduction": "none"}),
    Layer("BCEWithLogitsLoss", (), ((4, 3), (4, 3)), ((4, 3), (4,))),
    Layer("SigmoidFocalLoss", (), ((4, 3), Ints((4, 3), 2)), ((4, 3), (4,)), {"gamma": 1.5}, pytorch=False),
    Layer("LogCoshLoss", (), ((4, 3), (4, 3)), ((4, 3), (4, 2)), pytorch=False),
    Layer("SoftMarginLoss", (), ((4, 3), Signs((4, 3))), ((4, 3), Signs((4,)))),
    Layer("KLDivLoss", (), ((4, 3), (4, 3)), ((4, 3), (4,)), {"log_target": True, "reduction": "batchmean"}),
    Layer("MarginRankingLoss", (), ((4,), (4,), Signs((4,))), ((4,), (3,), Signs((4,))), {"margin": 0.37}),
    Layer("HingeEmbeddingLoss", (), ((4, 3), Signs((4, 3))), ((4, 3), Signs((4,)))),
    Layer("MultiMarginLoss", (), ((4, 3), Ints((4,), 3)), ((4, 3), Ints((3,), 3))),
    Layer("MultiLabelSoftMarginLoss", (), ((4, 3), (4, 3)), ((4, 3), (4,))),
    Layer("MultiLabelMarginLoss", (), ((4, 3), Ints((4, 3), 3)), ((4, 3), Ints((4,), 3))),
    Layer("TripletMarginLoss", (), ((4, 3), (4, 3), (4, 3)), ((4, 3), (4, 3), (4, 2)), {"margin": 5.0}),
    Layer("TripletMarginWithDistanceLoss", (), ((4, 3), (4, 3), (4, 3)), ((4, 3), (4, 3), (4, 2)), {"margin": 5.0}),
    Layer("PoissonNLLLoss", (), ((4, 3), (4, 3)), ((4, 3), (4,))),
]
# fmt: on
ELSEWHERE = {  # modules whose arguments are more than shapes, or that hold others: their tests are elsewhere
    "Module",
    "Sequential",
    "ModuleList",
    "ModuleDict",
    "ParameterList",
    "ParameterDict",  # test_nn_module.py
    "BCELoss",
    "CTCLoss",
    "CosineEmbeddingLoss",
    "DiceLoss",
    "GaussianNLLLoss",
    "JaccardLoss",  # test_nn_loss.py
    "FeatureAlphaDropout",
    "RReLU",
    "FractionalMaxPool2d",
    "FractionalMaxPool3d",  # test_window.py
    *LAZY,  # test_nn_lazy.py
}  # fmt: skip
