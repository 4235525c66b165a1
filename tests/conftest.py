"""Settings for all tests: how many examples hypothesis tries, by HYPOTHESIS_PROFILE (dev, ci or thorough); seeds; and --quick."""

import os
import random

import numpy as np
import samples  # noqa: F401  # before any test module makes primitives of its own
from hypothesis import HealthCheck, register_random, settings

import autograd

common = {
    "deadline": None,
    "print_blob": True,  # how to repeat what was found
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.differing_executors],
}
settings.register_profile("dev", max_examples=5, **common)
settings.register_profile("ci", max_examples=8, derandomize=True, **common)
settings.register_profile("thorough", max_examples=100, **common)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev"))


# ---------------------------------------------------------------- the same random numbers each time
class Default:
    """autograd's default generator, in the form in which hypothesis starts one anew for each example."""

    @staticmethod
    def seed(seed):
        autograd.manual_seed(seed)

    @staticmethod
    def getstate():
        return autograd.get_rng_state()

    @staticmethod
    def setstate(state):
        autograd.set_rng_state(state)


DEFAULT = Default()  # hypothesis keeps no reference of its own
register_random(DEFAULT)


def pytest_runtest_setup():
    """No test depends on luck, nor on which ran before it."""
    for seed in (random.seed, np.random.seed, autograd.manual_seed):
        seed(0)
