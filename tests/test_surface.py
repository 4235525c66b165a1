"""The surface that is promised: every name is there as function, method and in-place method, and takes PyTorch's arguments."""

import contextlib
import inspect

import numpy as np
import pytest

import autograd
import nn.functional as F
from autograd import Tensor
from autograd.errors import AutogradError

# ---------------------------------------------------------------- what there is to be, family by family
FAMILIES = {
    "elementwise": """
        abs acos acosh asin asinh atan atanh atan2 ceil cos cosh deg2rad rad2deg exp exp2 expm1 floor frac log log10 log1p log2
        logit neg positive reciprocal round rsqrt sigmoid sign sgn signbit sin sinc sinh sqrt square tan tanh trunc erf erfc
        erfinv lgamma digamma isfinite isinf isnan nan_to_num add sub mul div true_divide floor_divide remainder fmod pow
        float_power maximum minimum fmax fmin hypot copysign heaviside xlogy logaddexp logaddexp2 lerp addcmul addcdiv clamp
        clamp_min clamp_max where eq ne lt le gt ge isclose allclose equal logical_and logical_or logical_xor logical_not
        bitwise_and bitwise_or bitwise_xor bitwise_not""",
    "reductions": """
        sum mean prod max min amax amin aminmax argmax argmin all any std var std_mean var_mean logsumexp norm median nansum
        nanmean quantile kthvalue mode count_nonzero cumsum cumprod cummax cummin logcumsumexp trace cov corrcoef diff
        trapezoid bincount histc unique""",
    "shape": """
        reshape view view_as reshape_as flatten unflatten ravel squeeze unsqueeze transpose permute movedim swapaxes t expand
        expand_as broadcast_to broadcast_tensors repeat tile repeat_interleave roll flip fliplr flipud rot90 cat stack hstack
        vstack dstack column_stack split split_with_sizes chunk tensor_split unbind narrow select unfold diagonal diag
        diag_embed tril triu tril_indices triu_indices meshgrid contiguous clone atleast_1d atleast_2d atleast_3d block_diag
        sum_to_size""",
    "indexing": """
        gather scatter scatter_add scatter_reduce index_select index_add index_copy index_fill index_put masked_fill
        masked_select masked_scatter take take_along_dim nonzero argwhere searchsorted bucketize isin sort argsort msort topk""",
    "linear algebra": """
        matmul mm mv bmm dot vdot outer inner einsum tensordot kron cross addmm addmv addbmm baddbmm cdist""",
    "creation": """
        zeros ones full empty eye arange linspace logspace zeros_like ones_like full_like empty_like rand_like randn_like
        randint_like new_zeros new_ones new_full new_empty new_tensor rand randn randint randperm normal bernoulli multinomial""",
}
LINALG = """
    inv solve det slogdet cholesky qr svd svdvals eigh eigvalsh norm vector_norm matrix_norm pinv lstsq matrix_power multi_dot
    solve_triangular cond matrix_rank vecdot"""
FUNCTIONAL = """
    relu relu6 leaky_relu prelu elu celu selu gelu silu mish softplus softsign hardtanh hardswish hardsigmoid hardshrink softshrink
    tanhshrink threshold logsigmoid glu softmax softmin log_softmax gumbel_softmax normalize linear bilinear conv1d conv2d conv3d
    conv_transpose1d conv_transpose2d conv_transpose3d max_pool1d max_pool2d max_pool3d avg_pool1d avg_pool2d avg_pool3d
    adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d unfold
    fold batch_norm layer_norm group_norm instance_norm rms_norm dropout dropout1d dropout2d dropout3d alpha_dropout embedding
    embedding_bag one_hot pad interpolate grid_sample affine_grid pixel_shuffle pixel_unshuffle scaled_dot_product_attention
    mse_loss l1_loss smooth_l1_loss huber_loss cross_entropy nll_loss binary_cross_entropy binary_cross_entropy_with_logits kl_div
    cosine_embedding_loss triplet_margin_loss margin_ranking_loss hinge_embedding_loss multi_margin_loss soft_margin_loss
    poisson_nll_loss gaussian_nll_loss ctc_loss cosine_similarity pairwise_distance"""
PROPERTIES = "T mT H"
ONLY_FUNCTIONS = """
    std_mean var_mean trapezoid broadcast_tensors cat stack hstack vstack dstack column_stack tril_indices triu_indices meshgrid
    atleast_1d atleast_2d atleast_3d block_diag searchsorted bucketize isin einsum tensordot cdist zeros ones full empty eye
    arange linspace logspace zeros_like ones_like full_like empty_like rand_like randn_like randint_like rand randn randint
    randperm normal"""
