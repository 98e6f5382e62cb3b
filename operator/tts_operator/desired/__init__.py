"""Pure functions from a TTSService to its children's manifests, one module per kind. No I/O."""

from tts_operator.desired.children import Defaults, children, children_of

__all__ = ["Defaults", "children", "children_of"]
