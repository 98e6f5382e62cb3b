"""The lexicon of a service: a ConfigMap mounted in its pods."""

from tests.unit.operator.worlds import DEFAULTS, plan, service
from tts_operator.desired import children
from tts_operator.json_object import Json
from tts_operator.policy import Policy
from tts_operator.reconcile.observed.snapshot import Observed

NODES = [{"topology.kubernetes.io/zone": "zone-a"}]
WORDS: Json = {"server": {"lexicon": {"configMapKeyRef": {"name": "words", "key": "names.yaml"}}}}


def pod(spec: Json) -> Json:
    manifests = children(service(spec), DEFAULTS, nodes=NODES)
    (deployment,) = [each for each in manifests if each["kind"] == "Deployment"]
    found: Json = deployment["spec"]["template"]["spec"]
    return found


def test_the_server_reads_the_config_map_as_a_file() -> None:
    found = pod(WORDS)
    (volume,) = [each for each in found["volumes"] if each["name"] == "lexicon"]
    (mount,) = [each for each in found["containers"][0]["volumeMounts"] if each["name"] == "lexicon"]
    (path,) = [each["value"] for each in found["containers"][0]["env"] if each["name"] == "TTS_LEXICON"]
    (item,) = volume["configMap"]["items"]
    assert (volume["configMap"]["name"], item["key"]) == ("words", "names.yaml")
    assert path == f"{mount['mountPath']}/{item['path']}"
    assert mount["readOnly"] is True


def test_the_file_follows_the_config_map() -> None:
    """The kubelet updates the folder of a volume, but never a single file that is mounted by subPath."""
    assert all("subPath" not in each for each in pod(WORDS)["containers"][0]["volumeMounts"])


def test_a_missing_config_map_does_not_stop_the_pods() -> None:
    (volume,) = [each for each in pod(WORDS)["volumes"] if each["name"] == "lexicon"]
    assert volume["configMap"]["optional"] is True


def test_without_a_lexicon_the_pods_are_those_of_before() -> None:
    assert pod({}) == pod({"server": {}})
    assert "lexicon" not in repr(pod({})).lower()


def test_the_default_policy_allows_it() -> None:
    assert not plan(service(WORDS), Observed(), DEFAULTS, now="", policy=Policy()).violation
