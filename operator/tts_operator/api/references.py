"""References from a TTSService to other objects in its namespace."""

from pydantic import Field

from tts_operator.api.schema import ApiModel


class LocalObjectReference(ApiModel):
    """The name of an object in the namespace of the TTSService."""

    name: str = Field(min_length=1, max_length=253)
    """Name of the object."""


class ConfigMapKeyReference(ApiModel):
    """One key of a ConfigMap in the namespace of the TTSService."""

    name: str = Field(min_length=1, max_length=253)
    """Name of the ConfigMap."""
    key: str = Field(min_length=1, max_length=253, pattern=r"^[-._a-zA-Z0-9]+$")
    """Key of the ConfigMap that holds the file."""


class SecretKeyReference(ApiModel):
    """One key of a Secret in the namespace of the TTSService."""

    name: str = Field(min_length=1, max_length=253)
    """Name of the Secret."""
    key: str = Field(min_length=1, max_length=253, pattern=r"^[-._a-zA-Z0-9]+$")
    """Key of the Secret that holds the value."""
