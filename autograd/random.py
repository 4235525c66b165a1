"""Random tensors, and the generators that they are drawn from (torch.random)."""

from .api.absent import asked
from .api.random import (
    Generator,
    bernoulli,
    default_generator,
    drawing_from,
    fork_rng,
    get_rng_state,
    initial_seed,
    manual_seed,
    multinomial,
    normal,
    rand,
    rand_like,
    randint,
    randint_like,
    randn,
    randn_like,
    randperm,
    seed,
    set_rng_state,
)

__all__ = [
    "Generator", "bernoulli", "default_generator", "drawing_from", "fork_rng", "get_rng_state", "initial_seed", "manual_seed",
    "multinomial", "normal", "rand", "rand_like", "randint", "randint_like", "randn", "randn_like", "randperm",
    "seed", "set_rng_state",
]  # fmt: skip

__getattr__ = asked("torch.random", globals())
