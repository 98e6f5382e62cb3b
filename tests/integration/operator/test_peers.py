"""Queries between replicas, over real sockets."""

from collections.abc import Sequence

import aiohttp
import pytest

from tts_operator.app.http import serve
from tts_operator.app.settings import ListenAddress
from tts_operator.fencing import MAX_NODES
from tts_operator.fencing.peers import Peers, as_json
from tts_operator.fencing.views import Sight, View
from tts_operator.json_object import Json
from tts_operator.objects import Pod

NAME_MAX = 253
"""Kubernetes' limit for the name of a node."""


async def test_a_query_about_the_most_nodes_with_the_longest_names_is_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tts_operator.fencing.peers.ANSWER_SECONDS", 30.0)
    names = {f"node-{number:03}.".ljust(NAME_MAX, "x") for number in range(MAX_NODES)}

    async def problem() -> str:
        return ""

    def view(nodes: Sequence[str]) -> Json:
        assert set(nodes) == names
        return as_json(View(leading=True, cut_off=False, nodes=dict.fromkeys(names, Sight.UNREACHABLE)))

    other: Pod = {
        "metadata": {"name": "other", "uid": "1"},
        "spec": {"nodeName": "node-a"},
        "status": {"phase": "Running", "podIP": "127.0.0.1"},
    }
    async with (
        serve(ListenAddress("127.0.0.1", 0), problem=problem, waiting_for=str, metrics=bytes, nodes=view) as address,
        aiohttp.ClientSession() as session,
    ):
        peers = Peers(lambda: [other], own_name="own", port=address.port)
        (peer,) = await peers.ask(session, names)
    assert peer.view is not None
    assert set(peer.view.nodes) == names