ONLY_METHODS = """
    view view_as reshape_as expand expand_as repeat unfold contiguous sum_to_size new_zeros new_ones new_full new_empty
    new_tensor"""
IN_PLACE = """
    abs acos acosh asin asinh atan atanh atan2 ceil cos cosh deg2rad rad2deg exp exp2 expm1 floor frac log log10 log1p log2
    logit neg reciprocal round rsqrt sigmoid sign sgn sin sinc sinh sqrt square tan tanh trunc erf erfc erfinv lgamma digamma
    nan_to_num add sub mul div true_divide floor_divide remainder fmod pow float_power hypot copysign heaviside xlogy lerp
    addcmul addcdiv clamp clamp_min clamp_max eq ne lt le gt ge logical_and logical_or logical_xor logical_not bitwise_and
    bitwise_or bitwise_xor bitwise_not cumsum cumprod squeeze unsqueeze transpose swapaxes t tril triu scatter scatter_add
    scatter_reduce index_add index_copy index_fill index_put masked_fill masked_scatter addmm addmv addbmm baddbmm"""
FILLS = "normal_ uniform_ bernoulli_ exponential_ random_ fill_ zero_ copy_ fill_diagonal_"

NAMES = [name for family in FAMILIES.values() for name in family.split()]


def test_every_function_is_there():
    assert [n for n in NAMES if n not in ONLY_METHODS.split() and not callable(getattr(autograd, n, None))] == []
    assert [n for n in LINALG.split() if not callable(getattr(autograd.linalg, n, None))] == []
    assert [n for n in FUNCTIONAL.split() if n not in F.__all__ or not callable(getattr(F, n, None))] == []


def test_every_method_is_there():
    methods = [n for n in NAMES if n not in ONLY_FUNCTIONS.split()]
    assert [n for n in methods if not callable(getattr(Tensor, n, None))] == []
    assert [n for n in PROPERTIES.split() if not isinstance(getattr(Tensor, n, None), property)] == []
    in_place = [n + "_" for n in IN_PLACE.split()] + FILLS.split()
    assert [n for n in in_place if not callable(getattr(Tensor, n, None))] == []


def test_the_lists_are_pytorchs(torch):
    """What is no function, no method or not in place here is none in PyTorch."""
    for name in NAMES:
        assert hasattr(torch, name) == (name not in ONLY_METHODS.split()), name
        assert hasattr(torch.Tensor, name) == (name not in ONLY_FUNCTIONS.split()), name
        assert hasattr(torch.Tensor, name + "_") == (name in IN_PLACE.split() or name + "_" in FILLS.split()), name
    for name in FUNCTIONAL.split():
        assert hasattr(torch.nn.functional, name), name
    for name in LINALG.split():
        assert hasattr(torch.linalg, name), name


