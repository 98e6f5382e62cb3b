"""Settings from the command line and the environment."""

import pytest

from tests.unit.operator.worlds import service
from tts_operator.__main__ import parser, settings_of
from tts_operator.app import Settings
from tts_operator.desired import Defaults, children
from tts_operator.json_object import Json

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
    assert settings.namespaces == (), "it still serves all namespaces"


@pytest.mark.parametrize(
    "words, environ, namespaces",
    [
        ([], {}, ()),
        ([], {"TTS_OPERATOR_NAMESPACE": ""}, ()),
        ([], {"TTS_OPERATOR_NAMESPACE": "speech"}, ("speech",)),
        ([], {"TTS_OPERATOR_NAMESPACE": "speech,shop"}, ("speech", "shop")),
        (["--namespace", "shop, a-1,shop"], {"TTS_OPERATOR_NAMESPACE": "speech"}, ("shop", "a-1")),
        (["--namespace", ""], {"TTS_OPERATOR_NAMESPACE": "speech"}, ()),
    ],
)
def test_which_namespaces_are_served(
    monkeypatch: pytest.MonkeyPatch, words: list[str], environ: dict[str, str], namespaces: tuple[str, ...]
) -> None:
    assert _settings(monkeypatch, words, environ).namespaces == namespaces


@pytest.mark.parametrize(
    "words, environ, kinds",
    [
        ([], {}, set()),
        ([], {"TTS_OPERATOR_WITHOUT": ""}, set()),
        ([], {"TTS_OPERATOR_WITHOUT": "Ingress,HTTPRoute"}, {"Ingress", "HTTPRoute"}),
        (["--without", "PodMonitor, PrometheusRule"], {}, {"PodMonitor", "PrometheusRule"}),
    ],
)
def test_what_it_does_without(
    monkeypatch: pytest.MonkeyPatch, words: list[str], environ: dict[str, str], kinds: set[str]
) -> None:
    assert {kind.kind for kind in _settings(monkeypatch, words, environ).without} == kinds


@pytest.mark.parametrize(
    "words, said",
    [
        (
            ["--namespace", "speech,,shop"],
            "'' in 'speech,,shop' is not a valid namespace name: separate names with commas",
        ),
        (["--namespace", "speech,"], "is not a valid namespace name"),
        (["--namespace", ","], "is not a valid namespace name"),
        (["--namespace", "speech-*"], "'speech-*' in 'speech-*' is not a valid namespace name"),
        (["--namespace", "!speech"], "is not a valid namespace name"),
        (["--without", "Deployment"], "'Deployment' in 'Deployment': no TTSService works without it; choose from"),
        (["--without", "Ingress,Secret"], "'Secret' in 'Ingress,Secret': there is no such child kind"),
        (
            ["--without", "ingress"],
            "Certificate, ConfigMap, HTTPRoute, HorizontalPodAutoscaler, Ingress, NetworkPolicy",
        ),
        (["--key-secret", "speech"], "'speech': write NAMESPACE/NAME, or leave it empty to use temporary keys"),
        (["--lease", "speech"], "write NAMESPACE/NAME"),
        (["--http-address", "8080"], "write HOST:PORT"),
        (["--runbooks", "https://wiki.example.com/tts"], "write an address with {alert} for the alert's name"),
        (["--runbooks", "{alert}.md"], "write an address with {alert} for the alert's name"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    with pytest.raises(SystemExit):
        _settings(monkeypatch, words, {})
    assert said in capsys.readouterr().err.replace("\n", " ")


def _settings(monkeypatch: pytest.MonkeyPatch, words: list[str], environ: dict[str, str]) -> Settings:
    for name in ("TTS_OPERATOR_NAMESPACE", "TTS_OPERATOR_WITHOUT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    return settings_of(parser().parse_args(["run", *words]))


@pytest.mark.parametrize(
    "words, environ, address",
    [
        ([], {}, ""),
        ([], {"TTS_OPERATOR_RUNBOOKS": "https://a.example/{alert}"}, "https://a.example/{alert}"),
        (["--runbooks", "http://b/{alert}#top"], {"TTS_OPERATOR_RUNBOOKS": ""}, "http://b/{alert}#top"),
    ],
)
def test_where_alerts_link_to(
    monkeypatch: pytest.MonkeyPatch, words: list[str], environ: dict[str, str], address: str
) -> None:
    assert _settings(monkeypatch, words, environ).defaults.runbooks == address


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
