"""Functions to functions: gradients, Jacobians and products with them (torch.func)."""

from .api.absent import asked
from .transforms.func import (
    elementwise_grad,
    functional_call,
    grad,
    grad_and_value,
    hessian,
    hvp,
    jacfwd,
    jacrev,
    jvp,
    linearize,
    stack_module_state,
    value_and_grad,
    vjp,
    vmap,
)

__all__ = [
    "elementwise_grad", "functional_call", "grad", "grad_and_value", "hessian", "hvp", "jacfwd", "jacrev", "jvp", "linearize",
    "stack_module_state",
    "value_and_grad", "vjp", "vmap",
]  # fmt: skip

__getattr__ = asked("torch.func", globals())
