"""What test_distributed.py runs in several processes: each check is a function, and says so when it has passed."""

import copy
import sys
import warnings

import numpy as np

import autograd
import nn
import nn.functional as F
from autograd import distributed, errors, tensor
from autograd.distributed import functional
from nn import metrics, optim
from nn.parallel import DistributedDataParallel
from nn.utils import clip_grad_norm_
from nn.utils.data import DistributedSampler

CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


def raises(error, *parts):
    class Expected:
        def __enter__(self):
            return self

        def __exit__(self, kind, value, trace):
            assert kind is not None, f"no {error.__name__}"
            assert issubclass(kind, error), value
            assert all(part in str(value) for part in parts), value
            return True

    return Expected()


def numbers(*shape, seed=0, dtype="f4"):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def same_everywhere(arrays):
    """Have all processes the same bits?"""
    everyone = [None] * n
    distributed.all_gather_object(everyone, [np.ascontiguousarray(a).tobytes() for a in arrays])
    assert all(theirs == everyone[0] for theirs in everyone)


def close(a, b, atol=1e-6):
    a, b = (np.asarray(getattr(v, "array", v)) for v in (a, b))
    assert (a.shape, a.dtype) == (b.shape, b.dtype)
    np.testing.assert_allclose(a, b, rtol=1e-6, atol=atol)


# ---------------------------------------------------------------- tensors and objects
@check
def tensors_of_all_dtypes_and_layouts():
    for dtype in ("f2", "f4", "f8", "i4", "i8", "u1"):
        for array in (np.arange(6).reshape(2, 3), np.arange(24).reshape(2, 3, 4)[:, ::2].T, np.array(5), np.zeros((0, 3))):
            everyone = [(array + k).astype(dtype) for k in range(n)]
            mine = tensor(everyone[rank])[...] if array.ndim else tensor(everyone[rank])
            t = mine.clone()
            distributed.all_reduce(t)
            close(t, sum(a.astype("f8") for a in everyone).astype(dtype))
            got = [autograd.zeros_like(mine) for _ in range(n)]
            distributed.all_gather(got, mine)
            for g, a in zip(got, everyone, strict=True):
                close(g, a)
            t = mine.clone()
            distributed.broadcast(t, n - 1)
            close(t, everyone[-1])


@check
def ways_to_combine():
    t = tensor([1.0 + rank, -2.0 * rank])
    for op, wanted in {
        "sum": [n * (n + 1) / 2, -n * (n - 1.0)], "avg": [(n + 1) / 2, -(n - 1.0)], "max": [n, 0.0], "min": [1.0, -2.0 * (n - 1)],
        "product": [float(np.prod(np.arange(1, n + 1))), 0.0],
    }.items():  # fmt: skip
        got = t.clone()
        work = distributed.all_reduce(got, op, async_op=True)
        work.wait()
        assert work.is_completed()
        close(got.abs(), np.abs(np.array(wanted, "f4")))
    got = tensor([rank == 0, True])
    distributed.all_reduce(got, distributed.ReduceOp.BAND)
    assert got.tolist() == [n == 1, True]
    got = t.clone()
    distributed.reduce(got, n - 1)
    close(got, np.array([n * (n + 1) / 2, -n * (n - 1.0)], "f4") if rank == n - 1 else t)
    with raises(errors.DtypeError, "'avg' does not combine int64"):
        distributed.all_reduce(tensor([1]), "avg")


@check
def parts():
    mine = [tensor([10.0 * rank + k, 1.0]) for k in range(n)]
    out = tensor([0.0, 0.0])
    distributed.reduce_scatter(out, mine)
    close(out, np.array([sum(10 * k + rank for k in range(n)), n], "f4"))
    distributed.reduce_scatter_tensor(out, autograd.cat(mine))
    close(out, np.array([sum(10 * k + rank for k in range(n)), n], "f4"))
    distributed.scatter(out, [tensor([k, 7.0]) for k in range(n)] if rank == 0 else None, src=0)
    close(out, np.array([rank, 7], "f4"))
    got = [tensor([0.0, 0.0]) for _ in range(n)] if rank == n - 1 else None
    distributed.gather(tensor([rank, 3.0]), got, dst=n - 1)
    assert rank < n - 1 or [g.tolist() for g in got] == [[k, 3] for k in range(n)]
    got = [tensor([0.0, 0.0]) for _ in range(n)]
    distributed.all_to_all(got, mine)
    assert [g.tolist() for g in got] == [[10 * k + rank, 1] for k in range(n)]
    whole = autograd.zeros(2 * n)
    distributed.all_gather_into_tensor(whole, tensor([rank, 0.5]))
    assert whole.tolist() == [v for k in range(n) for v in (k, 0.5)]
    distributed.all_to_all_single(whole, autograd.cat(mine))
    assert whole.tolist() == [v for k in range(n) for v in (10 * k + rank, 1)]


