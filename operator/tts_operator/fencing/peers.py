"""The other replicas of the operator, and their views of the nodes."""

import asyncio
import json
from collections.abc import Callable, Collection, Iterable
from http import HTTPStatus
from typing import Any

import aiohttp

from tts_operator.fencing.choose import node_of
from tts_operator.fencing.views import Peer, Sight, View
from tts_operator.json_object import Json
from tts_operator.objects import Pod

PEERS_PATH = "/nodes"
ANSWER_SECONDS = 0.5
MAX_ANSWER_BYTES = 64 << 10
MAX_NODES = 100
"""Maximum number of nodes per query. Nothing is done about the others."""


class Peers:
    """Queries the other replicas."""

    def __init__(self, pods: Callable[[], Iterable[Pod]], *, own_name: str, port: int) -> None:
        """`pods` are the operator's pods, including this one. They answer on `port`."""
        self._pods = pods
        self._own_name = own_name
        self._port = port
        self._unanswered: dict[str, int] = {}

    async def ask(self, session: aiohttp.ClientSession, nodes: Collection[str]) -> list[Peer]:
        """Query all of them about some nodes concurrently. Never raises."""
        pods = [pod for pod in self._pods() if self._counts(pod)]
        asked = sorted(nodes)[:MAX_NODES]
        views = await asyncio.gather(*(self._view(session, pod["status"]["podIP"], asked) for pod in pods))
        uids = [pod["metadata"]["uid"] for pod in pods]
        self._unanswered = {
            uid: 0 if view is not None else self._unanswered.get(uid, 0) + 1
            for uid, view in zip(uids, views, strict=True)
        }
        return [
            Peer(node=node_of(pod), view=view, unanswered=self._unanswered[uid])
            for pod, uid, view in zip(pods, uids, views, strict=True)
        ]

    def _counts(self, pod: Pod) -> bool:
        metadata, status = pod["metadata"], pod.get("status", {})
        other = metadata["name"] != self._own_name and "deletionTimestamp" not in metadata
        return bool(other and status.get("phase") == "Running" and status.get("podIP") and pod["spec"].get("nodeName"))

    async def _view(self, session: aiohttp.ClientSession, address: str, nodes: list[str]) -> View | None:
        host = f"[{address}]" if ":" in address else address
        try:
            async with session.get(
                f"http://{host}:{self._port}{PEERS_PATH}",
                params=[("node", node) for node in nodes],
                timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS),
                allow_redirects=False,
            ) as response:
                body = await response.content.readexactly(min(response.content_length or 0, MAX_ANSWER_BYTES))
                return read_view(body) if response.status == HTTPStatus.OK else None
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError, EOFError):
            return None


def read_view(body: bytes) -> View:
    """Parse another replica's response. Raises ValueError."""
    try:
        answer: Any = json.loads(body)
        nodes = {str(node): Sight(sight) for node, sight in answer["nodes"].items()}
        return View(leading=answer["leading"] is True, cut_off=answer["cutOff"] is True, nodes=nodes)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"no view of the nodes: {type(error).__name__}") from error


def as_json(view: View) -> Json:
    """Encode a view for `read_view`."""
    return {"leading": view.leading, "cutOff": view.cut_off, "nodes": {**view.nodes}}
