"""Whose output may be repeated in a status.

A status is read by more people than a pod's log is, and a container says whatever its image or its command makes it
say. So only what comes from an image that the policy allows, and from that image's own command, is repeated.
"""

from collections.abc import Callable, Iterator
from typing import Any, TypedDict

import msgspec

from tts_operator.json_object import Json

Speaks = Callable[[str, str], bool]
"""Whether, in a namespace, what a container of this image says may be repeated."""
OWN_ARGS = {"fetch": ["fetch"]}
"""Arguments that the operator itself gives, by the container's name."""


class _Container(TypedDict, total=False):
    name: str
    image: str
    command: list[str] | None
    args: list[str] | None


class _Containers(TypedDict, total=False):
    initContainers: list[_Container]
    containers: list[_Container]


_containers = msgspec.json.Decoder(_Containers)
STATUSES = ("initContainerStatuses", "containerStatuses")


def quiet(status: Any, spec: Any, metadata: Json, speaks: Speaks) -> Any:
    """A pod's status without what its containers have said and may not be repeated. `spec` is JSON text."""
    if not any(ended.get("message") for _, ended in _ended(status)):
        return status  # of nearly all pods
    pod: _Containers = _containers.decode(spec)
    heard = {
        each["name"]
        for each in (*(pod.get("initContainers") or ()), *(pod.get("containers") or ()))
        if speaks(metadata["namespace"], each.get("image", "")) and _is_own(each)
    }
    for name, ended in _ended(status):
        if name not in heard and ended.get("message"):
            ended["message"] = (
                "output hidden, because policy.images does not allow the image, or podTemplate sets the "
                f"command; see kubectl logs {metadata['name']} -c {name} --previous"
            )
    return status


def _is_own(container: _Container) -> bool:
    """Whether what runs is what the image says, or the operator."""
    args = container.get("args")
    return not container.get("command") and (not args or args == OWN_ARGS.get(container["name"]))


def _ended(status: Any) -> Iterator[tuple[str, Json]]:
    """Each end of a container that a status tells of, with the container's name."""
    for kind in STATUSES:
        for each in status.get(kind) or ():
            for state in ("state", "lastState"):
                ended = (each.get(state) or {}).get("terminated")
                if ended:
                    yield each["name"], ended
