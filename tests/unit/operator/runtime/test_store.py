from collections.abc import Callable
from typing import Any

import pytest

from tts_operator.json_object import Json
from tts_operator.runtime.store import TOMBSTONES, Key, Store


def body(
    name: str = "a", *, version: int | str = 1, uid: str | None = None, owner: str | None = "o", **more: Any
) -> Json:
    return {
        "metadata": {"namespace": "n", "name": name, "uid": uid or f"uid-{name}", "resourceVersion": str(version)},
        "owner": owner,
        **more,
    }


def owner_of(body: Json) -> Key | None:
    return ("n", body["owner"]) if body["owner"] else None


@pytest.fixture
def store() -> Store:
    return Store(key_of=owner_of)


OURS, OTHERS = ("n", "o"), ("n", "p")


def names(store: Store, key: Key = OURS) -> set[str]:
    return {member["metadata"]["name"] for member in store.of(key)}


def test_empty(store: Store) -> None:
    assert store.get("n", "a") is None
    assert store.of(OURS) == list(store) == []
    assert len(store) == 0


def test_what_is_put_is_found(store: Store) -> None:
    assert store.put(body("a")) == {OURS}
    assert store.put(body("b")) == {OURS}
    assert store.put(body("c", owner="p")) == {OTHERS}
    assert store.get("n", "a") == body("a")
    assert (names(store), names(store, OTHERS)) == ({"a", "b"}, {"c"})
    assert len(store) == len(list(store)) == 3


@pytest.mark.parametrize(
    "version, concerned",
    [(1, set()), (2, set()), (3, {OURS}), (10, {OURS})],
)
def test_only_what_is_newer_replaces(store: Store, version: int | str, concerned: set[Key]) -> None:
    store.put(body(version=2))
    assert store.put(body(version=version, news=True)) == concerned
    assert ("news" in (store.get("n", "a") or {})) is bool(concerned)


def test_an_object_that_changes_hands_concerns_both(store: Store) -> None:
    store.put(body())
    assert store.put(body(version=2, owner="p")) == {OURS, OTHERS}
    assert (names(store), names(store, OTHERS)) == (set(), {"a"})
    assert store.put(body(version=3, owner=None)) == {OTHERS}
    assert names(store, OTHERS) == set()
    assert store.get("n", "a") is not None
    assert store.put(body(version=4)) == {OURS}


def test_remove(store: Store) -> None:
    store.put(body("a"))
    store.put(body("b"))
    assert store.remove(body("a", version=2)) == {OURS}
    assert names(store) == {"b"}
    assert store.remove(body("a", version=2)) == set()
    assert store.remove(body("never seen")) == set()


@pytest.mark.parametrize("version", [1, 2, 3])
def test_an_answer_that_comes_after_the_end_raises_no_ghost(store: Store, version: int) -> None:
    store.put(body(version=2))
    store.remove(body(version=3))
    assert store.put(body(version=version)) == set()
    assert len(store) == 0


def test_a_namesake_of_another_life(store: Store) -> None:
    store.put(body(uid="first"))
    store.remove(body(uid="first", version=2))
    assert store.put(body(uid="second", version=3)) == {OURS}
    assert store.remove(body(uid="first", version=2)) == set(), "late news of the first one's end"
    assert store.get("n", "a") is not None


def test_a_namesake_whose_forerunner_was_not_seen_to_go(store: Store) -> None:
    store.put(body(uid="first"))
    assert store.put(body(uid="second", version=5, owner="p")) == {OURS, OTHERS}
    assert store.remove(body(uid="first", version=4)) == set()
    assert names(store, OTHERS) == {"a"}


def test_cluster_wide_objects(store: Store) -> None:
    node = body(owner=None)
    del node["metadata"]["namespace"]
    assert store.put(node) == set()
    assert store.get("", "a") == node


def test_the_dead_are_remembered_within_bounds(store: Store) -> None:
    for number in range(TOMBSTONES + 10):
        store.remove(body(str(number)))
    assert len(store._deleted) == TOMBSTONES


