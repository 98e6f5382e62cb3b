"""Lay what we want over what is there, for the rare object that server-side apply cannot mend.

Somebody renumbers the port of a Service: apply would add ours beside it, under the same name, which is refused.
"""

from typing import Any

from tts_operator.api import Json


def overlay(live: Json, desired: Json) -> Json:
    """`live` with the fields of `desired`; lists are taken over whole, unless they hold owners."""
    return {
        **live,
        **{
            name: live.get(name, value) if name == "ownerReferences" else _laid_over(live.get(name), value)
            for name, value in desired.items()
        },
    }


def _laid_over(live: Any, desired: Any) -> Any:
    return overlay(live, desired) if isinstance(live, dict) and isinstance(desired, dict) else desired
