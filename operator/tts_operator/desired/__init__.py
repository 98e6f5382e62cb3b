"""Pure functions from a TTSService to the manifests of its children, one module per kind. No I/O."""

from tts_operator.desired.children import Defaults, children, children_of

__all__ = ["Defaults", "children", "children_of"]
