"""What holds for every layer and container, driven by one small record each; then what is special about some."""

import copy
import pickle
from collections import OrderedDict
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import autograd
import nn
from autograd import float32, float64, gradcheck, gradgradcheck, tensor
from autograd.errors import ArgumentError, DimError, DtypeError, ShapeError, UnsupportedError


@dataclass
class Layer:
    """How to make a layer in either library, shapes it takes, and shapes that it refuses, with what it says."""

    make: object  # from the namespace `nn` to the layer
    shapes: list
    refuses: dict = field(default_factory=dict)
    drops: bool = False  # is it random in training?
    tolerance: float = 1e-12  # for what PyTorch computes


RECORDS = {
    "Linear": Layer(
        lambda nn: nn.Linear(3, 4),
        [(2, 3), (3,), (2, 5, 3), (0, 3)],
        {(2, 5): r"Linear\(3, 4\) expects \(\.\.\., 3\), got \(2, 5\)", (): r"Linear\(3, 4\) expects \(\.\.\., 3\), got \(\)"},
    ),
    "Linear without bias": Layer(lambda nn: nn.Linear(3, 1, bias=False), [(2, 3)], {(3, 2): r"Linear\(3, 1\) expects"}),
    "Identity": Layer(lambda nn: nn.Identity(54, unused=True), [(2, 3), ()]),
    "Flatten": Layer(lambda nn: nn.Flatten(), [(2, 3, 4), (2, 3)], {(3,): "flatten: dim 1 does not exist"}),
    "Flatten some": Layer(lambda nn: nn.Flatten(1, 2), [(2, 3, 4, 5)]),
    "Unflatten": Layer(
        lambda nn: nn.Unflatten(1, (2, 3)),
        [(4, 6), (4, 6, 2)],
        {(4, 5): r"Unflatten\(1, \(2, 3\)\) cannot make that of dim 1 of an input of shape \(4, 5\)"},
    ),
    "Unflatten the rest": Layer(
        lambda nn: nn.Unflatten(-1, (-1, 2)), [(4, 6)], {(4, 5): "cannot make that", (): "cannot make that"}
    ),
    "Dropout": Layer(lambda nn: nn.Dropout(0.4), [(4, 5), ()], drops=True),
    "Dropout1d": Layer(lambda nn: nn.Dropout1d(0.4), [(4, 5, 2), (4, 5)], {(4,): r"dropout1d: input has the shape"}, drops=True),
    "Dropout2d": Layer(lambda nn: nn.Dropout2d(0.4), [(4, 5, 2, 1)], {(4,): "dropout2d: input has the shape"}, drops=True),
    "Dropout3d": Layer(lambda nn: nn.Dropout3d(0.4), [(4, 5, 1, 2, 1), (9, 1, 2, 1)], drops=True),
    "AlphaDropout": Layer(lambda nn: nn.AlphaDropout(0.4), [(4, 5), ()], drops=True),
    "FeatureAlphaDropout": Layer(lambda nn: nn.FeatureAlphaDropout(0.4), [(4, 5, 2)], drops=True),
    "ReLU": Layer(lambda nn: nn.ReLU(), [(4, 5), ()]),
    "ReLU in place": Layer(lambda nn: nn.Sequential(nn.Linear(5, 5), nn.ReLU(inplace=True)), [(4, 5)]),
    "LeakyReLU": Layer(lambda nn: nn.LeakyReLU(), [(4, 5)]),
    "PReLU": Layer(lambda nn: nn.PReLU(), [(4, 5), ()]),
    "PReLU of channels": Layer(
        lambda nn: nn.PReLU(5, 0.4), [(4, 5, 2)], {(4, 3): "prelu: weight has 1 slope or one for each of 3 channels"}
    ),
    "RReLU": Layer(lambda nn: nn.RReLU(), [(4, 5)], drops=True),
    "RReLU of options": Layer(lambda nn: nn.Sequential(nn.Linear(5, 5), nn.RReLU(0.2, 0.3, True)), [(4, 5)], drops=True),
    "CELU": Layer(lambda nn: nn.CELU(0.5), [(4, 5)]),
    "SELU": Layer(lambda nn: nn.SELU(), [(4, 5)]),
    "SELU in place": Layer(lambda nn: nn.Sequential(nn.Linear(5, 5), nn.SELU(inplace=True)), [(4, 5)]),
    "ReLU6": Layer(lambda nn: nn.ReLU6(), [(4, 5)]),
    "Hardtanh": Layer(lambda nn: nn.Hardtanh(), [(4, 5)]),
    "Hardtanh of options": Layer(lambda nn: nn.Sequential(nn.Linear(5, 5), nn.Hardtanh(-0.3, 0.7, inplace=True)), [(4, 5)]),
    "Hardsigmoid": Layer(lambda nn: nn.Hardsigmoid(), [(4, 5)], tolerance=1e-7),  # which has its 1/6 in single precision
    "Hardswish": Layer(lambda nn: nn.Sequential(nn.Linear(5, 5), nn.Hardswish(True)), [(4, 5)]),
    "Hardshrink": Layer(lambda nn: nn.Hardshrink(), [(4, 5)]),
    "Softshrink": Layer(lambda nn: nn.Softshrink(0.3), [(4, 5)]),
    "Threshold": Layer(lambda nn: nn.Threshold(0.5, 7.0), [(4, 5)]),
    "Mish": Layer(lambda nn: nn.Mish(), [(4, 5)]),
    "Softsign": Layer(lambda nn: nn.Softsign(), [(4, 5)]),
    "Tanhshrink": Layer(lambda nn: nn.Tanhshrink(), [(4, 5)]),
    "LogSigmoid": Layer(lambda nn: nn.LogSigmoid(), [(4, 5)]),
    "GLU": Layer(lambda nn: nn.GLU(1), [(4, 6), (4, 2, 3)], {(4, 3): "glu halves dim 1, whose length must be even"}),
    "Softmin": Layer(lambda nn: nn.Softmin(dim=1), [(4, 5)]),
    "Softmax2d": Layer(lambda nn: nn.Softmax2d(), [(2, 3, 4, 5), (3, 4, 5)], {(3, 4): r"Softmax2d expects \(N, C, H, W\)"}),
    "LeakyReLU of another slope": Layer(lambda nn: nn.LeakyReLU(0.3), [(4, 5)]),
    "ELU": Layer(lambda nn: nn.ELU(0.7), [(4, 5)]),
    "SiLU": Layer(lambda nn: nn.SiLU(), [(4, 5)]),
    "GELU": Layer(lambda nn: nn.GELU(), [(4, 5)]),
    "GELU by tanh": Layer(lambda nn: nn.GELU(approximate="tanh"), [(4, 5)]),
    "Sigmoid": Layer(lambda nn: nn.Sigmoid(), [(4, 5)]),
    "Tanh": Layer(lambda nn: nn.Tanh(), [(4, 5)]),
    "Softplus": Layer(lambda nn: nn.Softplus(), [(4, 5)]),
    "Softplus of options": Layer(lambda nn: nn.Softplus(beta=2, threshold=1), [(4, 5)]),
    "Softmax": Layer(lambda nn: nn.Softmax(dim=1), [(4, 5), (2, 3, 4)], {(3,): "softmax: dim 1 does not exist"}),
    "LogSoftmax": Layer(lambda nn: nn.LogSoftmax(dim=-1), [(4, 5), (2, 3, 4)]),
    "Sequential": Layer(
        lambda nn: nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Sequential(nn.Linear(5, 2), nn.GELU())),
        [(2, 3)],
        {(2, 4): r"Linear\(3, 5\) expects \(\.\.\., 3\), got \(2, 4\)"},
    ),
    "Sequential by name": Layer(lambda nn: nn.Sequential(OrderedDict(first=nn.Linear(3, 5), second=nn.ReLU())), [(2, 3)]),
    "Sequential of nothing": Layer(lambda nn: nn.Sequential(), [(2, 3)]),
}
CASES = [(name, shape) for name, record in RECORDS.items() for shape in record.shapes]
IDS = [f"{name} {shape}" for name, shape in CASES]
every_case = pytest.mark.parametrize(("name", "shape"), CASES, ids=IDS)
every_layer = pytest.mark.parametrize("name", RECORDS)


