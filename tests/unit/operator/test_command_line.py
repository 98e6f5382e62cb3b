"""What the command line and the environment come to."""

import pytest

from tests.unit.operator.worlds import service
from tts_operator.__main__ import parser, settings_of
from tts_operator.api import Json
from tts_operator.desired import Defaults, children

GUARDED = {"networkPolicy": {"enabled": True, "ingressFrom": [{"podSelector": {"matchLabels": {"app": "shop"}}}]}}


@pytest.mark.parametrize(
    "words, environ, namespace",
    [
        ([], {}, ""),
        ([], {"POD_NAMESPACE": "speech-system"}, "speech-system"),
        (["--own-namespace", "other"], {"POD_NAMESPACE": "speech-system"}, "other"),
        (["--own-namespace", ""], {"POD_NAMESPACE": "speech-system"}, ""),
    ],
)
def test_where_the_operator_runs(
    monkeypatch: pytest.MonkeyPatch, words: list[str], environ: dict[str, str], namespace: str
) -> None:
    monkeypatch.delenv("POD_NAMESPACE", raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    settings = settings_of(parser().parse_args(["run", *words]))
    assert settings.defaults.namespace == namespace
    assert settings.namespace is None, "it still serves all namespaces"


def _peers(namespace: str) -> list[Json]:
    made = children(service(GUARDED), Defaults(image="server", namespace=namespace))
    policy = next(each for each in made if each["kind"] == "NetworkPolicy")
    peers: list[Json] = policy["spec"]["ingress"][0]["from"]
    return peers


def test_a_network_policy_lets_the_operator_in() -> None:
    assert _peers("speech-system")[1:] == [
        {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "speech-system"}},
            "podSelector": {"matchLabels": {"app.kubernetes.io/name": "tts-operator"}},
        }
    ]


def test_an_operator_that_does_not_know_where_it_is_adds_no_peer() -> None:
    assert len(_peers("")) == 1
