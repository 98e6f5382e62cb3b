"""Fencing: take pods on an unreachable node out of their Service within seconds.

Kubernetes marks the pods of a lost node as not ready after 40 to 50 seconds without heartbeats. Until then, every
Service sends them their share of the requests. Fencing does the same much sooner, but only for the pods of TTSServices:
it sets their Ready condition to False.
"""

from tts_operator.fencing.fence import Fence
from tts_operator.fencing.peers import MAX_NODES, PEERS_PATH, Peers, as_json
from tts_operator.fencing.views import Sight, View

__all__ = ["MAX_NODES", "PEERS_PATH", "Fence", "Peers", "Sight", "View", "as_json"]
