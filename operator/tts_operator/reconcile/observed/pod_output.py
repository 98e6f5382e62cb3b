"""Which container output a status may show.

More people can read a status than a pod's log, and a container may print anything. So a status only shows the output of
images that the policy allows, run with their own command.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, TypedDict

import msgspec

from tts_operator.json_object import Json

MayShow = Callable[[str, str], bool]
"""(namespace, image): whether a status may show the output of a container with this image."""
OWN_COMMANDS = {
    "fetch": re.compile("fetch"),
    "server": re.compile("work"),
    "write-models": re.compile(
        r"triton-repository --engine fastspeech2 --output /written/models --cpus [0-9]+ --max-batch [0-9]+"
        r" --delay-ms [0-9]+ --replace"
    ),
    "backend": re.compile(
        r"tritonserver --model-repository=/models --log-info=false( --(grpc|http|metrics)-port=[0-9]+)+"
    ),
}
"""Commands and arguments that the operator itself sets, by container name."""


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


def hide_output(status: Any, spec: Any, metadata: Json, may_show: MayShow) -> Any:
    """Remove container output that must not be shown from a pod's status. `spec` is JSON text."""
    if not any(ended.get("message") for _, ended in _ended(status)):
        return status  # the common case
    pod: _Containers = _containers.decode(spec)
    shown = {
        each["name"]
        for each in (*(pod.get("initContainers") or ()), *(pod.get("containers") or ()))
        if may_show(metadata["namespace"], each.get("image", "")) and _is_own(each)
    }
    for name, ended in _ended(status):
        if name not in shown and ended.get("message"):
            ended["message"] = (
                "output hidden, because policy.images does not allow the image, or the spec sets the "
                f"command; see kubectl logs {metadata['name']} -c {name} --previous"
            )
    return status


def _is_own(container: _Container) -> bool:
    """Whether the container runs the image's own command, or one that the operator sets."""
    words = [*(container.get("command") or ()), *(container.get("args") or ())]
    own = OWN_COMMANDS.get(container["name"])
    return not words or (own is not None and own.fullmatch(" ".join(words)) is not None)


def _ended(status: Any) -> Iterator[tuple[str, Json]]:
    """Yield each terminated state in a pod's status, with the container's name."""
    for kind in STATUSES:
        for each in status.get(kind) or ():
            for state in ("state", "lastState"):
                ended = (each.get(state) or {}).get("terminated")
                if ended:
                    yield each["name"], ended
