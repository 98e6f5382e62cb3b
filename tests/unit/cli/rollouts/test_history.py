"""Which revisions there are, and how they differ."""

from __future__ import annotations

import builtins
import sys
from typing import Any

import pytest

from tests.unit.cli.services_in_states import (
    NAMES,
    NOW,
    TYPED,
    a_service,
    controller_revision,
    marked,
    rolled_back,
    undone,
)
from tts_operator.cli.refused import RefusedError
from tts_operator.cli.rollouts.history import difference, documents, history, pair, same
from tts_operator.cli.view import Revision, revisions
from tts_operator.cli.wording import Names


def test_the_newest_comes_first_and_marks_tell_what_runs() -> None:
    names = Names(revisions([controller_revision(5, cause="image.tag: v1 -> v2"), controller_revision(6)]))
    assert history(names, rolled_back(), NOW).splitlines() == [
        "NUMBER   REVISION     AGE   STATE                 MODEL         IMAGE       CAUSE",
        "6        narrator-6   1 h   target, rolled back   fastspeech2   speech:v1   -",
        "5        narrator-5   1 h   current               fastspeech2   speech:v1   image.tag: v1 -> v2",
    ]


def test_an_undo_is_marked() -> None:
    assert [each["is"] for each in documents(NAMES, undone())] == [["target"], [], ["current", "by undo"], []]


def test_what_was_stable_is_marked() -> None:
    told = [each["is"] for each in documents(marked(stable={3, 5}), rolled_back())]
    assert told == [["target", "rolled back"], ["current"], [], ["was stable"]]


def test_programs_get_the_same() -> None:
    assert documents(NAMES, a_service())[1] == {
        "number": 5,
        "name": "narrator-5",
        "since": "2026-11-25T11:00:00Z",
        "cause": None,
        "model": "fastspeech2",
        "image": "speech:v1",
        "is": ["current", "target"],
    }


@pytest.mark.parametrize(
    "model, name",
    [
        ({"engine": "modelscope", "name": "damo/a", "revision": "v1"}, "damo/a@v1"),
        ({"engine": "fastspeech2"}, "fastspeech2"),
        ({}, "-"),
    ],
)
def test_a_model_is_told_by_its_name(model: dict[str, str], name: str) -> None:
    body = controller_revision(1)
    body["data"]["inputs"]["model"] = model
    assert revisions([body])[0].model == name


def test_by_default_the_stable_one_is_compared_with_what_the_spec_asks_for() -> None:
    assert [each.number for each in pair(NAMES, rolled_back(), TYPED, None, None)] == [5, 6]
    assert [each.number for each in pair(NAMES, rolled_back(), TYPED, NAMES.revisions[0], None)] == [3, 6]
    with pytest.raises(RefusedError, match="no stable revision yet"):
        pair(NAMES, a_service(current=None), TYPED, None, None)


def test_the_difference_is_a_diff_of_yaml() -> None:
    old, new = NAMES.revisions[:2]
    assert difference(old, new, template=False).splitlines() == [
        "--- revision 3 (narrator-3)",
        "+++ revision 4 (narrator-4)",
        "@@ -1,4 +1,4 @@",
        " model:",
        "   engine: fastspeech2",
        " server:",
        "-  maxInputCharacters: 300",
        "+  maxInputCharacters: 400",
    ]
    assert difference(old, new, template=True) == ""


def test_what_does_not_differ_is_told() -> None:
    old, new = NAMES.revisions[:2]
    assert same(old, new, NAMES, TYPED, template=False) == (
        "Revisions 3 and 4 do not differ. To compare their pod templates: `kubectl tts diff narrator 3 4 --template`"
    )
    assert "`kubectl tts diff narrator 3 4`" in same(new, new, NAMES, TYPED, template=False)


def with_env(**variables: str) -> Revision:
    env = [{"name": name, "value": value} for name, value in variables.items()]
    return revisions([controller_revision(1, env=env)])[0]


def test_secrets_are_left_out_of_a_difference_and_a_change_of_one_shows() -> None:
    old = with_env(HUB_TOKEN="aaa", API_KEY="bbb", DB_PASSWORD="ccc", REDIS="redis://me:ddd@host:6379", THREADS="1")
    new = with_env(HUB_TOKEN="aaa", API_KEY="eee", DB_PASSWORD="ccc", REDIS="redis://me:fff@host:6379", THREADS="2")
    text = difference(old, new, template=True)
    assert not any(secret in text for secret in ("aaa", "bbb", "ccc", "ddd", "eee", "fff"))
    assert [line.strip() for line in text.splitlines()[2:] if line.startswith(("-", "+"))] == [
        "-      value: (hidden 2)",
        "+      value: (hidden 5)",
        "-      value: redis://(hidden 4)@host:6379",
        "+      value: redis://(hidden 6)@host:6379",
        "-      value: '1'",
        "+      value: '2'",
    ]


def test_pyyaml_may_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    genuine = builtins.__import__

    def without_yaml(name: str, *rest: Any) -> Any:
        if name == "yaml":
            raise ImportError(name)
        return genuine(name, *rest)

    monkeypatch.delitem(sys.modules, "yaml")
    monkeypatch.setattr(builtins, "__import__", without_yaml)
    with pytest.raises(RefusedError, match="pip install pyyaml"):
        difference(*NAMES.revisions[:2], template=False)