def numbers(shape, seed=0):
    """Numbers in general position: none near the kinks at 0."""
    rng = np.random.default_rng(seed)
    return rng.uniform(0.1, 2, shape) * rng.choice([-1, 1], shape)


def make(name, dtype=float64):
    autograd.manual_seed(0)
    return RECORDS[name].make(nn).to(dtype)


def parts(module):
    """The input's place, then the parameters: what gradients go to."""
    return list(module.parameters())


# ---------------------------------------------------------------- what holds for all
@every_case
def test_gradients_are_those_of_finite_differences(name, shape):
    layer, x = make(name).eval(), tensor(numbers(shape), requires_grad=True)
    assert gradcheck(lambda x, *_: layer(x), (x, *layer.parameters()))


@every_layer
def test_gradients_of_gradients_too(name):
    layer, x = make(name).eval(), tensor(numbers(RECORDS[name].shapes[0]), requires_grad=True)
    assert gradgradcheck(lambda x, *_: layer(x), (x, *layer.parameters()))


@every_case
@pytest.mark.parametrize("dtype", [float32, float64])
def test_dtypes_stay(name, shape, dtype):
    layer, x = make(name, dtype), tensor(numbers(shape), dtype=dtype, requires_grad=True)
    out = layer(x)
    assert out.dtype == dtype
    out.sum().backward()
    for t in (x, *layer.parameters()):
        assert (t.grad.dtype, t.grad.shape) == (dtype, t.shape)