# ---------------------------------------------------------------- what PyTorch calls the arguments, and what they default to
CALLS = {  # where one function has several forms, each stands here; some are spelled differently as a method
    "input": """
        abs acos acosh asin asinh atan atanh ceil cos cosh deg2rad rad2deg exp exp2 expm1 floor frac log log10 log1p log2 neg
        positive reciprocal rsqrt sigmoid sign sgn signbit sin sinc sinh sqrt square tan tanh trunc erf erfc erfinv lgamma
        digamma isfinite isinf isnan logical_not bitwise_not max min median trace corrcoef ravel t fliplr flipud clone
        argwhere msort contiguous linalg.inv linalg.det linalg.slogdet""",
    "input, other": """
        atan2 mul true_divide floor_divide remainder fmod maximum minimum fmax fmin hypot copysign xlogy logaddexp logaddexp2
        eq ne lt le gt ge equal logical_and logical_or logical_xor bitwise_and bitwise_or bitwise_xor max min matmul vdot inner
        kron view_as reshape_as expand_as""",
    "input, eps=None": "logit",
    "input, *, decimals=0": "round",
    "input, nan=None, posinf=None, neginf=None": "nan_to_num",
    "input, other, *, alpha=1": "add sub",
    "input, other, *, rounding_mode=None": "div",
    "input, exponent": "pow float_power",
    "input, values": "heaviside",
    "input, end, weight": "lerp",
    "input, tensor1, tensor2, *, value=1": "addcmul addcdiv",
    "input, min=None, max=None": "clamp",
    "input, min": "clamp_min",
    "input, max": "clamp_max",
    "condition, input, other": "where",
    "input, other, rtol=1e-05, atol=1e-08, equal_nan=False": "isclose allclose",
    "input, dim=None, keepdim=False, *, dtype=None": "sum mean nansum nanmean",
    "input, dim, keepdim=False, *, dtype=None": "prod",
    "input, dim, keepdim=False": "max min median logsumexp",
    "input, dim=None, keepdim=False": "all any amax amin argmax argmin",
    "input, *, dim=None, keepdim=False": "aminmax",
    "input, dim=None, *, correction=None, keepdim=False": "std var std_mean var_mean",
    "input, p='fro', dim=None, keepdim=False, *, dtype=None": "norm",
    "input, q, dim=None, keepdim=False, *, interpolation='linear'": "quantile",
    "input, k, dim=-1, keepdim=False": "kthvalue",
    "input, dim=-1, keepdim=False": "mode",
    "input, dim=None": "count_nonzero squeeze",
    "input, dim": "cummax cummin logcumsumexp unsqueeze",
    "input, dim, *, dtype=None": "cumsum cumprod",
    "input, *, correction=1, fweights=None, aweights=None": "cov",
    "input, n=1, dim=-1, prepend=None, append=None": "diff",
    "y, x, *, dim=-1": "trapezoid",
    "y, *, dx, dim=-1": "trapezoid",
    "input, weights=None, minlength=0": "bincount",
    "input, bins=100, min=0, max=0": "histc",
    "input, sorted=True, return_inverse=False, return_counts=False, dim=None": "unique",
    "input, shape": "reshape",
    "input, size": "broadcast_to new_zeros new_ones new_empty",
    "input, start_dim=0, end_dim=-1": "flatten",
    "input, dim, sizes": "unflatten",
    "input, dim0, dim1": "transpose",
    "input, dims": "permute tile flip",
    "input, source, destination": "movedim",
    "input, axis0, axis1": "swapaxes",
    "tensors": "hstack vstack dstack column_stack linalg.multi_dot",
    "input, repeats, dim=None, *, output_size=None": "repeat_interleave",
    "input, shifts, dims=None": "roll",
    "input, k=1, dims=(0, 1)": "rot90",
    "tensors, dim=0": "cat stack",
    "tensor, split_size_or_sections, dim=0": "split",
    "input, split_sizes, dim=0": "split_with_sizes",
    "input, chunks, dim=0": "chunk",
    "input, indices_or_sections, dim=0": "tensor_split",
    "input, sections, dim=0": "tensor_split",
    "input, indices, dim=0": "tensor_split",
    "input, dim=0": "unbind",
    "input, dim, start, length": "narrow",
    "input, dim, index": "select index_select",
    "input, dimension, size, step": "unfold",
    "input, offset=0, dim1=0, dim2=1": "diagonal",
    "input, diagonal=0": "diag tril triu",
    "input, offset=0, dim1=-2, dim2=-1": "diag_embed",
    "row, col, offset=0, *, dtype=int64": "tril_indices triu_indices",
    "input, dim, index, *, sparse_grad=False": "gather",
    "input, dim, index, src": "scatter scatter_add",
    "input, dim, index, value": "scatter index_fill",
    "input, dim, index, src, *, reduce": "scatter",
    "input, dim, index, src, reduce, *, include_self=True": "scatter_reduce",
    "input, dim, index, source, *, alpha=1": "index_add",
    "input, dim, index, source": "index_copy",
    "input, indices, values, accumulate=False": "index_put",
    "input, mask, value": "masked_fill",
    "input, mask": "masked_select",
    "input, mask, source": "masked_scatter",
    "input, index": "take",
    "input, indices, dim=None": "take_along_dim",
    "input, *, as_tuple=False": "nonzero",
    "sorted_sequence, input, *, out_int32=False, right=False, side=None, sorter=None": "searchsorted",
    "input, boundaries, *, out_int32=False, right=False": "bucketize",
    "elements, test_elements, *, assume_unique=False, invert=False": "isin",
    "input, dim=-1, descending=False, stable=False": "sort argsort",
    "input, k, dim=-1, largest=True, sorted=True": "topk",
    "input, mat2": "mm bmm",
    "input, vec": "mv",
    "input, tensor": "dot",
    "input, vec2": "outer",
    "a, b, dims=2": "tensordot",
    "input, other, dim=None": "cross",
    "input, mat1, mat2, *, beta=1, alpha=1": "addmm",
    "input, mat, vec, *, beta=1, alpha=1": "addmv",
    "input, batch1, batch2, *, beta=1, alpha=1": "addbmm baddbmm",
    "x1, x2, p=2.0, compute_mode=None": "cdist",
    "size, *, dtype=None, requires_grad=False": "zeros ones empty rand randn",
    "size, fill_value, *, dtype=None, requires_grad=False": "full",
    "n, m=None, *, dtype=None, requires_grad=False": "eye",
    "start, end, step=1, *, dtype=None, requires_grad=False": "arange",
    "start, end, steps, *, dtype=None, requires_grad=False": "linspace",
    "start, end, steps, base=10.0, *, dtype=None, requires_grad=False": "logspace",
    "input, *, dtype=None, requires_grad=False": "zeros_like ones_like empty_like rand_like randn_like",
    "input, fill_value, *, dtype=None, requires_grad=False": "full_like",
    "input, low, high, *, dtype=None, requires_grad=False": "randint_like",
    "input, size, fill_value, *, dtype=None": "new_full",
    "input, data, *, dtype=None, requires_grad=False": "new_tensor",
    "low, high, size, *, generator=None, dtype=None": "randint",
    "n, *, generator=None, dtype=None": "randperm",
    "mean, std=1.0, *, generator=None": "normal",
    "mean, std, size, *, generator=None, dtype=None": "normal",
    "input, p, *, generator=None": "bernoulli",
    "input, num_samples, replacement=False, *, generator=None": "multinomial",
    "A, B, *, left=True": "linalg.solve",
    "A, *, upper=False": "linalg.cholesky",
    "A, mode='reduced'": "linalg.qr",
    "A, full_matrices=True, *, driver=None": "linalg.svd",
    "A, *, driver=None": "linalg.svdvals",
    "A, UPLO='L'": "linalg.eigh linalg.eigvalsh",
    "A, ord=None, dim=None, keepdim=False, *, dtype=None": "linalg.norm",
    "x, ord=2, dim=None, keepdim=False, *, dtype=None": "linalg.vector_norm",
    "A, ord='fro', dim=(-2, -1), keepdim=False, *, dtype=None": "linalg.matrix_norm",
    "A, *, atol=None, rtol=None, hermitian=False": "linalg.pinv linalg.matrix_rank",
    "A, B, rcond=None, *, driver=None": "linalg.lstsq",
    "A, n": "linalg.matrix_power",
    "A, B, *, upper, left=True, unitriangular=False": "linalg.solve_triangular",
    "A, p=None": "linalg.cond",
    "x, y, *, dim=-1": "linalg.vecdot",
    "input, inplace=False": "F.relu F.relu6 F.selu F.silu F.mish F.hardswish F.hardsigmoid",
    "input, negative_slope=0.01, inplace=False": "F.leaky_relu",
    "input, weight": "F.prelu",
    "input, alpha=1.0, inplace=False": "F.elu F.celu",
    "input, approximate='none'": "F.gelu",
    "input, beta=1.0, threshold=20.0": "F.softplus",
    "input ": "F.softsign F.tanhshrink F.logsigmoid",
    "input, min_val=-1.0, max_val=1.0, inplace=False": "F.hardtanh",
    "input, lambd=0.5": "F.hardshrink F.softshrink",
    "input, threshold, value, inplace=False": "F.threshold",
    "input, dim=-1": "F.glu",
    "input, dim=None, *, dtype=None": "F.softmax F.softmin F.log_softmax",
    "logits, tau=1, hard=False, eps=1e-10, dim=-1": "F.gumbel_softmax",
    "input, p=2.0, dim=1, eps=1e-12": "F.normalize",
    "input, weight, bias=None": "F.linear",
    "input1, input2, weight, bias=None": "F.bilinear",
    "input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1": "F.conv1d F.conv2d F.conv3d",
    "input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1": """
        F.conv_transpose1d F.conv_transpose2d F.conv_transpose3d""",
    "input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False": """
        F.max_pool1d F.max_pool2d F.max_pool3d""",
    "input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True": "F.avg_pool1d",
    "input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None": """
        F.avg_pool2d F.avg_pool3d""",
    "input, output_size, return_indices=False": "F.adaptive_max_pool1d F.adaptive_max_pool2d F.adaptive_max_pool3d",
    "input, output_size": "F.adaptive_avg_pool1d F.adaptive_avg_pool2d F.adaptive_avg_pool3d",
    "input, kernel_size, dilation=1, padding=0, stride=1": "F.unfold",
    "input, output_size, kernel_size, dilation=1, padding=0, stride=1": "F.fold",
    "input, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-05": "F.batch_norm",
    "input, normalized_shape, weight=None, bias=None, eps=1e-05": "F.layer_norm",
    "input, num_groups, weight=None, bias=None, eps=1e-05": "F.group_norm",
    "input, running_mean=None, running_var=None, weight=None, bias=None, use_input_stats=True, momentum=0.1, eps=1e-05": """
        F.instance_norm""",
    "input, normalized_shape, weight=None, eps=None": "F.rms_norm",
    "input, p=0.5, training=True, inplace=False": "F.dropout F.dropout1d F.dropout2d F.dropout3d",
    "input, p=0.5, training=False, inplace=False": "F.alpha_dropout",
    "input, weight, padding_idx=None, max_norm=None, norm_type=2.0, scale_grad_by_freq=False, sparse=False": "F.embedding",
    "input, weight, offsets=None, max_norm=None, norm_type=2, scale_grad_by_freq=False, mode='mean', sparse=False, "
    "per_sample_weights=None, include_last_offset=False, padding_idx=None": "F.embedding_bag",
    "tensor, num_classes=-1": "F.one_hot",
    "input, pad, mode='constant', value=None": "F.pad",
    "input, size=None, scale_factor=None, mode='nearest', align_corners=None, recompute_scale_factor=None, antialias=False": """
        F.interpolate""",
    "input, grid, mode='bilinear', padding_mode='zeros', align_corners=None": "F.grid_sample",
    "theta, size, align_corners=None": "F.affine_grid",
    "input, upscale_factor": "F.pixel_shuffle",
    "input, downscale_factor": "F.pixel_unshuffle",
    "query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None, enable_gqa=False": """
        F.scaled_dot_product_attention""",
    "input, target, *, reduction='mean', weight=None": "F.mse_loss F.l1_loss",
    "input, target, *, reduction='mean', beta=1.0": "F.smooth_l1_loss",
    "input, target, reduction='mean', delta=1.0, weight=None": "F.huber_loss",
    "input, target, weight=None, *, ignore_index=-100, reduction='mean', label_smoothing=0.0": "F.cross_entropy",
    "input, target, weight=None, *, ignore_index=-100, reduction='mean'": "F.nll_loss",
    "input, target, weight=None, *, reduction='mean'": "F.binary_cross_entropy",
    "input, target, weight=None, *, reduction='mean', pos_weight=None": "F.binary_cross_entropy_with_logits",
    "input, target, *, reduction='mean', log_target=False": "F.kl_div",
    "input1, input2, target, margin=0, *, reduction='mean'": "F.cosine_embedding_loss F.margin_ranking_loss",
    "anchor, positive, negative, margin=1.0, p=2, eps=1e-06, swap=False, *, reduction='mean'": "F.triplet_margin_loss",
    "input, target, margin=1.0, *, reduction='mean'": "F.hinge_embedding_loss",
    "input, target, p=1, margin=1.0, weight=None, *, reduction='mean'": "F.multi_margin_loss",
    "input, target, *, reduction='mean'": "F.soft_margin_loss",
    "input, target, log_input=True, full=False, *, eps=1e-08, reduction='mean'": "F.poisson_nll_loss",
    "input, target, var, full=False, eps=1e-06, reduction='mean'": "F.gaussian_nll_loss",
    "log_probs, targets, input_lengths, target_lengths, blank=0, reduction='mean', zero_infinity=False": "F.ctc_loss",
    "x1, x2, dim=1, eps=1e-08": "F.cosine_similarity",
    "x1, x2, p=2.0, eps=1e-06, keepdim=False": "F.pairwise_distance",
}  # fmt: skip
VARIADIC = """
    view expand repeat sum_to_size broadcast_tensors meshgrid einsum block_diag atleast_1d atleast_2d atleast_3d"""
