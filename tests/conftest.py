"""Settings for all tests: how many examples hypothesis tries, by the profile in HYPOTHESIS_PROFILE (dev, ci or thorough); and threads."""

import os
import threading

import pytest
import samples  # noqa: F401  # before any test module makes primitives of its own
from hypothesis import HealthCheck, settings

common = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.differing_executors]}
settings.register_profile("dev", max_examples=5, **common)
settings.register_profile("ci", max_examples=8, derandomize=True, print_blob=True, **common)
settings.register_profile("thorough", max_examples=100, **common)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev"))


@pytest.fixture
def run_threads():
    """Call functions, each given with its arguments, in threads of their own at once; raise what one of them raised."""

    def run(*calls):
        errors = []

        def guarded(function, *args):
            try:
                function(*args)
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=guarded, args=call, daemon=True) for call in calls]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert not any(thread.is_alive() for thread in threads)
        for error in errors:
            raise error

    return run