@every_case
def test_values_and_gradients_are_those_of_pytorch(torch, name, shape):
    ours = make(name).eval()
    theirs = RECORDS[name].make(torch.nn).double().eval()
    theirs.load_state_dict({k: torch.tensor(v.numpy()) for k, v in ours.state_dict().items()})
    x, there = tensor(numbers(shape), requires_grad=True), torch.tensor(numbers(shape), requires_grad=True)
    out, expected = ours(x), theirs(there)
    assert_allclose(out.detach().numpy(), expected.detach().numpy(), rtol=RECORDS[name].tolerance, atol=1e-15)
    weights = numbers(out.shape, seed=1)
    out.backward(tensor(weights))
    expected.backward(torch.tensor(weights))
    assert_allclose(x.grad.numpy(), there.grad.numpy(), rtol=RECORDS[name].tolerance, atol=1e-15)
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=RECORDS[name].tolerance, atol=1e-15)


@every_layer
def test_it_prints_as_in_pytorch(torch, name):
    assert repr(make(name)) == repr(RECORDS[name].make(torch.nn))


@every_layer
def test_training_and_evaluation_differ_only_where_it_drops(name):
    layer, x = make(name), tensor(numbers(RECORDS[name].shapes[0]))
    same = np.array_equal(layer.train()(x.clone()).detach().numpy(), layer.eval()(x.clone()).detach().numpy())
    assert same is not RECORDS[name].drops
    assert all(not module.training for module in layer.modules())


@every_layer
def test_state_goes_round(name):
    first, second = make(name), make(name)
    for p in second.parameters():
        nn.init.zeros_(p)
    arrays = [p.array for p in second.parameters()]
    assert second.load_state_dict(first.state_dict()) == ([], [])
    assert all(p.array is array for p, array in zip(second.parameters(), arrays, strict=True))
    x = tensor(numbers(RECORDS[name].shapes[0]))
    assert_array_equal(first.eval()(x.clone()).detach().numpy(), second.eval()(x.clone()).detach().numpy())


@every_layer
@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))], ids=["deepcopy", "pickle"])
def test_a_copy_is_the_same_and_shares_nothing(name, duplicate):
    layer, x = make(name).eval(), tensor(numbers(RECORDS[name].shapes[0]))
    twin = duplicate(layer)
    assert repr(twin) == repr(layer)
    assert_array_equal(twin(x.clone()).detach().numpy(), layer(x.clone()).detach().numpy())
    for ours, theirs in zip(layer.parameters(), twin.parameters(), strict=True):
        assert type(theirs) is nn.Parameter
        assert theirs.requires_grad
        assert not np.shares_memory(ours.array, theirs.array)


@pytest.mark.parametrize(("name", "shape"), [(name, shape) for name, record in RECORDS.items() for shape in record.refuses])
def test_what_it_refuses_is_said_by_name(name, shape):
    with pytest.raises((ShapeError, DimError), match=RECORDS[name].refuses[shape]):
        make(name)(tensor(numbers(shape)))


# ---------------------------------------------------------------- Linear
def test_linear_begins_as_in_pytorch():
    autograd.manual_seed(0)
    layer = nn.Linear(100, 2000)
    for p in layer.parameters():
        assert p.dtype == float32
        assert np.abs(p.numpy(force=True)).max() <= 0.1
        assert_allclose(p.numpy(force=True).std(), 0.1 / 3**0.5, rtol=0.05)  # that of a uniform distribution


