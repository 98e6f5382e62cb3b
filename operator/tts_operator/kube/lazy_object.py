"""Objects of the API server, read only as far as somebody looks into them.

Half of an object's text says who owns which field, and most of the rest is only ever compared. To make Python objects
of all that would take seven times as long, for each event of each watch.
"""

from typing import Any, TypedDict

import msgspec
from msgspec import Raw

from tts_operator.json_object import Json


class LazyObject(dict[str, Any]):
    """An object whose `metadata` is open, but for who owns which field; all else is text (`msgspec.Raw`).

    The text is a view of the whole answer: whoever keeps some of it keeps a copy.
    """


class Entry(TypedDict, total=False):
    """Who owns which fields; which these are is text."""

    manager: str
    operation: str
    apiVersion: str
    time: str
    fieldsType: str
    fieldsV1: Raw
    subresource: str


class Metadata(TypedDict, total=False):
    """What the operator may read of it.

    Source: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/object-meta/
    """

    name: str
    namespace: str
    uid: str
    resourceVersion: str
    generation: int
    creationTimestamp: str | None
    """Null in a bookmark, as older API servers write it."""
    deletionTimestamp: str
    labels: dict[str, str]
    annotations: dict[str, str]
    ownerReferences: list[Json]
    finalizers: list[str]
    managedFields: list[Entry]


class _ListMetadata(msgspec.Struct, rename="camel"):
    resource_version: str = ""
    continue_: str = msgspec.field(name="continue", default="")


class Page(msgspec.Struct):
    """Of a list."""

    metadata: _ListMetadata
    items: list[dict[str, Raw]] | None = None


class Event(msgspec.Struct):
    """Of a watch."""

    type: str
    object: Raw


_top = msgspec.json.Decoder(dict[str, Raw])
_metadata = msgspec.json.Decoder(Metadata)
read_page = msgspec.json.Decoder(Page).decode
read_event = msgspec.json.Decoder(Event).decode
read_whole = msgspec.json.Decoder().decode
"""All of an object. Raises msgspec.DecodeError, as the others do."""


def lazy_object(fields: dict[str, Raw], api_version: str, kind: str) -> LazyObject:
    """Open the metadata of an object; those of a list come without API version and kind."""
    return LazyObject(fields, metadata=_metadata.decode(fields["metadata"]), apiVersion=api_version, kind=kind)


def read_lazy_object(text: bytes | Raw, api_version: str, kind: str) -> LazyObject:
    """Read an object."""
    return lazy_object(_top.decode(text), api_version, kind)


def as_lazy_object(body: Json) -> LazyObject:
    """An object as it would come from the API server, whether it is open or not."""
    if isinstance(body, LazyObject):
        return body
    return read_lazy_object(msgspec.json.encode(body), body.get("apiVersion", ""), body.get("kind", ""))


def fully_read(body: Json) -> Json:
    """All of an object, sealed or not."""
    whole: Json = read_whole(msgspec.json.encode(body))
    return whole