EVERY_CALL = [(name, arguments) for arguments, names in CALLS.items() for name in names.split()]


def found(name):
    module, _, last = name.rpartition(".")
    return getattr({"": autograd, "linalg": autograd.linalg, "F": F}[module], last, None) or getattr(Tensor, last)


def parameters(arguments):
    return inspect.signature(eval(f"lambda {arguments}: 0", {"int64": autograd.int64})).parameters.values()


def test_every_name_is_called():
    called = {name for name, _ in EVERY_CALL} | set(VARIADIC.split())
    asked = {*NAMES, *("linalg." + n for n in LINALG.split()), *("F." + n for n in FUNCTIONAL.split())}
    assert called == asked


class Odd:
    """What is no right argument for anything."""

    def __repr__(self):
        return "something odd"


@pytest.mark.parametrize(("name", "arguments"), EVERY_CALL)
def test_arguments_have_pytorchs_names(name, arguments):
    """Called with keywords that stand for nothing, what is wrong is never the keywords; and the defaults are PyTorch's."""
    op, asked = found(name), parameters(arguments)
    given = {p.name: Odd() for p in asked}
    self = [given.pop("input") and autograd.ones(2)] if name in ONLY_METHODS.split() else []
    with contextlib.suppress(AutogradError):
        op(*self, **given)
    ours = inspect.signature(op).parameters
    for p in asked:
        if p.name in ours and p.default is not p.empty:
            assert ours[p.name].default == p.default, p.name