def test_emptied_keys_leave_nothing_behind(store: Store) -> None:
    for number in range(10):
        store.put(body("a", uid=str(number), version=2 * number, owner=str(number)))
        store.remove(body("a", uid=str(number), version=2 * number + 1))
    assert not store._members


def test_trim_decides_what_is_kept_and_seen() -> None:
    def trim(body: Json) -> Json:
        return {"metadata": body["metadata"], "owner": "trimmed"}

    store = Store(key_of=owner_of, trim=trim)
    assert store.put(body(ballast="x" * 100)) == {("n", "trimmed")}
    assert store.get("n", "a") == trim(body())
    assert store.remove(body(version=2)) == {("n", "trimmed")}


@pytest.mark.parametrize(
    "listed, concerned, left",
    [
        ([], {OURS, OTHERS}, set()),
        ([body("a"), body("b", owner="p")], set(), {"a", "b"}),
        ([body("a")], {OTHERS}, {"a"}),
        ([body("a", version=2), body("b", owner="p")], {OURS}, {"a", "b"}),
        ([body("a"), body("b", owner="p"), body("c", owner="q")], {("n", "q")}, {"a", "b", "c"}),
        ([body("a", uid="another", version=9), body("b", owner="p")], {OURS}, {"a", "b"}),
        ([body("c", owner="p")], {OURS, OTHERS}, {"c"}),
    ],
)
def test_a_whole_list_tells_of_ghosts_and_news(
    store: Store, listed: list[Json], concerned: set[Key], left: set[str]
) -> None:
    store.put(body("a"))
    store.put(body("b", owner="p"))
    replaced = replace(store, listed)
    assert replaced == concerned
    assert {member["metadata"]["name"] for member in store} == left


def replace(store: Store, listed: list[Json]) -> set[Key]:
    return store.replace(listed, "9")


def test_a_ghost_stays_away(store: Store) -> None:
    store.put(body("a"))
    replace(store, [])
    assert store.put(body("a")) == set()


def test_what_is_younger_than_a_list_is_kept(store: Store) -> None:
    store.put(body("a", version=10))
    assert replace(store, []) == set()
    assert store.put(body("a", version=11)) == {OURS}


def test_an_object_that_lost_its_label_for_a_moment_is_not_dead(store: Store) -> None:
    store.put(body(version=1))
    store.remove(body(version=2))  # what a watch with a label selector tells of a removed label
    assert store.put(body(version=3)) == {OURS}, "we have put the label back"


def test_a_late_answer_of_an_earlier_life_does_not_return(store: Store) -> None:
    store.put(body(uid="first", version=1))
    store.put(body(uid="second", version=9))  # a relist without news of the first one's end
    assert store.put(body(uid="first", version=5)) == set()
    assert (store.get("n", "a") or {})["metadata"]["uid"] == "second"


@pytest.mark.parametrize("change", [lambda s: s.put(body("b")), lambda s: s.remove(body("a", version=2))])
def test_an_answer_is_not_changed_by_later_news(store: Store, change: Callable[[Store], object]) -> None:
    store.put(body("a"))
    members = store.of(OURS)
    change(store)
    assert [member["metadata"]["name"] for member in members] == ["a"]


def test_clear_bears_no_grudge(store: Store) -> None:
    store.put(body("a"))
    store.put(body("c", owner="p"))
    assert store.clear() == {OURS, OTHERS}
    assert list(store) == store.of(OURS) == []
    assert store.put(body("a")) == {OURS}


def test_a_list_of_one_namespace_says_nothing_of_others(store: Store) -> None:
    elsewhere = body("a", uid="elsewhere")
    elsewhere["metadata"]["namespace"] = "m"
    store.put(body("a"))
    store.put(elsewhere)
    assert store.replace([], "9", namespace="m") == {OURS}
    assert [member["metadata"]["namespace"] for member in store] == ["n"]
    store.put({**elsewhere, "metadata": {**elsewhere["metadata"], "resourceVersion": "10"}})
    assert store.clear("n") == {OURS}
    assert [member["metadata"]["namespace"] for member in store] == ["m"]
    assert store.put(body("a")) == {OURS}
