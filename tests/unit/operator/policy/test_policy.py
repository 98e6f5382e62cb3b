"""The policy's file, and its patterns."""

from pathlib import Path

import pytest

from tests.unit.operator.worlds import OPEN
from tts_operator.__main__ import parser, settings_of
from tts_operator.policy import Policy, PolicyError, load, repository
from tts_operator.policy.bounds import LISTED_MAX, PATTERNS_MAX, SHOWN_MAX, TEXT_MAX, Violation, allowed, message, shown
from tts_operator.policy.model import Rules
from tts_operator.policy.patterns import matches

SERVER = "ghcr.io/tts-operator/tts-server"
IMAGE = f"{SERVER}:v1"


@pytest.mark.parametrize(
    "pattern, value, fits",
    [
        ("a", "a", True),
        ("a", "ab", False),
        ("a", "A", False),
        ("*", "", True),
        ("*", "anything at all", True),
        ("a*", "a", True),
        ("a*", "ab/c", True),
        ("a*", "ba", False),
        ("*a", "ba", True),
        ("*a", "ab", False),
        ("a*a", "a", False),
        ("a*a", "aa", True),
        ("a*b*c", "a-b-c", True),
        ("a*b*c", "abc", True),
        ("a*b*c", "ac", False),
        ("a*bc*c", "abc", False),
        ("a**c", "ac", True),
        ("a.c", "abc", False),
        ("[ab]", "a", False),
        ("a?", "ab", False),
        ("", "", True),
        ("", "a", False),
    ],
)
def test_patterns(pattern: str, value: str, fits: bool) -> None:
    assert matches(pattern, value) is fits


@pytest.mark.parametrize(
    "reference, name",
    [
        ("nginx", "nginx"),
        ("nginx:1.27", "nginx"),
        ("library/nginx:1.27", "library/nginx"),
        (f"{SERVER}:v1", SERVER),
        (f"{SERVER}@sha256:{'a' * 64}", SERVER),
        (f"{SERVER}:v1@sha256:{'a' * 64}", SERVER),
        ("registry.example:5000/speech", "registry.example:5000/speech"),
        ("registry.example:5000/speech:v1", "registry.example:5000/speech"),
        ("", ""),
    ],
)
def test_the_repository_of_an_image(reference: str, name: str) -> None:
    assert repository(reference) == name


def written(folder: Path, text: str) -> Path:
    path = folder / "policy.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("text", ["", "{}", "# nothing\n", "namespaces: {}"])
def test_a_file_that_says_nothing_is_the_default(tmp_path: Path, text: str) -> None:
    assert load(written(tmp_path, text)) == Policy()


def test_what_is_given_for_a_namespace_takes_the_place_of_the_general_rule(tmp_path: Path) -> None:
    policy = load(
        written(
            tmp_path,
            """
            podTemplate: Unrestricted
            images: ["{serverImage}", "registry.example/{namespace}/*"]
            hosts: ["*.{namespace}.example.com"]
            namespaces:
              bank:
                podTemplate: Restricted
                serviceTypes: [ClusterIP, LoadBalancer]
                hosts: []
            """,
        )
    )
    books, bank = (policy.for_namespace(name, IMAGE) for name in ("books", "bank"))
    assert (books.restricted, bank.restricted) == (False, True)
    assert books.images == (SERVER, "registry.example/books/*")
    assert bank.images == (SERVER, "registry.example/bank/*")
    assert (books.hosts, bank.hosts) == (("*.books.example.com",), ())
    assert (books.service_types, bank.service_types) == (("ClusterIP",), ("ClusterIP", "LoadBalancer"))
    assert books.ingress_annotations == bank.ingress_annotations == Policy().ingress_annotations


def test_the_default() -> None:
    bounds = Policy().for_namespace("speech", IMAGE)
    assert bounds.restricted
    assert bounds.images == (SERVER,)
    assert (bounds.service_types, bounds.issuers, bounds.hosts) == (("ClusterIP",), ("Issuer/*",), ("*",))
    assert (bounds.service_annotations, bounds.priority_classes, bounds.prometheus) == ((), (), ())
    assert not [key for key in bounds.ingress_annotations if "snippet" in key or "auth" in key]


