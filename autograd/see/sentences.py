# ruff: noqa: E501
"""What is said about primitives, by name, until it stands in the table: `says=` and `kink=`."""

from ..engine.conversion import PRIMITIVES


def _read(text: str) -> dict[str, str]:
    return dict(line.split("\t", 1) for line in text.strip().splitlines())


KINKS = _read("""
power	x**0 has derivative 0 in x, also at x = 0; the derivative in y is 0 where x is 0 and y is not negative
absolute	0 at x = 0
remainder	1 in x and -(x // y) in y, also where it jumps
floor_divide	0, also where it jumps
relu	0 at x = 0
fmod	1 in x and -trunc(x / y) in y, also where it jumps
hypot	0 where x = y = 0
arctan2	0 where x = y = 0
copysign	0 in x where x = 0; 0 in y, also where it jumps
logit	NaN outside [0, 1], as its value; infinite at 0 and 1
xlogy	0 where x = 0, unless y is positive, when it is log(y) in x
logaddexp	half to each where x and y are the same infinity
logaddexp2	half to each where x and y are the same infinity
maximum	half to each where x = y
minimum	half to each where x = y
fmax	where x = y it goes to x; to the one that is no NaN, and to x where both are
fmin	where x = y it goes to x; to the one that is no NaN, and to x where both are
clip_min	where x = min it goes to x
clip_max	where x = max it goes to x
nan_to_num	0 where x is NaN or infinite
sign	0, also where it jumps
heaviside	0 in x, also where it jumps; in values 1 where x = 0, else 0
floor	0, also where it jumps
ceil	0, also where it jumps
trunc	0, also where it jumps
round	0, also where it jumps
amax	ties share equally
amin	ties share equally
logsumexp	0 where all are -inf; those that are inf share equally
logcumsumexp	0 as long as all are -inf; to the first that is inf goes all
median	ties share equally
scatter_extreme	elements that tie for an extreme share equally
root	0 at x = 0, where the slope is infinite: what makes std of a constant have gradient 0
vector_norm	0 where x is 0, and where the norm is 0
slogdet	refused where the determinant is 0, unless g is 0
qr	refused where columns depend on each other, unless g is 0
eigh	that of eigenvectors is refused where eigenvalues repeat, unless it is 0; that of eigenvalues is right there
svd	that of singular vectors is refused where singular values repeat, unless it is 0; 0 for a singular value of 0
svdvals	0 for a singular value of 0
hardtanh	0 at x = low and at x = high
hardswish	0 at x = -3, 1 at x = 3
window_max	of tied elements the first in the window gets it
""")
SAYS = _read("""
add	The sum x + y, elementwise (torch.add).
subtract	The difference x - y, elementwise (torch.sub).
multiply	The product x * y, elementwise (torch.mul).
divide	The quotient x / y, elementwise, of integers too a float (torch.true_divide).
negative	Minus x (torch.neg).
astype	The elements of x in another dtype (torch.Tensor.to).
positive	x as it is (torch.positive).
power	The power x**y, elementwise (torch.pow).
square	The square x * x (torch.square).
reciprocal	One over x (torch.reciprocal).
absolute	The absolute value of x (torch.abs).
remainder	What is left of x after floor division by y, with the sign of y (torch.remainder).
fmod	What is left of x after division by y, rounded towards 0, with the sign of x (torch.fmod).
floor_divide	The quotient x / y, rounded down (torch.floor_divide).
hypot	The hypotenuse, sqrt(x**2 + y**2), without overflow on the way (torch.hypot).
exp	The exponential, e to the power of x (torch.exp).
exp2	2 to the power of x (torch.exp2).
expm1	exp(x) - 1, with all its digits where x is close to 0 (torch.expm1).
log	The natural logarithm of x (torch.log).
log2	The logarithm of x to base 2 (torch.log2).
log10	The logarithm of x to base 10 (torch.log10).
log1p	log(1 + x), with all its digits where x is close to 0 (torch.log1p).
sqrt	The square root of x (torch.sqrt).
cbrt	The cube root of x (numpy.cbrt).
rsqrt	One over the square root of x (torch.rsqrt).
sin	The sine of x, in radians (torch.sin).
cos	The cosine of x, in radians (torch.cos).
tan	The tangent of x, in radians (torch.tan).
arcsin	The inverse sine of x, from -pi/2 to pi/2 (torch.asin).
arccos	The inverse cosine of x, from 0 to pi (torch.acos).
arctan	The inverse tangent of x, from -pi/2 to pi/2 (torch.atan).
arctan2	The angle, from -pi to pi, of the point whose height is x and whose distance to the right is y (torch.atan2).
sinh	The hyperbolic sine of x (torch.sinh).
cosh	The hyperbolic cosine of x (torch.cosh).
tanh	The hyperbolic tangent of x, from -1 to 1 (torch.tanh).
arcsinh	The inverse hyperbolic sine of x (torch.asinh).
arccosh	The inverse hyperbolic cosine of x, which is at least 1 (torch.acosh).
arctanh	The inverse hyperbolic tangent of x, which is between -1 and 1 (torch.atanh).
sigmoid	The logistic function, 1 / (1 + exp(-x)), from 0 to 1 (torch.sigmoid).
relu	x where it is positive, else 0 (torch.relu).
logit	The inverse of sigmoid, log(x / (1 - x)) (torch.logit).
erf	The error function, 2 / sqrt(pi) times the integral of exp(-t**2) from 0 to x (torch.erf).
erfc	1 - erf(x), with all its digits where x is large (torch.erfc).
erfinv	The inverse of the error function, of x between -1 and 1 (torch.erfinv).
sinc	The n-th derivative of sin(pi * x) / (pi * x), which is 1 at x = 0 (torch.sinc for n = 0).
lgamma	The logarithm of the absolute value of the gamma function (torch.lgamma).
polygamma	The n-th derivative of digamma, which is that of lgamma (torch.polygamma).
iv	The modified Bessel function of the first kind, of order n, at x (torch.special.i0 and i1 for n = 0 and 1).
log_ndtr	The logarithm of the probability that a standard normal number is at most x (torch.special.log_ndtr).
xlogy	x * log(y), and 0 where x is 0 (torch.xlogy).
logaddexp	log(exp(x) + exp(y)), without overflow on the way (torch.logaddexp).
logaddexp2	log2(2**x + 2**y), without overflow on the way (torch.logaddexp2).
maximum	The greater of x and y, elementwise; NaN if one is NaN (torch.maximum).
minimum	The smaller of x and y, elementwise; NaN if one is NaN (torch.minimum).
fmax	The greater of x and y, elementwise; the other if one is NaN (torch.fmax).
fmin	The smaller of x and y, elementwise; the other if one is NaN (torch.fmin).
clip_min	x, but at least min, elementwise (torch.clamp_min).
clip_max	x, but at most max, elementwise (torch.clamp_max).
where	x where the condition c holds, else y (torch.where).
fill	One value in the shape and the dtype of x (torch.full_like).
nan_to_num	x with 0 in place of NaN and the dtype's greatest and least in place of infinities (torch.nan_to_num).
copysign	The absolute value of x with the sign of y (torch.copysign).
sign	-1, 0 or 1, as x is negative, 0 or positive (torch.sign).
floor	x rounded down to an integer (torch.floor).
ceil	x rounded up to an integer (torch.ceil).
trunc	x rounded towards 0 to an integer (torch.trunc).
heaviside	The step from 0 to 1, with values where x is 0 (torch.heaviside).
round	x rounded to so many decimals, halves to even (torch.round).
equal	Where x equals y (torch.eq).
not_equal	Where x differs from y (torch.ne).
less	Where x is less than y (torch.lt).
less_equal	Where x is at most y (torch.le).
greater	Where x is greater than y (torch.gt).
greater_equal	Where x is at least y (torch.ge).
logical_and	Where neither x nor y is 0 (torch.logical_and).
logical_or	Where x or y or both are not 0 (torch.logical_or).
logical_xor	Where one of x and y is 0 and the other is not (torch.logical_xor).
logical_not	Where x is 0 (torch.logical_not).
bitwise_and	The bits that are set in both x and y, integers or booleans (torch.bitwise_and).
bitwise_or	The bits that are set in x or y or both, integers or booleans (torch.bitwise_or).
bitwise_xor	The bits that are set in one of x and y only, integers or booleans (torch.bitwise_xor).
invert	The bits that are not set in x, integers or booleans (torch.bitwise_not).
left_shift	x * 2**y, of integers: the bits of x moved y places up (torch.bitwise_left_shift).
right_shift	x // 2**y, of integers: the bits of x moved y places down (torch.bitwise_right_shift).
isfinite	Where x is neither infinite nor NaN (torch.isfinite).
isnan	Where x is NaN (torch.isnan).
isinf	Where x is infinite (torch.isinf).
signbit	Where x is negative, -0.0 included (torch.signbit).
sum	The sum of x over the axes (torch.sum).
mean	The mean of x over the axes (torch.mean).
var	The mean squared distance of x from its mean over the axes, with correction taken from the count (torch.var).
amax	The greatest element of x over the axes (torch.amax).
amin	The smallest element of x over the axes (torch.amin).
logsumexp	The logarithm of the sum of exp(x) over the axes, without overflow on the way (torch.logsumexp).
root	The square root of x, whose derivative at 0 is taken to be 0 (torch.std is made of it).
argmax	Where along an axis the first greatest element of x is (torch.argmax).
argmin	Where along an axis the first smallest element of x is (torch.argmin).
argsort	The positions along an axis that put x in order; equal elements stay in theirs (torch.argsort).
all	Whether along the axes no element of x is 0 (torch.all).
any	Whether along the axes some element of x is not 0 (torch.any).
recurrence	h[t] = x[t] + a[t] * h[t - 1] along an axis, from h[0] = x[0].
cumsum	The running sum of x along an axis (torch.cumsum).
cumprod	The running product of x along an axis (torch.cumprod).
logcumsumexp	The logarithm of the running sum of exp(x) along an axis (torch.logcumsumexp).
argcummax	Where the greatest element of x so far along an axis is, the last of equal ones (torch.cummax).
argcummin	Where the smallest element of x so far along an axis is, the last of equal ones (torch.cummin).
reshape	The elements of x, in order, in another shape (torch.reshape).
permute	x with its axes in another order (torch.permute).
transpose	x with two of its axes exchanged (torch.transpose).
expand	x repeated to a larger shape without being copied (torch.broadcast_to).
flip	x in reverse order along the axes (torch.flip).
roll	x moved along the axes; what leaves at one end comes in at the other (torch.roll).
tril	The part of the matrices x on and below a diagonal, 0 elsewhere (torch.tril).
triu	The part of the matrices x on and above a diagonal, 0 elsewhere (torch.triu).
diagonal	A diagonal of x through two of its axes (torch.diagonal).
undiagonal	Zeros of a shape with x on a diagonal: the adjoint of diagonal (torch.diag_embed).
clone	A copy of x (torch.clone).
repeats	The positions 0, 1, ..., each as often as counts says (torch.repeat_interleave).
concatenate	The arrays xs, one after the other along an axis (torch.cat).
stack	The arrays xs along a new axis (torch.stack).
split	Parts of x along an axis, given by where each ends (torch.tensor_split).
unbind	The slices of x along an axis, one by one (torch.unbind).
slice	The part of x at an index of numbers and slices (torch.Tensor.__getitem__).
unslice	Zeros of a shape with x at an index of numbers and slices: the adjoint of slice (torch.slice_scatter).
index	The elements of x at an index with arrays in it (torch.Tensor.__getitem__).
unindex	Zeros of a shape with x added at an index with arrays in it: the adjoint of index (torch.index_put).
setitem	A copy of x with v at an index (torch.index_put).
last_written	1 where an assignment to x[index] is the last to its element, 0 where a later one overwrites it.
written	A copy of x with v in the part that a path of views leads to (torch.Tensor.copy_).
gather	The elements of x at positions along an axis, one for each element of index (torch.gather).
ungather	Zeros of a shape with x added at positions along an axis: the adjoint of gather (torch.scatter_add).
scatter_extreme	x with the extreme of each element and of those of src that fall on it (torch.scatter_reduce).
one_hot	Rows of zeros with a 1 where the labels say (torch.nn.functional.one_hot).
argwhere	The positions of the elements of x that are not 0, one in each row (torch.argwhere).
searchsorted	Where in the sorted x the elements of v would have to stand (torch.searchsorted).
isin	Whether each element of x is among those of y (torch.isin).
median	The median of all elements of x, of two in the middle the lower (torch.median).
argmode	Where along an axis the last of the most frequent values of x is, the smallest of them (torch.mode).
groups	Of the rows of x: the first of each group of equal ones, the group of each, and the size of each (torch.unique).
bincount	How often each of 0, 1, ... is in x, or the sum of its weights (torch.bincount).
histogram	How many elements of x lie between edges, or the sum of their weights, and the edges (torch.histogram).
matmul	The matrix product of x and y, of the last two axes (torch.matmul).
matvec	The matrices x times the vector y (torch.mv).
einsum	The sum of products of the arrays xs that a formula of letters describes (torch.einsum).
vector_norm	The p-norm of x over the axes (torch.linalg.vector_norm).
near	Where the differences d of eigenvalues or singular values are 0 but for rounding.
defined	x, a gradient that does not exist where there is a hole: there it may only be 0.
inv	The inverse of the matrices x (torch.linalg.inv).
solve	The solution X of the linear systems a @ X = b (torch.linalg.solve).
pinv	The pseudoinverse of the matrices x (torch.linalg.pinv).
mirror	The symmetric matrices that have the lower triangles of x.
det	The determinant of the matrices x (torch.linalg.det).
cofactor	The gradient of the determinant of x; given matrices hs, its derivative in the directions of all of these.
slogdet	The sign of the determinant of the matrices x, and the logarithm of its absolute value (torch.linalg.slogdet).
cholesky	The lower triangle L with L @ L.T = x (torch.linalg.cholesky).
qr	The matrices x as orthogonal Q times upper triangular R (torch.linalg.qr).
eigh	Eigenvalues, in ascending order, and eigenvectors of symmetric matrices x (torch.linalg.eigh).
svd	The singular value decomposition of the matrices x, as U, S and V.T (torch.linalg.svd).
eigvalsh	The eigenvalues of symmetric matrices x, in ascending order (torch.linalg.eigvalsh).
svdvals	The singular values of the matrices x, in descending order (torch.linalg.svdvals).
sum_product	The sum of x * y over the axes, which stay with length 1.
softmax	exp(x) over its sum along an axis: positive, with sum 1 (torch.softmax).
log_softmax	The logarithm of softmax along an axis (torch.log_softmax).
linear	x @ w.T + b (torch.nn.functional.linear).
softplus	log(1 + exp(x)), a smooth relu (torch.nn.functional.softplus).
rms	x over the root of its mean square along the axes, and the mean square (torch.nn.functional.rms_norm).
hardtanh	x, but at least low and at most high (torch.nn.functional.hardtanh).
hardswish	x times clip(x + 3, 0, 6) / 6 (torch.nn.functional.hardswish).
gelu_tanh	x times an approximation by tanh of the normal distribution at x (torch.nn.functional.gelu).
embedding	The rows of w at the positions i (torch.nn.functional.embedding).
first_largest	For each of n bags of rows, and in each column, which row has the largest value; of several the first.
cross_entropy	Minus the log-probability of each label under the softmax of its row of x (torch.nn.functional.cross_entropy).
binary_cross_entropy	-(t * log(x) + (1 - t) * log(1 - x)), the logarithms at least -100 (torch.nn.functional.binary_cross_entropy).
binary_cross_entropy_with_logits	The binary cross-entropy of sigmoid(x) and t (torch.nn.functional.binary_cross_entropy_with_logits).
huber	x**2 / 2 where x is at most delta in size, from there on a straight line (torch.nn.functional.huber_loss).
ctc_states	The labels of each sequence with a blank before, between and after them, and blanks to the end of the row.
ctc_step	From the log-probabilities a of being in each state to those after one more output, e (torch.nn.functional.ctc_loss).
lstm_step	One step of an LSTM from the sums z at its gates and its cell c: hidden state, cell, gates (torch.nn.LSTMCell).
gru_step	One step of a GRU from the sums x and y at its gates and its hidden state h (torch.nn.GRUCell).
resample	x times a sparse matrix along an axis, given as how to pad or interpolate (torch.nn.functional.interpolate).
cell	x rounded down, from low to high, as positions.
windows	The places of all windows over the last axes of x, those of one window along a new axis (torch.nn.functional.unfold).
unfold_dim	The windows along one axis of x, as a last axis (torch.Tensor.unfold).
fold	Windows added up where they overlap: the adjoint of windows (torch.nn.functional.fold).
window_sum	The sum of each window over the last axes of x (torch.nn.functional.avg_pool2d).
window_max	The greatest element of each window over the last axes of x (torch.nn.functional.max_pool2d).
which	The first place of each window where its greatest element, top, stands.
pick	The element of x at one place of each window.
put	Zeros of a size with x added at one place of each window: the adjoint of pick (torch.nn.functional.max_unpool2d).
flat_index	Where in the flattened array the place of each window is.
conv	The kernels w times each window of x, plus b (torch.nn.functional.conv2d).
conv_transpose	The kernels w times each element of y, added up where they overlap: the adjoint of conv (torch.nn.functional.conv_transpose2d).
conv_weight	The gradient of the kernels of conv: the elements of y times the windows of x (torch.nn.grad.conv2d_weight).
normal	Random numbers around mean with the spread std (torch.normal).
uniform	Random numbers from low to high, all as likely (torch.Tensor.uniform_).
exponential	Random waiting times at a rate (torch.Tensor.exponential_).
randint	Random integers from low up to and without high (torch.randint).
randperm	The integers 0 to n - 1 in random order (torch.randperm).
bernoulli	1 with the probability p, else 0 (torch.bernoulli).
multinomial	n positions drawn with the probabilities that weights are in proportion to (torch.multinomial).
sgd	A step of gradient descent, with momentum (torch.optim.SGD).
signsgd	A step of one size by the sign of the gradient, or of a mean of gradients.
lion	A step by the sign of a mean of the gradients.
adagrad	A step along the gradient over the root of the sum of its squares (torch.optim.Adagrad).
rmsprop	A step along the gradient over the root of its mean square (torch.optim.RMSprop).
adadelta	A step whose size follows from those before (torch.optim.Adadelta).
rprop	A step by the sign of the gradient, each element with its own size (torch.optim.Rprop).
asgd	A step of gradient descent with a falling rate, and the mean of the path (torch.optim.ASGD).
adam	A step along the mean of the gradients over the root of their mean square (torch.optim.Adam).
adamax	A step of Adam with a decaying maximum in place of the root mean square (torch.optim.Adamax).
adabelief	A step of Adam that is long where the gradient is as expected, short where it surprises.
nadam	A step of Adam that looks ahead as Nesterov's momentum does (torch.optim.NAdam).
radam	A step of Adam that waits with the division until the mean square is known well enough (torch.optim.RAdam).
lamb	A step of Adam that is as long as the parameter times lr.
muon	A step along a mean of the gradients, made nearly orthogonal (torch.optim.Muon).
""")


def attach() -> None:
    """Hand the sentences to the primitives that there are."""
    for name, op in PRIMITIVES.items():
        op.says, op.kink = op.says or SAYS.get(name), op.kink or KINKS.get(name)


attach()