@pytest.mark.parametrize(("name", "arguments"), EVERY_CALL)
def test_arguments_have_pytorchs_order(name, arguments):
    """What PyTorch takes by position stands in the same places here."""
    ours = list(inspect.signature(found(name)).parameters.values())
    for p, q in zip(parameters(arguments), ours, strict=False):
        if p.kind is p.KEYWORD_ONLY or q.kind is q.VAR_POSITIONAL:
            break
        assert p.name == q.name or (p.name, q.name) in OTHER_NAMES, (p.name, q.name)


OTHER_NAMES = {  # of one argument, both of which may be used
    ("input", "A"), ("A", "input"), ("x", "input"), ("input", "tensor"), ("size", "shape"), ("mat2", "other"), ("vec", "other"),
    ("tensor", "other"), ("sections", "indices_or_sections"), ("indices", "indices_or_sections"), ("input", "self"),
    ("other", "dim"), ("value", "src"),  # max and min are of two tensors, or over a dim; scatter takes a tensor, or a number
}  # fmt: skip


@pytest.fixture(scope="module")
def torchs_forms(torch):
    """A function from a name to the forms, {argument: default}, that PyTorch's function of that name has."""
    written = {}  # those of functions in C++ stand in its table
    for schema in torch._C._jit_get_all_schemas():
        arguments = {
            "input" if a.name == "self" else a.name: a.default_value if a.has_default_value() else None for a in schema.arguments
        }
        written.setdefault(schema.name.removeprefix("aten::"), []).append(arguments)

    def forms(name):
        module, _, last = name.rpartition(".")
        found = written.get({"": "", "linalg": "linalg_", "F": ""}[module] + last, [])
        function = getattr({"": torch, "linalg": torch.linalg, "F": torch.nn.functional}[module], last, None) or getattr(
            torch.Tensor, last
        )
        with contextlib.suppress(ValueError):
            ps = inspect.signature(function).parameters.values()
            found = [*found, {"input" if p.name == "self" else p.name: None if p.default is p.empty else p.default for p in ps}]
        return found

    return forms