@check
def one_to_another():
    if n == 1:
        return
    after, before = (rank + 1) % n, (rank - 1) % n
    got = autograd.zeros(3).half()
    works = [distributed.isend(autograd.full((3,), rank).half(), after), distributed.irecv(got, before)]
    for work in works:
        work.wait()
    assert got.tolist() == [before] * 3
    if rank == 0:
        distributed.send(autograd.arange(4.0), 1)
        distributed.send(autograd.arange(2.0), 1)
    elif rank == 1:
        got = autograd.zeros(4)
        assert distributed.recv(got) == 0
        assert got.tolist() == [0, 1, 2, 3]
        with raises(errors.DistributedError, "8 bytes came from rank 0, but float32 (4,) takes 16"):
            distributed.recv(got, 0)
    distributed.barrier()
    if rank == 0:
        distributed.send(autograd.arange(4.0), 1)
    elif rank == 1:
        with raises(errors.DistributedError, "more bytes came from rank 0, but float32 (2,) takes 8"):
            distributed.recv(autograd.zeros(2), 0)
    with raises(errors.ArgumentError, "is this process itself"):
        distributed.send(got, rank)


@check
def objects():
    everyone = [None] * n
    distributed.all_gather_object(everyone, {"rank": rank})
    assert everyone == [{"rank": k} for k in range(n)]
    said = ["yes", rank]
    distributed.broadcast_object_list(said, src=n - 1)
    assert said == ["yes", n - 1]
    got = [None]
    distributed.scatter_object_list(got, [str(k) for k in range(n)] if rank == 0 else None, src=0)
    assert got == [str(rank)]
    got = [None] * n
    distributed.gather_object(rank, got if rank == 0 else None, dst=0)
    assert rank or got == list(range(n))


@check
def calls_that_differ():
    if n == 1:
        return
    last = f"rank {n - 1}: all_reduce of float32 (3,) by sum"
    with raises(errors.DistributedError, "all ranks must call the same", "all_reduce of float32 (2,) by sum", last):
        distributed.all_reduce(autograd.ones(2 + (rank == n - 1)))
    with raises(errors.DistributedError, "rank 0: barrier"):
        distributed.all_reduce(autograd.ones(2)) if rank else distributed.barrier()
    with raises(errors.DistributedError, "float64 (2,)", "float32 (2,)"):
        distributed.broadcast(autograd.ones(2, dtype=autograd.float32 if rank else autograd.float64), 0)


@check
def groups():
    some = distributed.new_group(range(1, n)) if n > 1 else distributed.new_group([0])
    inside = rank in some.ranks
    assert distributed.get_rank(some) == (rank - (n > 1) if inside else -1)
    assert distributed.get_world_size(some) == (max(n - 1, 1) if inside else -1)
    t = tensor([1.0])
    if inside:
        distributed.all_reduce(t, group=some)
        assert t.item() == max(n - 1, 1)
        assert distributed.get_global_rank(some, 0) == some.ranks[0]
        distributed.destroy_process_group(some)
    else:
        with raises(errors.DistributedError, "this process is not in the group of the ranks"):
            distributed.all_reduce(t, group=some)
    with raises(errors.ArgumentError, f"new_group: ranks are some of 0 to {n - 1}"):
        distributed.new_group([n])
    with raises(errors.ArgumentError, "was called before"):
        distributed.init_process_group()


