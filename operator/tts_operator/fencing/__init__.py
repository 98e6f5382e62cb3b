"""Fencing: pods on a node that does not answer leave their Service within seconds, not when Kubernetes notices.

Kubernetes marks the pods of a lost node as not ready once the node's heartbeats have been missing for 40 to 50 seconds.
Until then every Service sends them their share of the requests. What happens then is done here sooner, to the pods of
TTSServices only, and by the same means: their condition Ready becomes False.
"""

from tts_operator.fencing.fence import Fence
from tts_operator.fencing.peers import MAX_NODES, PEERS_PATH, Peers, as_json
from tts_operator.fencing.views import Sight, View

__all__ = ["MAX_NODES", "PEERS_PATH", "Fence", "Peers", "Sight", "View", "as_json"]
