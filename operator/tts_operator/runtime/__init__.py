"""Level-triggered machinery: cache, informers, work queue, workers. Knows neither TTS nor kopf."""

from tts_operator.runtime.informer import Informer, Source
from tts_operator.runtime.queue import Lane, WorkQueue
from tts_operator.runtime.store import Key, Store, version_of
from tts_operator.runtime.workers import Workers

__all__ = ["Informer", "Key", "Lane", "Source", "Store", "WorkQueue", "Workers", "version_of"]
