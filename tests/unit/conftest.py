"""What all unit tests share: examples that Hypothesis makes may take as long as a slow machine needs."""

from hypothesis import HealthCheck, settings

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")
