"""PyTorch programs that run as they stand, where `import torch` finds this library; and what such programs say in passing."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest
import scripts
from helpers import leaf

import autograd
from autograd import errors, tensor
from autograd.api.absent import Place
from autograd.api.torch_paths import PATHS, find

PROGRAMS = Path(__file__).with_name("programs")
PRINTS = {  # a program: what it prints, here and on PyTorch
    "actor_critic": "keeps to the middle: True -0.9189\n",
    "bilstm_crf": "[0, 1, 1, 1, 2, 2] True True\n",
    "char_rnn": "tells them apart: True\n",
    "closure_lbfgs": "follows the wave: True (1, 49) float64\n",
    "custom_function": "True Binary(in_features=4, out_features=2, bias=True)\nlearns: True 80 True False True\n",
    "ddpm": "on the circle: True ['betas', 'sqrt_alphas_cumprod']\n",
    "distillation": "the student learned: True of 9 averages\n",
    "dqn": "walks right everywhere: True and values rise: True\n",
    "fgsm": "right: True fooled: True (1, 1, 16, 16) True\n",
    "gan": "(4, 1, 8, 8) True 2336\n",
    "gcn": "GraphConvolution (3 -> 8) right: True True\n",
    "language_model": "LSTM perplexity below 2.2: True\nGRU perplexity below 2.2: True\nRNN_TANH perplexity below 2.2: True\n",
    "lora": "adapts: True switches off: True merges: True 73\n",
    "maml": "adapts better: True 6\n",
    "misc_training": "learned: True 0 0 0.01291 0.052 20\n",
    "mnist": "better than 90 %: True, loss below 0.4: True, lr 0.168\n",
    "nanogpt_train": "learned: True [0, 3, 6, 9, 1, 4, 7, 0, 3, 6, 9, 1, 4, 7] 60 25\n",
    "nerf": "(8, 8, 3) (8, 8) psnr above 15: True\n",
    "neural_ode": "(16, 1, 2) True the loss falls to a third: True\n",
    "packed_gru": "right: True padding is zero: True\n",
    "per_sample": "True (3,) (7,)\n",
    "policies": "chooses well\n[1, -1]\n[-2, 2]\n0.4431 2\n",
    "ppo": "paid more: True kl: True\n",
    "realnvp": "likelier: True invertible: True (5, 1, 2)\n",
    "regression": "loss 0.0048\nodd\n",
    "reinforce": "walks right\n[('0.bias', (3, 16)), ('0.weight', (3, 16, 1)), ('2.bias', (3, 2)), ('2.weight', (3, 2, 16))]\n",
    "resnet": "1352 parameters, best True, lr 0.0010\n",
    "seq2seq": "says it backwards: True (50, 6, 6)\n",
    "siamese": "near if the same: True learns: True\n",
    "simclr": "recognises its other view: True lr 0.0e+00\n",
    "style_transfer": "the losses fall: True ['conv_1', 'style_loss_1', 'relu_1', 'conv_2'] True\n",
    "text_cnn": "finds the phrase: True True True\n",
    "transformer": "True\n",
    "transformer_encoder": "learns the alphabet: True 0.540\n",
    "unet": "bilinear=True: finds the squares: True\nbilinear=False: finds the squares: True\n",
    "vae": "learns\n",
    "vqvae": "rebuilds: True with several codes: True\n",
    "wgan_gp": "the penalty falls: True the generator moves: True\n",
}


def python(*arguments):
    """Run Python with this library in sight."""
    code = f"import sys; sys.path.insert(0, {str(Path(autograd.__file__).parents[1])!r}); "
    return subprocess.run(
        [sys.executable, "-c", code + arguments[0], *arguments[1:]], capture_output=True, text=True, check=False
    )


def run(*arguments):
    """python -m autograd.run with these arguments."""
    return scripts.python("-m", "autograd.run", *arguments)


# ---------------------------------------------------------------- programs
def test_every_program_is_run():
    assert {file.stem for file in PROGRAMS.glob("*.py")} == PRINTS.keys()


@pytest.mark.slow
@pytest.mark.parametrize("name", PRINTS)
def test_a_program_runs_unchanged(name):
    done = run(PROGRAMS / f"{name}.py")
    assert (done.stdout, done.stderr, done.returncode) == (PRINTS[name], "", 0)


@pytest.mark.slow
@pytest.mark.parametrize("name", PRINTS)
def test_so_it_does_on_pytorch(name, torch):
    done = subprocess.run([sys.executable, PROGRAMS / f"{name}.py"], capture_output=True, text=True, check=False)
    assert done.stdout == PRINTS[name], done.stderr


def test_arguments_reach_the_program():
    assert run(PROGRAMS / "regression.py", "--epochs", 1).stdout.startswith("loss 0.")
    assert "invalid int value" in run(PROGRAMS / "regression.py", "--epochs", "many").stderr


def test_what_cannot_be_run_is_told(tmp_path):
    assert run().stderr.startswith("usage: python -m autograd.run SCRIPT")
    assert "there is no file 'absent.py'" in run("absent.py").stderr
    (tmp_path / "fails.py").write_text("import torch\nassert torch.ones(2).sum() == 3\n")
    done = run(tmp_path / "fails.py")
    assert done.returncode == 1
    assert "fails.py" in done.stderr
    assert done.stderr.endswith("AssertionError\n")


# ---------------------------------------------------------------- import torch
def test_torch_is_this_library_once_that_was_asked_for():
    done = python(
        "import autograd.as_torch, torch, torch.nn as nn, torch.nn.functional as F, torch.utils.data; "
        "from torch.nn.modules.rnn import LSTM; from torch.optim.lr_scheduler import StepLR; "
        "from torch.utils.checkpoint import checkpoint; import nn as ours, autograd; "
        "print(torch is autograd, nn is ours, F is ours.functional, torch.utils.data is ours.utils.data, LSTM is ours.LSTM); "
        "import autograd.as_torch"  # once more
    )
    assert (done.stdout, done.stderr) == ("True True True True True\n", "")


@pytest.mark.slow
def test_what_pytorch_has_and_we_have_not_is_told():
    done = python("import autograd.as_torch; import torch.signal")
    assert "MissingError: torch.signal: this module of PyTorch has no counterpart" in done.stderr
    done = python("import autograd.as_torch; import torch.engine")  # a folder of ours, which nobody means
    assert "MissingError: torch.engine" in done.stderr


def test_it_is_refused_beside_pytorch_itself():
    done = python("import types; sys.modules['torch'] = types.ModuleType('torch'); import autograd.as_torch")
    assert "MissingError: PyTorch itself was imported already" in done.stderr


def test_nothing_is_done_unasked():
    done = python("import autograd; print('torch' in sys.modules, 'nn' in sys.modules); autograd.nn; print('nn' in sys.modules)")
    assert (done.stdout, done.stderr) == ("False False\nTrue\n", "")


@pytest.mark.parametrize("path", PATHS)
def test_a_path_leads_to_something(path):
    assert [name for name in vars(find(path)) if name[0] != "_"] or path == "utils"
    value = autograd
    for part in path.split("."):
        if (value := getattr(value, part, None)) is None:
            return  # reached by import alone, as torch.nn.modules.rnn
    assert value is find(path) or isinstance(value, Place) or callable(value) or path == "autograd.profiler"


@pytest.mark.parametrize("path", PATHS)
def test_pytorch_has_that_path(path, torch):
    importlib.import_module(f"torch.{path}")


def test_an_unknown_name_is_none_of_ours():
    with pytest.raises(AttributeError, match="module 'autograd' has no attribute 'nonsense'"):
        autograd.nonsense  # noqa: B018


# ---------------------------------------------------------------- said in passing
def test_mixed_precision_is_off():
    scaler, x = autograd.cuda.amp.GradScaler(), leaf([1.0, 2.0])
    optimizer = autograd.optim.SGD([x], lr=1.0)

    @autograd.autocast("cuda", dtype=autograd.float16)
    def loss():
        with autograd.cuda.amp.autocast():
            return (x * x).sum()

    assert loss().dtype == x.dtype
    scaler.scale(loss()).backward()
    scaler.unscale_(optimizer)
    scaler.step(optimizer)
    scaler.update()
    scaler.load_state_dict(scaler.state_dict())
    assert (x.tolist(), scaler.get_scale(), scaler.is_enabled()) == ([-1, -2], 1, False)


@pytest.mark.parametrize(
    "call", [lambda: tensor(1.0).cuda(), lambda: autograd.nn.Linear(1, 1).cuda(), lambda: autograd.cuda.current_device()]
)
def test_a_gpu_is_refused_by_a_sentence(call):
    with pytest.raises(errors.UnsupportedError, match=r"the only device .*'cpu'"):
        call()
    assert not autograd.cuda.is_available()
    assert autograd.cuda.device_count() == 0


def test_what_needs_nothing_done_changes_nothing():
    net = autograd.nn.Linear(2, 2)
    assert autograd.compile(net) is net
    assert autograd.jit.script(net) is net
    assert autograd.jit.trace(net, autograd.ones(1, 2)) is net
    x = tensor([1.0])
    assert x.pin_memory() is x
    assert x.to("cpu", memory_format=autograd.channels_last, non_blocking=True) is x
    autograd.set_printoptions(precision=2)
    autograd.set_default_device("cpu")
    assert repr(tensor([0.12345])) == "tensor([0.1235])"
    with pytest.raises(errors.UnsupportedError, match="set_default_device: the only device here is 'cpu', not 'cuda'"):
        autograd.set_default_device("cuda")


def test_threads_are_those_of_the_blas():
    pytest.importorskip("threadpoolctl", reason="threadpoolctl, which sets the threads, is not installed")
    before = autograd.get_num_threads()
    for n in (2, 1):
        autograd.set_num_threads(n)
        assert autograd.get_num_threads() == n
    autograd.set_num_threads(before)
    with pytest.raises(errors.ArgumentError, match="n is a positive integer, got 0"):
        autograd.set_num_threads(0)


def test_the_default_type_is_that_of_a_name():
    before = autograd.get_default_dtype()
    try:
        autograd.set_default_tensor_type("torch.DoubleTensor")
        assert autograd.zeros(1).dtype == autograd.float64
        autograd.set_default_tensor_type(autograd.FloatTensor)
        assert autograd.zeros(1).dtype == autograd.float32
        with pytest.raises(errors.ArgumentError, match=r"give a type, as torch\.DoubleTensor, got 'double'"):
            autograd.set_default_tensor_type("double")
    finally:
        autograd.set_default_dtype(before)


def test_backward_of_several():
    x = leaf([1.0, 2.0])
    y = x * x
    autograd.backward([y, y.sum()], [tensor([1.0, 10.0], dtype=x.dtype), None])
    assert x.grad.tolist() == [4, 44]
    assert autograd.Variable(tensor(1.0), requires_grad=True).requires_grad
    with pytest.raises(errors.ArgumentError, match="there are 1 grad_tensors for 2 tensors"):
        autograd.backward([y, y], [y])


def test_a_model_on_several_devices_is_the_model():
    net = autograd.nn.Linear(2, 1)
    for wrapped in (autograd.nn.DataParallel(net), autograd.nn.parallel.DistributedDataParallel(net, device_ids=None)):
        assert wrapped(autograd.ones(3, 2)).tolist() == net(autograd.ones(3, 2)).tolist()
        assert list(wrapped.state_dict()) == ["module.weight", "module.bias"]
