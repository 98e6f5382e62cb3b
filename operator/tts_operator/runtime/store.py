"""The cache: the last seen objects of one resource, indexed by the key that they belong to."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from tts_operator.json_object import Json

Key = tuple[str, str]
"""Namespace and name of the object to reconcile."""

TOMBSTONES = 1024
"""Number of deleted uids to remember: the response to a request may arrive after the object's DELETED event."""


class Store:
    """Objects of one resource. An older version never replaces a newer one."""

    def __init__(
        self, *, key_of: Callable[[Json], Key | None], trim: Callable[[Json], Json] = lambda body: body
    ) -> None:
        """`key_of` returns the key that an object belongs to, or None. `trim` drops fields that nobody reads."""
        self._key_of = key_of
        self._trim = trim
        self._objects: dict[Key, Json] = {}
        self._members: dict[Key, set[Key]] = {}
        self._deleted: OrderedDict[str, int] = OrderedDict()
        self.changes = 0
        """Number of additions, changes, and removals."""

    def __len__(self) -> int:
        return len(self._objects)

    def __iter__(self) -> Iterator[Json]:
        return iter(self._objects.values())

    def get(self, namespace: str, name: str) -> Json | None:
        """The object with this name, or None."""
        return self._objects.get((namespace, name))

    def of(self, key: Key) -> list[Json]:
        """The objects that belong to a key."""
        return [self._objects[member] for member in self._members.get(key, ())]

    def put(self, body: Json) -> set[Key]:
        """Add a version of an object. Returns the affected keys: its own, and one that it no longer belongs to."""
        at, version = _address(body), version_of(body)
        known = self._objects.get(at)
        if version <= self._deleted.get(body["metadata"]["uid"], -1):
            return set()
        if known is not None and version <= version_of(known):
            return set()
        concerned = self._unlink(at, known) if known is not None else set()
        body = self._trim(body)
        self._objects[at] = body
        self.changes += 1
        key = self._key_of(body)
        if key is not None:
            self._members.setdefault(key, set()).add(at)
            concerned.add(key)
        return concerned

    def remove(self, body: Json, version: str | None = None) -> set[Key]:
        """Remove an object that was deleted or is no longer selected, as of `version` (default: its own).

        It may come back, for example if someone removes our label and we set it again. Returns the affected keys.
        """
        uid = body["metadata"]["uid"]
        self._deleted[uid] = version_of(body) if version is None else int(version)
        self._deleted.move_to_end(uid)
        if len(self._deleted) > TOMBSTONES:
            self._deleted.popitem(last=False)
        at = _address(body)
        known = self._objects.get(at)
        if known is None or known["metadata"]["uid"] != uid:
            return set()
        del self._objects[at]
        self.changes += 1
        return self._unlink(at, known)

    def replace(self, bodies: Iterable[Json], version: str, *, namespace: str | None = None) -> set[Key]:
        """Replace the content with a list made at `version`. Keeps objects that are newer than the list.

        A list of one `namespace` does not affect the others. Returns the affected keys.
        """
        listed = {body["metadata"]["uid"]: body for body in bodies}
        gone = [
            known
            for (place, _), known in self._objects.items()
            if namespace in (None, place)
            and known["metadata"]["uid"] not in listed
            and version_of(known) <= int(version)
        ]
        concerned: set[Key] = set()
        for known in gone:
            concerned |= self.remove(known, version)
        for body in listed.values():
            concerned |= self.put(body)
        return concerned

    def clear(self, namespace: str | None = None) -> set[Key]:
        """Remove everything, or everything in one namespace. The same versions may be added again.

        Returns the affected keys.
        """
        concerned: set[Key] = set()
        self.changes += 1
        for at in [at for at in self._objects if namespace in (None, at[0])]:
            concerned |= self._unlink(at, self._objects.pop(at))
        return concerned

    def _unlink(self, at: Key, body: Json) -> set[Key]:
        key = self._key_of(body)
        if key is None:
            return set()
        members = self._members[key]
        members.discard(at)
        if not members:
            del self._members[key]
        return {key}


def _address(body: Json) -> Key:
    metadata = body["metadata"]
    return metadata.get("namespace", ""), metadata["name"]


def version_of(body: Mapping[str, Any]) -> int:
    """The resource version of an object as a number: the larger of two versions is the later one (KEP-5504)."""
    return int(body["metadata"]["resourceVersion"])