def test_linear_of_one_input_begins_between_minus_1_and_1():
    autograd.manual_seed(0)
    for p in nn.Linear(1, 2000).parameters():
        assert 0.99 < np.abs(p.numpy(force=True)).max() <= 1


def test_linear_takes_a_dtype_and_no_device_but_the_cpu():
    assert {p.dtype for p in nn.Linear(2, 3, dtype=float64).parameters()} == {np.dtype("float64")}
    assert nn.Linear(2, 3, device="cpu").bias.shape == (3,)


def test_linear_says_which_dtype_it_has():
    with pytest.raises(DtypeError, match=r"Linear\(3, 4\) expects float32, as its weight is, got float64; use to\(\) on one"):
        nn.Linear(3, 4)(autograd.ones(2, 3, dtype=float64))


def test_linear_says_what_it_got_that_is_no_tensor():
    with pytest.raises(ShapeError, match=r"Linear\(2, 4\) expects \(\.\.\., 2\), got \[1\.0, 2\.0\]"):
        nn.Linear(2, 4)([1.0, 2.0])


@pytest.mark.parametrize("sizes", [(-1, 2), (2, 2.5), ("2", 2), (True, 2)])
def test_linear_needs_sizes(sizes):
    with pytest.raises(ArgumentError, match=r"Linear: (in|out)_features is a whole number, 0 or more, got"):
        nn.Linear(*sizes)


def test_linear_without_inputs_gives_its_bias():
    layer = nn.Linear(0, 3)
    assert_array_equal(layer(autograd.ones(2, 0)).detach().numpy(), np.stack([layer.bias.numpy(force=True)] * 2))


def test_nothing_is_computed_for_an_input_that_needs_no_gradient():
    layer, x = nn.Linear(3, 4), autograd.ones(2, 3)
    layer(x).sum().backward()
    assert x.grad is None
    assert layer.weight.grad.shape == (4, 3)


# ---------------------------------------------------------------- Dropout
def test_dropout_keeps_the_mean_and_drops_the_share():
    autograd.manual_seed(0)
    out = nn.Dropout(0.3)(autograd.ones(200, 200)).numpy()
    assert_allclose(np.unique(out), [0, 1 / 0.7], rtol=1e-6)
    assert_allclose((out == 0).mean(), 0.3, atol=0.01)
    assert_allclose(out.mean(), 1, atol=0.02)


def test_dropout_passes_gradients_where_it_passed_values():
    x = autograd.ones(50, requires_grad=True)
    out = nn.Dropout(0.5)(x)
    out.sum().backward()
    assert_array_equal(x.grad.numpy(), out.detach().numpy())


def test_dropout_is_repeatable_and_new_each_time():
    layer, x = nn.Dropout(), autograd.ones(100)
    autograd.manual_seed(1)
    first, second = layer(x), layer(x)
    autograd.manual_seed(1)
    assert_array_equal(layer(x).numpy(), first.numpy())
    assert not np.array_equal(first.numpy(), second.numpy())


@pytest.mark.parametrize(("p", "expected"), [(0, 1), (0.0, 1), (1, 0), (1.0, 0)])
def test_dropout_of_nothing_and_of_everything(p, expected):
    assert_array_equal(nn.Dropout(p)(autograd.ones(10)).numpy(), np.full(10, expected, np.float32))


@pytest.mark.parametrize("p", [-0.1, 1.5, float("nan")])
def test_dropout_needs_a_probability(p):
    with pytest.raises(ArgumentError, match="Dropout: p is a probability, from 0 to 1, got"):
        nn.Dropout(p)
    with pytest.raises(ArgumentError, match="dropout: p is a probability"):
        nn.functional.dropout(autograd.ones(2), p)


def test_dropout_takes_a_generator_of_its_own():
    draw = lambda: nn.functional.dropout(autograd.ones(50), generator=autograd.Generator().manual_seed(3)).numpy()  # noqa: E731
    assert_array_equal(draw(), draw())


