"""What pods take from Secrets."""

from tts_operator.json_object import Json

CA_FILE = "ca.crt"
"""Name of a file of certificates in its mounted folder."""


def from_secret(variable: str, name: str, key: str, *, optional: bool = False) -> Json:
    """A variable whose value is a key of a Secret."""
    reference: Json = {"name": name, "key": key}
    return {
        "name": variable,
        "valueFrom": {"secretKeyRef": {**reference, "optional": True} if optional else reference},
    }
