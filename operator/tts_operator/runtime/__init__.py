"""Level-triggered controller runtime: cache, informers, work queue, workers, lease. Knows neither TTS nor kopf."""

from tts_operator.runtime.informer import Informer, News, Source
from tts_operator.runtime.lease import Elector, LeaseLostError
from tts_operator.runtime.queue import Lane, Places, WorkQueue
from tts_operator.runtime.shares import GivenUpError, Shares
from tts_operator.runtime.store import Key, Store, version_of
from tts_operator.runtime.workers import Workers, current_key

__all__ = [
    "Elector",
    "GivenUpError",
    "Informer",
    "Key",
    "Lane",
    "LeaseLostError",
    "News",
    "Places",
    "Shares",
    "Source",
    "Store",
    "WorkQueue",
    "Workers",
    "current_key",
    "version_of",
]
