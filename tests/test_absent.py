"""What a program for PyTorch on a CPU says in passing: each name works, or is refused by a sentence that says what to do."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest
from test_as_torch import python

import autograd
from autograd import Tensor, errors, tensor
from autograd.api import absent, passing
from autograd.api.torch_paths import FUNCTIONAL, PATHS, find

WRITER = Path(__file__).parents[1] / "docs" / "pytorch_list.py"

# Lines as they stand in programs that everybody copies
SAID = r"""
torch.set_num_threads(1)
torch.set_num_interop_threads(1)
torch.set_printoptions(precision=4, sci_mode=False, linewidth=120)
torch.use_deterministic_algorithms(True)
torch.use_deterministic_algorithms(True, warn_only=True)
torch.set_float32_matmul_precision('high')
torch.get_float32_matmul_precision()
torch.set_default_device('cpu')
torch.set_default_device(torch.device('cpu'))
torch.get_default_device()
torch.set_default_tensor_type(torch.FloatTensor)
torch.set_default_dtype(torch.float32)
torch.set_flush_denormal(True)
torch.backends.cudnn.benchmark = True
torch.backends.cudnn.deterministic = True
torch.backends.cudnn.enabled = False
torch.backends.cudnn.allow_tf32 = True
torch.backends.cudnn.version()
torch.backends.cudnn.flags(enabled=False)
torch.backends.cuda.matmul.allow_tf32 = True
torch.backends.cuda.enable_flash_sdp(True)
torch.backends.cuda.sdp_kernel(enable_flash=False)
torch.backends.mps.is_available()
torch.backends.mps.is_built()
torch.backends.mkldnn.is_available()
torch.backends.mkl.is_available()
torch.backends.openmp.is_available()
torch.backends.opt_einsum.enabled
torch.cuda.is_available()
torch.cuda.manual_seed(0)
torch.cuda.manual_seed_all(0)
torch.cuda.empty_cache()
torch.cuda.synchronize()
torch.cuda.device_count()
torch.cuda.is_initialized()
torch.cuda.memory_allocated()
torch.cuda.max_memory_allocated()
torch.cuda.reset_peak_memory_stats()
torch.cuda.memory_reserved()
torch.cuda.current_device()
torch.cuda.get_device_name(0)
torch.cuda.get_device_properties(0)
torch.cuda.set_device(0)
torch.cuda.Stream()
torch.cuda.Event(enable_timing=True)
torch.cuda.amp.autocast()
torch.cuda.amp.autocast(enabled=True, dtype=torch.float16)
torch.cuda.amp.GradScaler(enabled=False)
torch.cuda.is_bf16_supported()
torch.cuda.nvtx.range_push('x')
torch.cuda.get_rng_state_all()
torch.cuda.ipc_collect()
torch.cuda.seed_all()
torch.cuda.device(0)
torch.cuda.FloatTensor(2)
torch.cuda.FloatTensor
torch.mps.is_available()
torch.mps.empty_cache()
torch.mps.manual_seed(0)
torch.mps.synchronize()
torch.xpu.is_available()
torch.cpu.is_available()
torch.accelerator.is_available()
torch.accelerator.current_accelerator()
torch.ones(2).cuda()
torch.ones(2).cuda(non_blocking=True)
torch.ones(2).to('cuda')
torch.ones(2).to('cpu', non_blocking=True)
torch.ones(2).to(torch.device('cpu'), torch.float64)
torch.ones(2).to(device='cpu', dtype=torch.float64)
torch.ones(2).cpu()
torch.ones(2).pin_memory()
torch.ones(2).is_pinned()
torch.ones(2, pin_memory=True)
torch.tensor([1.], pin_memory=True)
torch.zeros(2, device='cpu', layout=torch.strided)
torch.empty(2, 3, memory_format=torch.contiguous_format)
torch.empty_like(torch.ones(2), memory_format=torch.preserve_format)
torch.zeros_like(torch.ones(2), memory_format=torch.preserve_format)
torch.ones(1,2,3,4).to(memory_format=torch.channels_last)
torch.ones(1,2,3,4).contiguous(memory_format=torch.channels_last)
torch.ones(1,2,3,4).is_contiguous(memory_format=torch.channels_last)
torch.ones(1,2,3,4).clone(memory_format=torch.contiguous_format)
nn.Conv2d(1,1,1).to(memory_format=torch.channels_last)
nn.Linear(1,1).to('cpu', non_blocking=True)
nn.Linear(1,1).cuda()
nn.Linear(1,1).to(torch.bfloat16)
nn.Linear(1,1).half()
torch.autocast('cuda', dtype=torch.bfloat16)
torch.autocast(device_type='cpu', dtype=torch.bfloat16).__enter__()
torch.amp.autocast('cuda', enabled=False)
torch.amp.GradScaler('cuda', enabled=False)
torch.amp.autocast_mode
torch.is_autocast_enabled()
torch.cpu.amp.autocast()
torch.compile(nn.Linear(1,1))
torch.compile(nn.Linear(1,1), mode='max-autotune', fullgraph=True, dynamic=False)
torch.compile(lambda x: x)
torch.compile()
torch.compiler.disable(lambda x: x)
torch.compiler.is_compiling()
torch.jit.script(nn.Linear(1,1))
torch.jit.trace(nn.Linear(1,1), torch.ones(1,1))
torch.jit.is_scripting()
torch.jit.Final
torch.jit.annotate(int, 1)
torch.jit.ignore
torch.jit.ScriptModule
torch.inference_mode()
torch.is_inference_mode_enabled()
torch.autograd.backward(torch.ones(1, requires_grad=True).sum())
torch.autograd.Variable(torch.ones(2), requires_grad=True)
torch.autograd.Variable(torch.ones(2), volatile=True)
torch.autograd.grad(torch.ones(1, requires_grad=True).sum(), torch.ones(1, requires_grad=True), only_inputs=True, allow_unused=True)
torch.autograd.set_detect_anomaly(False)
torch.autograd.detect_anomaly(False)
torch.autograd.profiler.profile()
torch.autograd.profiler.record_function('x')
torch.autograd.graph.saved_tensors_hooks
torch.autograd.forward_ad
torch.profiler.profile()
torch.IntTensor([1])
torch.LongTensor(2, 3)
torch.BoolTensor([True])
torch.BFloat16Tensor
torch.FloatTensor
isinstance(torch.ones(2), torch.FloatTensor)
torch.ones(2).type()
torch.ones(2).type('torch.DoubleTensor')
torch.ones(2).type(torch.LongTensor)
torch.ones(2).is_cuda
torch.ones(2).is_sparse
torch.ones(2).is_xpu
torch.ones(2).is_mps
torch.ones(2).layout
torch.ones(2).device.type
torch.ones(2).device.index
torch.ones(2).get_device()
torch.ones(2).data_ptr()
torch.ones(2).storage()
torch.ones(2).untyped_storage()
torch.ones(2).storage_offset()
torch.ones(2).share_memory_()
torch.ones(2).is_shared()
torch.ones(2).record_stream(None)
torch.ones(2).real
torch.ones(2).imag
torch.real(torch.ones(2))
torch.imag(torch.ones(2))
torch.is_complex(torch.ones(2))
torch.view_as_complex(torch.ones(2,2))
torch.complex(torch.ones(2), torch.ones(2))
torch.polar(torch.ones(2), torch.ones(2))
torch.complex64
torch.cfloat
torch.bfloat16
torch.zeros(2, dtype=torch.bfloat16)
torch.zeros(2, dtype=torch.complex64)
torch.ones(2).to(torch.bfloat16)
torch.ones(2).dtype == torch.bfloat16
torch.uint16
torch.quint8
{'float32': torch.float32, 'bfloat16': torch.bfloat16, 'float16': torch.float16}['float32']
torch.nn.DataParallel(nn.Linear(1,1))
torch.nn.parallel.DistributedDataParallel(nn.Linear(1,1))
torch.distributed.is_available()
torch.distributed.is_initialized()
torch.distributed.init_process_group('gloo')
torch.distributed.get_rank()
torch.multiprocessing.spawn
torch.manual_seed(1)
torch.random.manual_seed(1)
torch.seed()
torch.initial_seed()
torch.random.fork_rng()
torch.get_rng_state()
torch.set_rng_state(torch.get_rng_state())
torch.Generator(device='cpu').manual_seed(3)
torch.default_generator
torch.dtype
isinstance(torch.float32, torch.dtype)
torch.ones(2,3).shape.numel()
torch.Size([2,3]).numel()
torch.ones(2).size().numel()
isinstance(torch.ones(2).shape, torch.Size)
torch.spmm(torch.eye(2), torch.ones(2,2))
torch.sparse.mm(torch.eye(2), torch.ones(2,2))
torch.sparse_coo_tensor(torch.zeros(2,1).long(), torch.ones(1), (2,2))
torch.sparse.FloatTensor(torch.zeros(2,1).long(), torch.ones(1), (2,2))
torch.eye(2).to_sparse()
torch.eye(2).to_dense()
torch.testing.assert_close(torch.ones(2), torch.ones(2))
torch.utils.data.get_worker_info()
torch.utils.checkpoint.checkpoint(lambda x: x, torch.ones(2), use_reentrant=False)
torch.utils.model_zoo
torch.utils.cpp_extension
torch.hub.load_state_dict_from_url
torch.hub.load
torch.onnx.export
torch.fx.symbolic_trace
torch.quantization.quantize_dynamic
torch.ao.quantization
torch.overrides
torch.library
torch.version.cuda
torch.__version__
torch.version.__version__
torch.is_grad_enabled()
torch.set_grad_enabled(True)
torch.is_storage(torch.ones(2))
torch.typename(torch.ones(2))
torch.is_nonzero(torch.ones(1))
torch.get_num_threads()
torch.get_num_interop_threads()
torch.are_deterministic_algorithms_enabled()
torch.is_deterministic_algorithms_warn_only_enabled()
torch.vmap
torch.func.vmap
torch.ops
torch.ones(2).as_subclass(torch.Tensor)
torch.relu_(torch.ones(2))
torch.conv2d(torch.ones(1,1,3,3), torch.ones(1,1,2,2))
torch.cosine_similarity(torch.ones(1,2), torch.ones(1,2))
torch.layer_norm(torch.ones(2,3), (3,))
torch.dropout(torch.ones(2), 0.5, True)
torch.embedding(torch.ones(3,2), torch.tensor([0,1]))
torch.pairwise_distance(torch.ones(1,2), torch.zeros(1,2))
torch.pixel_shuffle(torch.ones(1,4,2,2), 2)
torch.prelu(torch.ones(2), torch.ones(1))
torch.detach(torch.ones(2))
torch.strided
torch.layout
torch.memory_format
torch.newaxis
torch.numel(torch.ones(2))
torch.unravel_index(torch.tensor(3), (2,2))
torch.frombuffer(b'\\0\\0\\0\\0', dtype=torch.float32)
torch.nested
torch.Tensor([1.]).new(2)
torch.Tensor([1.]).new_tensor([1])
torch.can_cast(torch.int64, torch.float32)
torch.Event()
torch.Storage
torch.FloatStorage
torch.jit.save(nn.Linear(1,1), 'net.pt')
torch.save(nn.Linear(1,1), 'net.pt')
"""
# Lines that PyTorch runs and we cannot; and what is said of them. All others run, here as there.
REFUSED = {
    "torch.zeros(2, dtype=torch.bfloat16)": "zeros: tensors hold booleans, integers or floats, not torch.bfloat16",
    "torch.zeros(2, dtype=torch.complex64)": "zeros: tensors hold booleans, integers or floats, not torch.complex64",
    "torch.ones(2).to(torch.bfloat16)": "tensors hold booleans, integers or floats, not torch.bfloat16",
    "nn.Linear(1,1).to(torch.bfloat16)": "tensors hold booleans, integers or floats, not torch.bfloat16",
    "torch.BFloat16Tensor": "there is no bfloat16 in NumPy; use float32",
    "torch.complex(torch.ones(2), torch.ones(2))": "torch.complex: PyTorch has it, chainrule does not; there are no complex numbers",
    "torch.polar(torch.ones(2), torch.ones(2))": "there are no complex numbers",
    "torch.view_as_complex(torch.ones(2,2))": "there are no complex numbers",
    "torch.ones(2).imag": "torch.Tensor.imag: PyTorch has it, chainrule does not; there are no complex numbers",
    "torch.imag(torch.ones(2))": "there are no complex numbers",
    "torch.sparse_coo_tensor(torch.zeros(2,1).long(), torch.ones(1), (2,2))": "all tensors are dense",
    "torch.sparse.FloatTensor(torch.zeros(2,1).long(), torch.ones(1), (2,2))": "torch.sparse has no attribute 'FloatTensor'",
    "torch.eye(2).to_sparse()": "torch.Tensor.to_sparse: PyTorch has it, chainrule does not; all tensors are dense",
    "torch.ones(2).storage()": "a tensor's memory is its NumPy array, t.array",
    "torch.ones(2).untyped_storage()": "a tensor's memory is its NumPy array, t.array",
    "torch.Storage": "a tensor's memory is its NumPy array, t.array",
    "torch.FloatStorage": "a tensor's memory is its NumPy array, t.array",
    "torch.ones(2).record_stream(None)": "torch.Tensor.record_stream: PyTorch has it, chainrule does not; the only device is 'cpu'",
    "torch.Event()": "the only device is 'cpu'",
    "torch.ones(2).as_subclass(torch.Tensor)": "torch.Tensor.as_subclass: PyTorch has it, chainrule does not",
    "torch.embedding(torch.ones(3,2), torch.tensor([0,1]))": "torch.embedding: PyTorch has it, chainrule does not; call it in nn.functional",
    "torch.amp.autocast_mode": "did you mean 'autocast'?",
    "torch.jit.ScriptModule": "nothing is compiled to a file; save the state_dict",
    "torch.jit.save(nn.Linear(1,1), 'net.pt')": "jit: no code is written to a file",
    "torch.save(nn.Linear(1,1), 'net.pt')": "save its state_dict()",
    "torch.is_inference_mode_enabled()": "ask is_grad_enabled()",
    "torch.is_deterministic_algorithms_warn_only_enabled()": "close to it is 'are_deterministic_algorithms_enabled'",
    "torch.autograd.graph.saved_tensors_hooks": "nothing looks at what is saved; checkpoint saves less",
    "torch.autograd.forward_ad": "give func.jvp the function",
    "torch.autograd.profiler.profile()": "run `python -m cProfile -s cumtime`",
    "torch.profiler.profile()": "run `python -m cProfile -s cumtime`",
    "torch.multiprocessing.spawn": "processes are started by `python -m autograd.distributed.launch -n 4 train.py`",
    "torch.nested": "use func.vmap",
    "torch.hub.load": "load a state_dict from its file",
    "torch.hub.load_state_dict_from_url": "load a state_dict from its file",
    "torch.utils.model_zoo": "load a state_dict from its file",
    "torch.utils.cpp_extension": "an op of your own is written in NumPy",
    "torch.library": "an op of your own is written in NumPy",
    "torch.overrides": "torch.overrides: PyTorch has it, chainrule does not",
    "torch.fx.symbolic_trace": "use autograd.draw",
    "torch.quantization.quantize_dynamic": "there are no quantized",
    "torch.ao.quantization": "there are no quantized",
    **dict.fromkeys(
        [line for line in SAID.splitlines() if re.search(r"\.cuda\(|to\('cuda'\)", line)], "the only device here is 'cpu'"
    ),
    "torch.cuda.nvtx.range_push('x')": "torch.cuda.nvtx: PyTorch has it, chainrule does not; the only device is 'cpu'",
    **dict.fromkeys(
        """torch.cuda.current_device()|torch.cuda.get_device_name(0)|torch.cuda.get_device_properties(0)|torch.cuda.set_device(0)
        torch.cuda.Stream()|torch.cuda.Event(enable_timing=True)|torch.cuda.FloatTensor(2)""".replace("\n        ", "|").split(
            "|"
        ),
        "cuda: there is no GPU here, the only device is 'cpu'; ask torch.cuda.is_available() first",
    ),
}
PROGRAM = """
import torch, torch.nn as nn, sys, warnings
for line in sys.stdin.read().splitlines():
    try:
        exec(line)
        print("ran")
    except Exception as error:
        ours = type(error).__module__ == "autograd.errors"
        print("refused" if ours else type(error).__name__, str(error).replace(chr(10), " "))
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """What comes of each line in a program that is run as it stands."""
    file = tmp_path_factory.mktemp("program") / "passing.py"
    file.write_text(PROGRAM, encoding="utf-8")
    code = f"import sys; sys.path.insert(0, {str(Path(autograd.__file__).parents[1])!r}); sys.argv = ['run', {str(file)!r}]; "
    lines = SAID.strip().splitlines()
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code + "import autograd.run; autograd.run.main()"],
        input="\n".join(lines), capture_output=True, text=True, check=True,
    )  # fmt: skip
    return dict(zip(lines, done.stdout.splitlines(), strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("line", SAID.strip().splitlines())
def test_a_line_in_passing_runs_or_is_refused_by_a_sentence(line, said):
    if line in REFUSED:
        assert said[line].startswith("refused ")
        assert REFUSED[line] in said[line]
    else:
        assert said[line] == "ran"


def test_no_refusal_is_left_over():
    assert REFUSED.keys() <= set(SAID.splitlines())


# ---------------------------------------------------------------- names of PyTorch's
def writer():
    spec = importlib.util.spec_from_file_location("pytorch_list", WRITER)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.filterwarnings("ignore::FutureWarning")  # PyTorch's, of names that it will drop
def test_the_list_is_pytorchs(torch):
    if not WRITER.exists():
        pytest.skip("docs/ is not here, as when the tests are copied away to try an installed package")
    (version,), write = absent.pytorchs()["version"], writer()
    if version != write.VERSION:
        pytest.skip(f"the list is that of PyTorch {version}, this is {write.VERSION}")
    listed = {place: frozenset(write.names(place)) for place in write.PLACES}
    assert listed | {"version": {version}} == absent.pytorchs(), "python docs/pytorch_list.py writes the list anew"


def test_advice_is_for_names_that_are_not_here():
    """Of a name that is here nobody is told to do without; but two of PyTorch's first names stand in linalg now."""
    here = {n for place in (autograd, Tensor, autograd.linalg, autograd.special) for n in dir(place) if hasattr(place, n)}
    assert here & absent.ADVICE.keys() == {"solve", "lstsq"}


def test_advice_names_what_there_is():
    for advice in set(absent.ADVICE.values()):
        for home, name in re.findall(r"\b(linalg|func|nn)\.(\w+)", advice):
            assert hasattr(getattr(autograd, home), name), advice


@pytest.mark.parametrize("name", sorted(n for n in absent.pytorchs()["torch.Tensor"] if not hasattr(Tensor, n)))
def test_a_tensor_says_what_it_has_not(name):
    with pytest.raises(errors.NoAttributeError, match=rf"torch\.Tensor\.{name}: PyTorch has it, chainrule does not"):
        getattr(tensor(1.0), name)
    assert name not in dir(tensor(1.0))


def test_what_a_tensor_has_not_can_be_asked_for():
    x = tensor(1.0)
    assert not hasattr(x, "to_sparse")
    assert getattr(x, "to_sparse", None) is None
    assert not hasattr(Tensor, "to_sparse")
    x.data, x.requires_grad = tensor(2.0), True
    with pytest.raises(AttributeError, match="'Tensor' object has no attribute 'summ'"):
        x.summ  # noqa: B018


def test_a_module_says_what_it_has_not():
    with pytest.raises(
        errors.NoAttributeError, match=r"torch\.linalg\.lu: PyTorch has it, chainrule does not; use linalg\.solve"
    ):
        autograd.linalg.lu  # noqa: B018
    for place in (autograd.nn, autograd.nn.functional, autograd.optim, autograd.special, autograd.func, autograd.random):
        with pytest.raises(errors.NoAttributeError, match=r"torch.* has no attribute 'nonsense'"):
            place.nonsense  # noqa: B018
    with pytest.raises(errors.NoAttributeError, match=r"torch\.linalg has no attribute 'invs'; did you mean 'inv'\?"):
        autograd.linalg.invs  # noqa: B018
    with pytest.raises(errors.NoAttributeError, match="module 'autograd' has no attribute 'zeross'; did you mean 'zeros'"):
        autograd.zeross  # noqa: B018
    with pytest.raises(errors.NoAttributeError, match=r"torch\.range: PyTorch has it, chainrule does not; use arange"):
        autograd.range  # noqa: B018


def test_functions_of_torch_that_are_methods_or_in_nn_functional():
    x = autograd.ones(1, 2)
    assert autograd.relu_(-x).tolist() == [[0, 0]]
    assert autograd.detach(x.requires_grad_()).requires_grad is False
    assert autograd.is_complex(x) is False
    assert autograd.real(x) is x
    assert autograd.cosine_similarity(x, x).item() == pytest.approx(1)
    assert autograd.layer_norm is autograd.nn.functional.layer_norm


@pytest.mark.parametrize("name", sorted(FUNCTIONAL))
def test_they_take_what_they_take_there(name, torch):
    """So that what stands in torch may be what stands in nn.functional."""
    assert hasattr(torch, name)
    assert hasattr(torch.nn.functional, name)


def test_a_dtype_that_there_is_not_is_a_name():
    kinds = {"bfloat16": autograd.bfloat16, "float16": autograd.float16}
    assert repr(kinds["bfloat16"]) == "torch.bfloat16"
    assert autograd.ones(1).dtype != kinds["bfloat16"]
    assert isinstance(autograd.ones(1).dtype, autograd.dtype)
    for call in (
        lambda: autograd.ones(1, dtype=autograd.bfloat16),
        lambda: autograd.ones(1).to(autograd.complex64),
        lambda: autograd.set_default_dtype(autograd.bfloat16),
    ):
        with pytest.raises(errors.DtypeError, match="tensors hold booleans, integers or floats, not torch"):
            call()


def test_a_place_is_what_it_says():
    assert repr(passing.cuda) == "<what is here of torch.cuda>"
    assert not hasattr(passing.cuda, "__wrapped__")
    assert find("cuda").is_available() is False
    assert "version" in PATHS
    passing.backends.cudnn.benchmark = True
    assert find("backends.cudnn").version() is None


# ---------------------------------------------------------------- as a program sees shapes
def test_shapes_are_sizes_where_a_program_runs_unchanged():
    done = python(
        "import autograd.as_torch, torch; x = torch.zeros(2, 3, 4); y = x.shape; "
        "print(y, y.numel(), y[1:].numel(), type(y + (1,)) is torch.Size, y == (2, 3, 4), len(y), torch.Tensor(y[:2]).shape, "
        "torch.nn.Linear(4, 2)(x).shape, x.size(), tuple(y))"
    )
    assert done.stderr == ""
    expected = (
        "torch.Size([2, 3, 4]) 24 12 True True 3 torch.Size([2, 3]) torch.Size([2, 3, 2]) torch.Size([2, 3, 4]) (2, 3, 4)\n"
    )
    assert done.stdout == expected
    assert type(autograd.zeros(2, 3).shape) is tuple
