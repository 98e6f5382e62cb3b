"""The bundled model server: OpenAI's speech API, with engines that speak Mandarin."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("tts-operator")
except PackageNotFoundError:  # run from a source tree
    __version__ = "0.0.0"
