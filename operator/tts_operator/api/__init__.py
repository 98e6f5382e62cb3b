"""The TTSService API: one Python source from which the CRD is generated."""

from tts_operator.api.spec import Spec
from tts_operator.api.ttsservice import API_VERSION, GROUP, KIND, PLURAL, VERSION, InvalidSpecError, TTSService

__all__ = ["API_VERSION", "GROUP", "KIND", "PLURAL", "VERSION", "InvalidSpecError", "Spec", "TTSService"]
