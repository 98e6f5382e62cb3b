"""Objects of the API server that are decoded only as far as needed.

Half of an object's text is `managedFields`, and most of the rest is only compared. Decoding everything would take seven
times as long, for each event of each watch.
"""

from typing import Any

import msgspec
from msgspec import Raw

from tts_operator.json_object import Json
from tts_operator.objects import ObjectMeta


class LazyObject(dict[str, Any]):
    """An object whose `metadata` is decoded, except for `fieldsV1`. Everything else is text (`msgspec.Raw`).

    The text is a view of the whole response. Copy what you keep.
    """


class _ListMetadata(msgspec.Struct, rename="camel"):
    resource_version: str = ""
    continue_: str = msgspec.field(name="continue", default="")


class Page(msgspec.Struct):
    """A page of a list."""

    metadata: _ListMetadata
    items: list[dict[str, Raw]] | None = None


class Event(msgspec.Struct):
    """An event of a watch."""

    type: str
    object: Raw


_top = msgspec.json.Decoder(dict[str, Raw])
_metadata = msgspec.json.Decoder(ObjectMeta)
read_page = msgspec.json.Decoder(Page).decode
read_event = msgspec.json.Decoder(Event).decode
read_whole = msgspec.json.Decoder().decode
"""Decode a whole object. Raises msgspec.DecodeError, as the others do."""


def lazy_object(fields: dict[str, Raw], api_version: str, kind: str) -> LazyObject:
    """Decode the metadata of an object. Items of a list lack API version and kind."""
    return LazyObject(fields, metadata=_metadata.decode(fields["metadata"]), apiVersion=api_version, kind=kind)


def read_lazy_object(text: bytes | Raw, api_version: str, kind: str) -> LazyObject:
    """Decode an object lazily."""
    return lazy_object(_top.decode(text), api_version, kind)


def as_lazy_object(body: Json) -> LazyObject:
    """Convert an object to a lazy one, if it is not."""
    if isinstance(body, LazyObject):
        return body
    return read_lazy_object(msgspec.json.encode(body), body.get("apiVersion", ""), body.get("kind", ""))


def fully_read(body: Json) -> Json:
    """Convert an object to plain JSON, lazy or not."""
    whole: Json = read_whole(msgspec.json.encode(body))
    return whole
