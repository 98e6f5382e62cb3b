"""The TTSService API: the one Python source that the CRD is generated from."""

from tts_operator.api.spec import Spec
from tts_operator.api.ttsservice import API_VERSION, GROUP, KIND, PLURAL, VERSION, InvalidSpecError, TTSService

__all__ = ["API_VERSION", "GROUP", "KIND", "PLURAL", "VERSION", "InvalidSpecError", "Spec", "TTSService"]