# ---------------------------------------------------------------- gradients
@check
def each_rule_is_the_adjoint():
    """<A x, y> = <x, A'y>, summed over the processes; and the gradient of a gradient."""
    ops = {
        "all_reduce": (functional.all_reduce, (3, 2)), "avg": (lambda x: functional.all_reduce(x, "avg"), (3, 2)),
        "all_gather": (lambda x: autograd.stack(functional.all_gather(x)), (3, 2)),
        "reduce_scatter": (functional.reduce_scatter, (2 * n, 2)), "all_to_all": (functional.all_to_all_single, (2 * n, 3)),
        "broadcast": (lambda x: functional.broadcast(x, n - 1), (3,)),
    }  # fmt: skip
    for name, (op, shape) in ops.items():
        x = tensor(numbers(*shape, seed=rank, dtype="f8"), requires_grad=True)
        out = op(x)
        y = tensor(numbers(*out.shape, seed=10 + rank, dtype="f8"))
        (g,) = autograd.grad((out * out * y).sum(), x, create_graph=True)
        direction = tensor(numbers(*shape, seed=20 + rank, dtype="f8"))
        ahead = op(direction)
        both = tensor(
            [(2 * out.detach() * y * ahead).sum().item(), (g.detach() * direction).sum().item()], dtype=autograd.float64
        )
        distributed.all_reduce(both)
        assert abs(both[0] - both[1]) < 1e-9, name
        (second,) = autograd.grad((g * direction).sum(), x)
        both = tensor([(2 * y * ahead * ahead).sum().item(), (second * direction).sum().item()], dtype=autograd.float64)
        distributed.all_reduce(both)
        assert abs(both[0] - both[1]) < 1e-9, name


def network():
    return nn.Sequential(nn.Linear(6, 9), nn.Tanh(), nn.Linear(9, 9), nn.Tanh(), nn.Linear(9, 3))


X, Y = numbers(23, 6), np.random.default_rng(1).integers(0, 3, 23)


def mine(whole, k=None):
    """The part of a batch for this process: the last ones are shorter."""
    return tensor(np.array_split(whole, n)[rank if k is None else k])


def part_of_loss(net):
    """So that the average over the processes is the mean over the whole batch."""
    return F.cross_entropy(net(mine(X)), mine(Y), reduction="sum") * n / len(X)


def started(bucket_cap_mb=1e-4, build=network):
    """A model with other parameters in each process, distributed, and a copy of what it then is."""
    autograd.manual_seed(rank)
    ddp = DistributedDataParallel(build(), bucket_cap_mb=bucket_cap_mb)
    return ddp, copy.deepcopy(ddp.module)


@check
def gradients_of_one_process():
    for bucket_cap_mb in (1e-4, 25):
        ddp, alone = started(bucket_cap_mb)
        same_everywhere([p.array for p in ddp.parameters()])
        optimizers = [optim.Adam(net.parameters(), lr=1e-2) for net in (ddp, alone)]
        for _ in range(3):
            for optimizer in optimizers:
                optimizer.zero_grad()
            part_of_loss(ddp).backward()
            F.cross_entropy(alone(tensor(X)), tensor(Y)).backward()
            for p, q in zip(ddp.parameters(), alone.parameters(), strict=True):
                close(p.grad, q.grad)
            same_everywhere([p.grad.array for p in ddp.parameters()])
            close(clip_grad_norm_(ddp.parameters(), 0.1), clip_grad_norm_(alone.parameters(), 0.1))
            for optimizer in optimizers:
                optimizer.step()
        same_everywhere([p.array for p in ddp.parameters()])


@check
def gradients_are_sent_while_backward_goes_on():
    if n == 1:
        return
    ddp, _ = started()
    begun = []

    def watch(module, inputs, out):
        out.register_hook(lambda g: begun.append([b.begun is not None for b in ddp._buckets]))

    ddp.module[0].register_forward_hook(watch)
    part_of_loss(ddp).backward()
    assert begun[0][:2] == [True, True]
    assert not begun[0][-1]


@check
def steps_that_talk_are_not_compiled():
    """What comes from the others would be a constant of the program."""
    ddp, alone = started()
    plain = DistributedDataParallel(alone)
    nets = {True: ddp, False: plain}
    for compiled, net in nets.items():
        optimizer = optim.SGD(net.parameters(), lr=0.1)

        def step(net=net, optimizer=optimizer):
            optimizer.zero_grad()
            part_of_loss(net).backward()
            optimizer.step()

        step = autograd.compile(step) if compiled else step
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            for _ in range(4):
                step()
        if compiled and n > 1:
            assert step.stats()["calls"]["compiled"] == 0
            assert any("the average over processes" in str(w.message) for w in said)
    for p, q in zip(ddp.parameters(), plain.parameters(), strict=True):
        close(p.detach(), q.detach())

    @autograd.compile
    def total(x):
        x = x * 2
        distributed.all_reduce(x)
        return x

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = [total(tensor([1.0 + k])).item() for k in (0, 0, 0, rank)]
    everyone = [1.0 + k for k in range(n)]
    assert found == [2.0 * n] * 3 + [2 * sum(everyone)]
    assert total.stats()["calls"]["compiled"] == 0


