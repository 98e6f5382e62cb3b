"""Checks `spec.backend` against the policy: what the pods connect to, and the priority of a separate backend.

The check of the pod templates covers images and volumes.
"""

from collections.abc import Iterator

from tts_operator.api import Spec
from tts_operator.policy.addresses import is_allowed, problem
from tts_operator.policy.bounds import Bounds, Violation, refused, shown
from tts_operator.policy.template import priority_class_violation


def backend_violations(spec: Spec, bounds: Bounds) -> Iterator[Violation]:
    """Find violations in `spec.backend`."""
    backend = spec.backend
    if backend is None:
        return
    for name, kind in (("upstream", backend.upstream), ("triton", backend.triton)):
        if kind is not None and kind.url is not None:
            yield from _url(f"spec.backend.{name}.url", kind.url, bounds)
    if backend.placement is not None and backend.placement.priority_class_name is not None:
        found = priority_class_violation(backend.placement.priority_class_name, bounds)
        if found is not None:
            yield Violation(text=f"spec.backend.placement.priorityClassName: {found.text}", value=found.value)


def _url(field: str, url: str, bounds: Bounds) -> Iterator[Violation]:
    # What is dangerous about an address does not depend on the protocol.
    scheme, _, rest = url.partition("://")
    if wrong := problem(url if scheme in ("http", "https") else f"http://{rest}", itself="the pod itself"):
        yield Violation(text=f"{field}: {shown(url)} is not allowed: {wrong}")
    elif not is_allowed(bounds.backends, url):
        yield refused(field, url, bounds.backends, "backends")
