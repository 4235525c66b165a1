"""Settings for all tests: how many examples hypothesis tries, by the profile in HYPOTHESIS_PROFILE (dev, ci or thorough)."""

import os

import samples  # noqa: F401  # before any test module makes primitives of its own
from hypothesis import HealthCheck, settings

common = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.differing_executors]}
settings.register_profile("dev", max_examples=5, **common)
settings.register_profile("ci", max_examples=8, derandomize=True, print_blob=True, **common)
settings.register_profile("thorough", max_examples=100, **common)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev"))
