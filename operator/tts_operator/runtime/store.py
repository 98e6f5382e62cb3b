"""The cache: the objects of one resource as last seen, found by the key of what they belong to."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

Json = dict[str, Any]
Key = tuple[str, str]
"""Namespace and name of the thing that is reconciled."""

TOMBSTONES = 1024
"""How many deleted uids are remembered: an answer to a request may arrive after the news of its object's end."""


class Store:
    """Objects of one resource. Only ever moves forward: an older version never replaces a newer one."""

    def __init__(
        self, *, key_of: Callable[[Json], Key | None], trim: Callable[[Json], Json] = lambda body: body
    ) -> None:
        """`key_of` says to what an object belongs (None: to nothing of ours), `trim` drops what nobody reads."""
        self._key_of = key_of
        self._trim = trim
        self._objects: dict[Key, Json] = {}
        self._members: dict[Key, set[Key]] = {}
        self._deleted: OrderedDict[str, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._objects)

    def __iter__(self) -> Iterator[Json]:
        return iter(self._objects.values())

    def get(self, namespace: str, name: str) -> Json | None:
        """One object by its own name."""
        return self._objects.get((namespace, name))

    def of(self, key: Key) -> list[Json]:
        """The objects that belong to `key`."""
        return [self._objects[member] for member in self._members.get(key, ())]

    def put(self, body: Json) -> set[Key]:
        """Take a version in. Returns the keys that it concerns: its own, and one that it no longer belongs to."""
        metadata = body["metadata"]
        if metadata["uid"] in self._deleted:
            return set()
        at = _address(body)
        known = self._objects.get(at)
        if known is not None and not _newer(metadata, known["metadata"]):
            return set()
        concerned = self._unlink(at, known) if known is not None else set()
        body = self._trim(body)
        self._objects[at] = body
        key = self._key_of(body)
        if key is not None:
            self._members.setdefault(key, set()).add(at)
            concerned.add(key)
        return concerned

    def remove(self, body: Json) -> set[Key]:
        """Forget a deleted object. Returns the keys that it concerned."""
        uid = body["metadata"]["uid"]
        self._deleted[uid] = None
        if len(self._deleted) > TOMBSTONES:
            self._deleted.popitem(last=False)
        at = _address(body)
        known = self._objects.get(at)
        if known is None or known["metadata"]["uid"] != uid:
            return set()
        del self._objects[at]
        return self._unlink(at, known)

    def replace(self, bodies: Iterable[Json]) -> set[Key]:
        """Take a whole list in: what is not on it is gone. Returns the keys for which anything changed."""
        listed = {_address(body): body for body in bodies}
        gone = [known for at, known in self._objects.items() if at not in listed]
        return set().union(*map(self.remove, gone), *map(self.put, listed.values()))

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


def _newer(candidate: Json, known: Json) -> bool:
    """Whether `candidate` is a later version. Resource versions can be compared as numbers (KEP-5504)."""
    if candidate["uid"] != known["uid"]:
        return True
    ours, theirs = known["resourceVersion"], candidate["resourceVersion"]
    if ours.isdigit() and theirs.isdigit():
        return int(theirs) > int(ours)
    return bool(theirs != ours)