# ---------------------------------------------------------------- in place
@pytest.mark.parametrize(
    "layer",
    [
        nn.ReLU(inplace=True), nn.LeakyReLU(inplace=True), nn.ELU(inplace=True), nn.CELU(inplace=True), nn.SELU(True), nn.RReLU(inplace=True),
        nn.Hardtanh(inplace=True), nn.ReLU6(True), nn.Hardsigmoid(True), nn.Hardswish(True), nn.SiLU(True), nn.Mish(True),
        nn.Threshold(0.5, 1.0, True), nn.Dropout(0.5, inplace=True), nn.AlphaDropout(inplace=True), nn.Dropout1d(inplace=True),
    ],
    ids=lambda m: type(m).__name__,
)  # fmt: skip
def test_in_place_changes_the_input_and_has_the_same_gradient(layer):
    outside = copy.deepcopy(layer)
    outside.inplace = False
    values = numbers((4, 5))
    gradients = []
    for module in (layer, outside):
        autograd.manual_seed(0)
        x = tensor(values, requires_grad=True)
        h = x * 2
        out = module(h)
        assert (out is h) is module.inplace
        (out * out).sum().backward()
        gradients.append(x.grad.numpy())
    assert_array_equal(*gradients)
    data = tensor(values)
    assert layer(data) is data


# ---------------------------------------------------------------- activations
def test_kinks_have_the_subgradients_of_pytorch():
    for layer, expected in [(nn.ReLU(), 0), (nn.LeakyReLU(0.2), 0.2), (nn.ELU(0.5), 0.5)]:
        x = autograd.zeros(1, requires_grad=True)
        layer(x).backward()
        assert x.grad.item() == pytest.approx(expected)


@pytest.mark.parametrize("name", ["ReLU", "ELU", "SiLU", "GELU", "GELU by tanh", "Sigmoid", "Tanh", "Softplus", "Softmax"])
def test_large_inputs_do_no_harm(name):
    x = tensor([[-1e4, -200.0, 200.0, 1e4, 0.0]], dtype=float64, requires_grad=True)
    out = make(name)(x)
    out.sum().backward()
    assert np.isfinite(out.detach().numpy()).all()
    assert np.isfinite(x.grad.numpy()).all()


def test_options_that_make_no_sense():
    with pytest.raises(ArgumentError, match="GELU: approximate is 'none' or 'tanh', got 'fast'"):
        nn.GELU("fast")
    with pytest.raises(ArgumentError, match=r"Hardtanh: min_val must be below max_val, got 1\.0 and 1\.0"):
        nn.Hardtanh(1.0, 1.0)
    with pytest.raises(DimError, match="softmax: say over which dim"):
        nn.Softmax()(autograd.ones(2, 3))


def test_the_slopes_of_prelu_are_learned_and_can_begin_anew():
    layer = nn.PReLU(2, 0.1)
    layer(tensor([[-1.0, -2.0]])).sum().backward()
    assert layer.weight.grad.tolist() == [-1, -2]
    nn.init.zeros_(layer.weight)
    layer.reset_parameters()
    assert_allclose(layer.weight.tolist(), [0.1, 0.1], rtol=1e-6)


# ---------------------------------------------------------------- distances
def test_distances_are_those_of_their_functions():
    x, y = tensor(numbers((3, 4))), tensor(numbers((3, 4), seed=1))
    assert_array_equal(nn.CosineSimilarity(0, 1e-3)(x, y).numpy(), nn.functional.cosine_similarity(x, y, 0, 1e-3).numpy())
    assert_array_equal(
        nn.PairwiseDistance(1.0, 0.1, True)(x, y).numpy(), nn.functional.pairwise_distance(x, y, 1.0, 0.1, True).numpy()
    )
    assert (repr(nn.CosineSimilarity()), repr(nn.PairwiseDistance())) == ("CosineSimilarity()", "PairwiseDistance()")


# ---------------------------------------------------------------- containers
def letters(module):
    return "".join(m.name for m in module)


class Named(nn.Module):
    def __init__(self, name):
        super().__init__()
        self.name = name


@pytest.fixture(params=["Sequential", "ModuleList"])
def listed(request):
    modules = [Named(c) for c in "abc"]
    return nn.Sequential(*modules) if request.param == "Sequential" else nn.ModuleList(modules)


