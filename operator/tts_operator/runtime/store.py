"""The cache: the objects of one resource as last seen, found by the key of what they belong to."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator

from tts_operator.json_object import Json

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
        self._deleted: OrderedDict[str, int] = OrderedDict()
        self.changes = 0
        """How often an object came, changed or went."""

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
        """Forget an object that is deleted, or no longer selected, as of `version` (its own, if not given).

        It may come back: somebody takes our label off, and we put it on again. Returns the keys that it concerned.
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
        """Take a whole list in, made at `version`: what is not on it is gone, unless it is younger than the list.

        Of a list of one `namespace` nothing follows for the others. Returns the keys for which anything changed.
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
        """Forget everything, or what is in one namespace, without a grudge: the same objects may come back.

        Returns the keys that it concerns.
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


def version_of(body: Json) -> int:
    """The resource version, as the number that it is: of two versions the larger is the later one (KEP-5504)."""
    return int(body["metadata"]["resourceVersion"])