@check
def gradients_gather_where_nothing_is_sent():
    ddp, alone = started()
    with ddp.no_sync():
        part_of_loss(ddp).backward()
    part_of_loss(ddp).backward()
    for _ in range(2):
        F.cross_entropy(alone(tensor(X)), tensor(Y)).backward()
    for p, q in zip(ddp.parameters(), alone.parameters(), strict=True):
        close(p.grad, q.grad, 2e-6)
    same_everywhere([p.grad.array for p in ddp.parameters()])


class Halves(nn.Module):
    """A model of which each process may use a part."""

    def __init__(self):
        super().__init__()
        self.parts = nn.ModuleList([nn.Linear(6, 3) for _ in range(3)])

    def forward(self, x, used):
        return sum(self.parts[i](x) for i in used).sum()


@check
def parameters_that_some_do_not_use():
    ddp, alone = started(build=Halves)
    used = [0] if rank == 0 else [0, 1]
    ddp(mine(X), used).backward()
    for k in range(n):
        (alone(mine(X, k), [0] if k == 0 else [0, 1]) / n).backward()
    for p, q in zip(ddp.parameters(), alone.parameters(), strict=True):
        assert (p.grad is None) == (q.grad is None)
        if q.grad is not None:
            close(p.grad, q.grad, 1e-5)
    assert ddp.module.parts[2].weight.grad is None


@check
def half_is_averaged_in_single_precision():
    ddp, alone = started(build=lambda: nn.Linear(6, 3).half())
    (ddp(mine(X).half()).sum() * n).backward()
    alone(tensor(X).half()).sum().backward()
    for p, q in zip(ddp.parameters(), alone.parameters(), strict=True):
        np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=4e-3, atol=2e-2)


@check
def models_that_differ():
    if n == 1:
        return
    with raises(errors.DistributedError, "DistributedDataParallel", "weight, float32 (3, 2)", "weight, float32 (2, 2)"):
        DistributedDataParallel(nn.Linear(2, 2 + (rank == 0)))