def test_containers_are_lists(listed):
    assert len(listed) == 3
    assert (listed[0].name, listed[-1].name, listed[-3].name) == ("a", "c", "a")
    assert type(listed[1:]) is type(listed)
    assert letters(listed[1:]) == "bc"
    assert listed[1:][0] is listed[1]
    assert letters(listed[::2]) == "ac"
    assert listed.append(Named("d")) is listed
    listed.extend([Named("e"), Named("f")])
    listed += [Named("g")]
    assert letters(listed) == "abcdefg"
    listed.insert(0, Named("x"))
    listed.insert(len(listed), Named("y"))
    assert letters(listed) == "xabcdefgy"
    listed.insert(-1, Named("z"))
    assert listed.pop().name == "y"
    assert listed.pop(0).name == "x"
    assert letters(listed) == "abcdefgz"
    del listed[-1]
    del listed[1:3]
    assert letters(listed) == "adefg"
    listed[1] = Named("B")
    listed[-1] = Named("G")
    assert letters(listed) == "aBefG"
    assert [name for name, _ in listed.named_children()] == ["0", "1", "2", "3", "4"]


def test_containers_say_what_is_not_there(listed):
    for index in (3, -4):
        with pytest.raises(DimError, match=f"holds 3 modules; there is none at {index}"):
            listed[index]
        with pytest.raises(IndexError):
            listed[index] = Named("x")
        with pytest.raises(IndexError):
            del listed[index]
    with pytest.raises(DimError):
        listed.insert(5, Named("x"))
    with pytest.raises(UnsupportedError, match="are numbered, 'a' is not one of the numbers"):
        listed["a"]
    with pytest.raises(UnsupportedError, match="module '3' must be a Module or None, not function"):
        listed.append(lambda x: x)
    assert letters(listed) == "abc"


def test_sequential_keeps_names_in_slices():
    net = nn.Sequential({"a": nn.ReLU(), "b": nn.Tanh(), "c": nn.Identity()})
    assert [name for name, _ in net[1:].named_children()] == ["b", "c"]
    net[0] = nn.Sigmoid()
    assert repr(net.a) == "Sigmoid()"


def test_module_list_prints_and_adds_and_does_not_compute():
    layers = nn.ModuleList([nn.Linear(2, 2) for _ in range(3)] + [nn.ReLU()])
    assert repr(layers) == ("ModuleList(\n  (0-2): 3 x Linear(in_features=2, out_features=2, bias=True)\n  (3): ReLU()\n)")
    both = layers + [nn.Tanh()]  # noqa: RUF005 (the operator is what is tested)
    assert (len(layers), len(both)) == (4, 5)
    assert both[0] is layers[0]
    assert len(nn.ModuleList()) == 0
    assert letters(nn.ModuleList().insert(0, Named("a"))) == "a"
    with pytest.raises(NotImplementedError, match=r"define ModuleList\.forward"):
        layers(autograd.ones(2))


def test_what_is_in_a_list_is_found():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 3)])
            self.by_name = nn.ModuleDict({"head": nn.Linear(3, 1)})

    keys = ["layers.0.weight", "layers.0.bias", "layers.1.weight", "layers.1.bias", "by_name.head.weight", "by_name.head.bias"]
    assert list(Net().state_dict()) == keys


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_recurrent_layers_take_a_batch_of_no_sequences(kind):
    assert kind(2, 3, bidirectional=True)(autograd.ones(4, 0, 2))[0].shape == (4, 0, 6)