IN_WORDS = {"indices_or_sections", "dtype", "generator", "requires_grad", "size", "as_tuple"}  # they stand in PyTorch's manual
UNWRITTEN = """
    unique new_tensor F.logsigmoid F.one_hot F.max_pool1d F.max_pool2d F.max_pool3d F.adaptive_max_pool1d F.adaptive_max_pool2d
    F.adaptive_max_pool3d"""  # of which only the manual has the arguments


@pytest.mark.parametrize(("name", "arguments"), [call for call in EVERY_CALL if call[0] not in UNWRITTEN.split()])
def test_arguments_are_pytorchs(torchs_forms, name, arguments):
    """The table above says what PyTorch's own signatures say."""
    asked = {p.name: None if p.default is p.empty else p.default for p in parameters(arguments)}
    forms = torchs_forms(name)
    also = {"A": "input", "x": "input", "B": "b", "input": "A"}  # torch.linalg's, in the manual
    fits = [form for form in forms if all(n in form or n in IN_WORDS or also.get(n) in form for n in asked)]
    assert fits, (asked, forms)
    wrong = [[n for n, default in asked.items() if n in form and not same_default(default, form[n])] for form in fits]
    assert [] in wrong, (wrong, asked, fits)


def same_default(ours, torchs):
    """A number stands for several of it, and None, as in PyTorch's table, for what is made of other arguments."""
    return (
        ours in (None, autograd.int64) or torchs in (None, []) or ours == torchs or set(np.ravel(torchs)) == set(np.ravel(ours))
    )