@pytest.mark.parametrize(
    "text, told",
    [
        ("image: [a]", "image: unknown field; write one of podTemplate, images, hosts"),
        ("podTemplate: restricted", "podTemplate: write Restricted or Unrestricted, not 'restricted'"),
        ("podTemplate:", "podTemplate: write Restricted or Unrestricted, not None"),
        ("images: a", 'images: write a list of patterns, such as ["*"], or [] to allow nothing'),
        ("images:", "images: write a list of patterns"),
        ("images: [1]", "images.0: write a string"),
        ('images: ["{server}"]', "images.0: '{server}': only {namespace} and {serverImage} may appear in braces"),
        ("namespaces: [a]", "namespaces: write fields, such as NAMESPACE: {...}"),
        ("namespaces: {bank: x}", "namespaces.bank: write fields, such as serviceTypes: [ClusterIP]"),
        ("namespaces: {bank: {host: [a]}}", "namespaces.bank.host: unknown field; write one of podTemplate"),
        ("namespaces: {bank: {hosts: a}}", "namespaces.bank.hosts: write a list of patterns"),
        ("namespaces: {bank: {namespaces: {}}}", "namespaces.bank.namespaces: unknown field"),
        ("- a", "write fields, such as podTemplate: Restricted; this is a list"),
        ("a: [", "is not valid YAML: "),
    ],
)
def test_a_wrong_file_is_refused_with_what_to_write(tmp_path: Path, text: str, told: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(PolicyError) as raised:
        load(path)
    assert str(raised.value).startswith(str(path))
    assert told in str(raised.value)


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"podTemplate: .*; image: "):
        load(written(tmp_path, "{image: [a], podTemplate: 1}"))


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"absent\.yaml cannot be read"):
        load(tmp_path / "absent.yaml")


def test_the_command_line_and_the_environment_name_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, "serviceTypes: [NodePort]")
    expected = load(path)
    assert settings_of(parser().parse_args(["run", "--policy", str(path)])).policy == expected
    monkeypatch.setenv("TTS_OPERATOR_POLICY", str(path))
    assert settings_of(parser().parse_args(["run"])).policy == expected
    assert settings_of(parser().parse_args(["run", "--policy", ""])).policy == Policy()
    monkeypatch.delenv("TTS_OPERATOR_POLICY")
    assert settings_of(parser().parse_args(["run"])).policy == Policy()


def test_the_operator_does_not_start_with_a_wrong_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, "image: [a]")
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(["run", "--policy", str(path)])
    assert ended.value.code == 2
    assert f"argument --policy: {path}: image: unknown field" in capsys.readouterr().err


def test_the_log_tells_each_rule() -> None:
    policy = Policy.model_validate({"namespaces": {"bank": {}, "art": {}}})
    told = policy.describe()
    for info in Rules.model_fields.values():
        assert f"{info.alias} " in told
    assert "images {serverImage};" in told
    assert "prometheus nothing" in told
    assert told.endswith("; other rules in art, bank")
    assert "podTemplate Unrestricted; images *;" in OPEN.describe()


def test_messages_are_bounded() -> None:
    found = [Violation(text="x" * 10_000 + str(number), value="images") for number in range(50)]
    told = message(found, "bank")
    assert len(told) < LISTED_MAX * (TEXT_MAX + 10) + 300
    assert f"; and {50 - LISTED_MAX} more. " in told
    assert told.endswith("Helm value policy.images, or for this namespace alone policy.namespaces.bank.images")
    assert len(shown("x" * 10_000)) == SHOWN_MAX + 3
    assert "\n" not in shown("a\nb")
    assert allowed(["p"] * (PATTERNS_MAX + 2)).endswith(" and 2 more")


def test_the_same_is_told_once_and_what_nobody_can_allow_names_no_value() -> None:
    assert message([Violation(text="a"), Violation(text="a")], "bank") == "a"