def test_a_sequential_several_times_over_shares_its_modules():
    net = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    for twice in (net * 2, 2 * net):
        assert len(twice) == 4
        assert twice[2] is twice[0] is net[0]
    net *= 2
    assert list(net.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    with pytest.raises(TypeError, match=r"a whole number of times, not 1\.5"):
        net * 1.5
    with pytest.raises(ValueError, match="once or more, not 0 times"):
        net * 0


def test_a_parameter_dict_has_the_interface_of_a_dict():
    some = nn.ParameterDict({"a": autograd.ones(1), "b": autograd.ones(2)})
    assert some.get("a") is some["a"]
    assert some.get("c") is None
    assert some.get("c", 3) == 3
    assert some.setdefault("c", autograd.ones(3)) is some["c"]
    assert some.setdefault("c", autograd.ones(5)) is some["c"]
    assert isinstance(some["c"], nn.Parameter)
    assert list(reversed(some)) == ["c", "b", "a"]
    assert some.copy()["a"] is some["a"]
    both = {"z": autograd.ones(4)} | some | {"a": autograd.ones(7)}
    assert [(name, p.shape) for name, p in both.items()] == [("z", (4,)), ("a", (7,)), ("b", (2,)), ("c", (3,))]
    both |= {"z": autograd.ones(8)}
    assert both["z"].shape == (8,)
    assert some.popitem()[0] == "c"
    assert list(some.state_dict()) == ["a", "b"]
    assert list(some.fromkeys(["x", "y"], autograd.ones(1))) == ["x", "y"]


def test_a_parameter_dict_takes_a_plain_dict_in_the_order_of_its_names():
    pairs = [("b", nn.Parameter(autograd.ones(2))), ("a", nn.Parameter(autograd.ones(1)))]
    for given, order in (
        (dict(pairs), ["a", "b"]), (OrderedDict(pairs), ["b", "a"]), (pairs, ["b", "a"]), (nn.ParameterDict(pairs), ["b", "a"]),
        (MappingProxyType(dict(pairs)), ["a", "b"]),
    ):  # fmt: skip
        made, updated = nn.ParameterDict(given), nn.ParameterDict({"z": autograd.ones(3)})
        updated.update(given)
        assert list(made) == list(made.copy()) == list(made.state_dict()) == order
        assert list(updated) == ["z", *order]
        assert all(made[name] is p for name, p in pairs)
    assert list(nn.ModuleDict({"b": nn.ReLU(), "a": nn.ReLU()})) == ["b", "a"]


def test_so_does_pytorchs_parameter_dict(torch):
    pairs = [("b", torch.nn.Parameter(torch.ones(2))), ("a", torch.nn.Parameter(torch.ones(1)))]
    assert list(torch.nn.ParameterDict(dict(pairs))) == ["a", "b"]
    assert list(torch.nn.ParameterDict(OrderedDict(pairs))) == list(torch.nn.ParameterDict(pairs)) == ["b", "a"]


def test_module_dict_is_a_dict():
    modules = nn.ModuleDict([("a", nn.ReLU()), ("b", nn.Tanh())])
    modules["c"] = nn.Identity()
    modules.update({"a": nn.Sigmoid()})
    assert list(modules) == list(modules.keys()) == ["a", "b", "c"]
    assert "b" in modules
    assert "d" not in modules
    assert len(modules) == 3
    assert repr(modules["a"]) == "Sigmoid()"
    assert [(name, type(m).__name__) for name, m in modules.items()][1] == ("b", "Tanh")
    assert modules.pop("b") not in modules.values()
    del modules["c"]
    assert repr(modules) == "ModuleDict(\n  (a): Sigmoid()\n)"
    with pytest.raises(KeyError, match="there is no module 'aa'; did you mean 'a'"):
        modules["aa"]
    modules.clear()
    assert len(modules) == 0


@pytest.mark.parametrize("kind", [nn.Embedding, nn.EmbeddingBag])
def test_a_table_can_be_given(kind):
    vectors = tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    frozen = kind.from_pretrained(vectors)
    assert not frozen.weight.requires_grad
    assert frozen(tensor([[2]])).reshape(-1).tolist() == [5, 6]
    free = kind.from_pretrained(vectors, freeze=False, padding_idx=1)
    assert free.weight.requires_grad
    free(tensor([[0, 1]])).sum().backward()
    assert free.weight.grad[1].tolist() == [0, 0]
    assert free.weight.detach().tolist() == vectors.tolist()
    with pytest.raises(ShapeError, match=r"embeddings have shape \(number, dim\), got \(3,\)"):
        kind.from_pretrained(autograd.ones(3))


def test_the_causal_mask():
    mask = nn.Transformer.generate_square_subsequent_mask(3)
    assert mask.tolist() == [[0, -np.inf, -np.inf], [0, 0, -np.inf], [0, 0, 0]]
    attention, x = nn.MultiheadAttention(4, 2, batch_first=True), autograd.randn(2, 3, 4)
    shares = attention(x, x, x, attn_mask=mask)[1].detach().numpy()
    assert (np.triu(shares, 1) == 0).all()
    assert (shares[:, 0, 0] == 1).all()


@pytest.mark.parametrize("which", ["attn_mask", "key_padding_mask", "both"])
def test_masks_leave_the_keys_that_the_layer_adds_itself(which):
    layer, x = nn.MultiheadAttention(4, 2, add_bias_kv=True, add_zero_attn=True, batch_first=True), autograd.randn(2, 3, 4)
    masks = {"attn_mask": autograd.ones(3, 3).triu(1).bool(), "key_padding_mask": tensor([[False, True, False]] * 2)}
    hidden = np.triu(np.ones((3, 3), bool), 1) if which != "key_padding_mask" else np.zeros((3, 3), bool)
    hidden[:, 1] |= which != "attn_mask"
    shares = layer(x, x, x, **{k: m for k, m in masks.items() if which in (k, "both")})[1].detach().numpy()
    assert shares.shape == (2, 3, 5)
    assert_array_equal(shares[..., :3] == 0, np.broadcast_to(hidden, (2, 3, 3)))
    assert (shares[..., 3:] > 0).all()


def test_padding_to_the_same_size_puts_the_odd_one_behind():
    layer = nn.Conv1d(1, 1, 2, padding="same", padding_mode="circular", bias=False)
    with autograd.no_grad():
        layer.weight.copy_(tensor([[[1.0, 10.0]]]))
    assert layer(tensor([[1.0, 2.0, 3.0]])).tolist() == [[21, 32, 13]]


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_dropout_of_recurrent_layers_lies_between_them(kind):
    network, x, y = kind(3, 4, num_layers=2, dropout=1.0), autograd.randn(5, 2, 3), autograd.randn(5, 2, 3)
    assert_array_equal(network(x)[0].detach().numpy(), network(y)[0].detach().numpy())
    network.eval()
    assert not np.allclose(network(x)[0].detach().numpy(), network(y)[0].detach().numpy())
    alone = kind(3, 4, dropout=1.0)
    assert not np.allclose(alone(x)[0].detach().numpy(), alone(y)[0].detach().numpy())


def all_masked(kind):
    """Masks for batch (2, 3): query 1 may look at nothing, and of the second example nobody at anything."""
    blind, padded = tensor([[False] * 3, [True] * 3, [False] * 3]), tensor([[False, False, True], [True, True, True]])
    return [autograd.where(m, -np.inf, 0.0) if kind == "float" else m for m in (blind, padded)]


@pytest.mark.parametrize("kind", ["bool", "float"])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_a_query_that_may_look_at_nothing_leaves_the_others_alone(kind, dtype):
    """Its shares are 0; gradients are finite, and the same whether shares are asked for or not, as if it were not there."""
    found = []
    for need_weights in (True, False):
        autograd.manual_seed(0)
        layer, x = nn.MultiheadAttention(4, 2, batch_first=True).to(dtype), autograd.randn(2, 3, 4).to(dtype).requires_grad_()
        mask, padding = all_masked(kind)
        out, shares = layer(x, x, x, attn_mask=mask, key_padding_mask=padding, need_weights=need_weights)
        out[0, [0, 2]].sum().backward()
        found.append([out.detach(), x.grad, *(p.grad for p in layer.parameters())])
        if need_weights:
            assert shares[0, 1].tolist() == [0] * 3 == shares[1, 2].tolist()
            assert_allclose(shares[0, [0, 2]].sum(-1).detach().array, 1, rtol=1e-3)
    for a, b in zip(*found, strict=True):
        assert np.isfinite(a.array).all()
        assert_array_equal(a.array, b.array)
    assert_array_equal(found[0][1][1].array, 0)
    with autograd.no_grad():
        alone = layer(x[:1, [0, 2]], x[:1, :2], x[:1, :2])[0]
    assert_allclose(found[0][0][0, [0, 2]].array, alone[0].array, rtol=1e-5 if dtype == "float32" else 1e-2, atol=1e-3)


@pytest.mark.parametrize("kind", ["bool", "float"])
def test_transformer_layers_with_padding_only(kind):
    _, padding = all_masked(kind)
    encoder, decoder = (k(4, 2, 8, 0.0, batch_first=True) for k in (nn.TransformerEncoderLayer, nn.TransformerDecoderLayer))
    x = autograd.randn(2, 3, 4, requires_grad=True)
    memory = encoder(x, src_key_padding_mask=padding)
    decoder(x, memory, tgt_key_padding_mask=padding, memory_key_padding_mask=padding)[0].sum().backward()
    for t in (x, *encoder.parameters(), *decoder.parameters()):
        assert t.grad.isfinite().all()
    assert (x.grad[1] == 0).all()