class Counter(nn.Module):
    """A model that adds what it has counted so far."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(6, 1)
        self.register_buffer("seen", tensor([10.0 * rank]))

    def forward(self, x):
        self.seen.add_(rank + 1)
        return self.layer(x) + self.seen


@check
def buffers_are_those_of_the_first():
    ddp, _ = started(build=Counter)
    assert ddp.module.seen.item() == 0
    for expected in (rank + 1, rank + 2):  # each time on top of what the first has: 0, then 1
        ddp(mine(X)).sum().backward()
        assert ddp.module.seen.item() == expected
    ddp.eval()(mine(X))
    assert ddp.module.seen.item() == 2 * rank + 3


@check
def batch_normalization_over_all():
    for shape, build in (((23, 4), nn.BatchNorm1d), ((23, 4, 3, 2), nn.BatchNorm2d)):
        whole = numbers(*shape, seed=3, dtype="f8")
        weights = numbers(*shape, seed=4, dtype="f8")
        alone = build(4, dtype=autograd.float64)
        x = tensor(whole, requires_grad=True)
        out = alone(x)
        (out * tensor(weights)).sum().backward()
        synced = nn.SyncBatchNorm.convert_sync_batchnorm(build(4, dtype=autograd.float64))
        part = mine(whole).requires_grad_()
        got = synced(part)
        (got * mine(weights)).sum().backward()
        close(got.detach(), mine(out.detach().numpy()), 1e-9)
        close(part.grad, mine(x.grad.numpy()), 1e-9)
        for name in ("running_mean", "running_var"):
            close(getattr(synced, name), getattr(alone, name), 1e-9)
        for p, q in zip(synced.parameters(), alone.parameters(), strict=True):
            distributed.all_reduce(p.grad)
            close(p.grad, q.grad, 1e-9)
        close(synced.eval()(part).detach(), alone.eval()(part).detach(), 1e-9)


@check
def those_without_a_batch_count_as_zero():
    for by_all in (True, False):
        ddp, alone = started()
        optimizers = [optim.SGD(net.parameters(), lr=0.5) for net in (ddp, alone)]
        with ddp.join(divide_by_initial_world_size=by_all):
            for _ in range(1 + rank):
                optimizers[0].zero_grad()
                F.cross_entropy(ddp(mine(X)), mine(Y)).backward()
                optimizers[0].step()
        for step in range(n):
            optimizers[1].zero_grad()
            for k in range(step, n):  # who has a batch left
                (F.cross_entropy(alone(mine(X, k)), mine(Y, k)) / (n if by_all else n - step)).backward()
            optimizers[1].step()
        for p, q in zip(ddp.parameters(), alone.parameters(), strict=True):
            close(p.detach(), q.detach(), 1e-5)


@check
def batches_that_do_not_come_out_even():
    ddp, _ = started(build=lambda: nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4), nn.Linear(4, 1)))
    optimizer, steps = optim.SGD(ddp.parameters(), lr=0.1), 0
    for by_all in (True, False):
        with ddp.join(divide_by_initial_world_size=by_all):
            for _ in range(2 + 2 * rank):
                optimizer.zero_grad()
                ddp(mine(X)).square().mean().backward()
                optimizer.step()
                steps += 1
        same_everywhere([*(p.array for p in ddp.parameters()), *(b.array for b in ddp.buffers())])
    assert steps == 4 + 4 * rank
    optimizer.zero_grad()
    ddp(mine(X)).square().mean().backward()  # and all together again
    same_everywhere([p.grad.array for p in ddp.parameters()])


# ---------------------------------------------------------------- data and what is measured
@check
def every_example_once():
    seen = [None] * n
    for shuffle in (False, True):
        sampler = DistributedSampler(range(10), shuffle=shuffle)
        sampler.set_epoch(3)
        distributed.all_gather_object(seen, list(sampler))
        assert {len(part) for part in seen} == {-(-10 // n)}
        assert set().union(*seen) == set(range(10))


@check
def metrics_of_all():
    scores, labels = numbers(23, 3), np.random.default_rng(5).integers(0, 3, 23)
    for kind, options in ((metrics.Accuracy, {}), (metrics.F1, {"average": "macro"}), (metrics.ROCAUC, {"logits": True})):
        whole, part = kind(**options), kind(**options)
        whole.update(tensor(scores), tensor(labels))
        part.update(mine(scores), mine(labels))
        np.testing.assert_allclose(np.asarray(part.synced().compute()), np.asarray(whole.compute()), rtol=1e-12)
    whole, part = metrics.R2(), metrics.R2()
    whole.update(tensor(scores[:, 0]), tensor(scores[:, 1]))
    part.update(mine(scores[:, 0]), mine(scores[:, 1]))
    np.testing.assert_allclose(part.synced().compute(), whole.compute(), rtol=1e-12)


# ---------------------------------------------------------------- a training run, in pieces
def train(file, steps, pause=0.0, kill=None):
    """Go on from `file`, if it is there, until that many steps are done; save after each."""
    import os
    import signal
    import time

    autograd.manual_seed(0)
    net = DistributedDataParallel(network())
    optimizer, done = optim.Adam(net.parameters(), lr=1e-2), 0
    if os.path.exists(file):
        state = autograd.load(file)
        net.load_state_dict(state["net"])
        optimizer.load_state_dict(state["optimizer"])
        done = state["done"]
    print(f"from {done}", flush=True)
    for step in range(done, steps):
        if kill == (rank, step):
            os.kill(os.getpid(), signal.SIGKILL)
        optimizer.zero_grad()
        part_of_loss(net).backward()
        optimizer.step()
        if rank == 0:
            autograd.save({"net": net.state_dict(), "optimizer": optimizer.state_dict(), "done": step + 1}, file)
        distributed.barrier()
        time.sleep(pause)
    if rank == 0:
        print("parameters", " ".join(f"{p.sum().item():.5f}" for p in net.parameters()), flush=True)


if __name__ == "__main__":
    distributed.init_process_group()
    rank, n = distributed.get_rank(), distributed.get_world_size()
    what, *rest = sys.argv[1:] or ["check"]
    if what == "check":
        for function in CHECKS:
            function()
            distributed.barrier()
            if rank == 0:
                print("passed", function.__name__, flush=True)
    elif what == "train":
        file, steps, *kill = rest
        train(file, int(steps), kill=tuple(map(int, kill)) or None)
    elif what == "fail":
        if rank == n - 1:
            raise ValueError("this one fails")
        distributed.barrier()
    elif what == "exit":
        sys.exit(3 if rank == 0 else 0)
    distributed.destroy_process_group()
