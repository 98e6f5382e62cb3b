"""What is derived from the operator's secret, where it ends, and how pods are asked with it."""

import time

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tests.unit.operator.worlds import DEFAULTS, KEYRING, NAMESPACE, UID, pod, service
from tts_operator.desired import Defaults
from tts_operator.desired.pod.probe import Admits, admits
from tts_operator.desired.pod.template import pod_template
from tts_operator.desired.revision import revisions_of, wanted_revision
from tts_operator.json_object import Json
from tts_operator.keyring import Keyring, new_secret
from tts_operator.reconcile.analysis.credentials import credential, is_stranger
from tts_operator.reconcile.analysis.model import PodEndpoint, pod_endpoints
from tts_server.settings import decoded

SECRET = b"a secret of thirty-two bytes 1234"
OTHER = Keyring(b"2" * 32)
AUTH: Json = {"server": {"auth": {"apiKeysSecretRef": {"name": "keys", "key": "keys"}}}}
REDIS: Json = {"server": {"cache": {"redis": {"urlSecretRef": {"name": "redis", "key": "url"}}}}}
OLD = {"name": "TTS_PROBE_KEY", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}}


def environment(template: Json) -> Json:
    return {each["name"]: each for each in template["spec"]["containers"][0]["env"]}


def test_the_same_secret_makes_the_same_keys_and_none_tells_of_another() -> None:
    again = Keyring(SECRET)
    assert again.public_key == KEYRING.public_key != OTHER.public_key
    assert again.cache_key("a", "b") == KEYRING.cache_key("a", "b")
    made = [KEYRING.public_key, *(KEYRING.cache_key(*at) for at in (("a", "b"), ("a", "c"), ("ab", ""), ("", "ab")))]
    made.append(OTHER.cache_key("a", "b"))
    assert len(set(made)) == len(made)
    assert {len(decoded(each)) for each in made} == {32}
    assert len({new_secret() for _ in range(3)}) == 3


def test_a_secret_that_is_too_short_is_refused_and_none_is_shown() -> None:
    with pytest.raises(ValueError, match="has 31 bytes") as raised:
        Keyring(SECRET[:31])
    assert "secret of thirty" not in str(raised.value)
    assert "thirty" not in repr(Keyring(SECRET))
    assert "keyring" not in repr(Defaults(image="server", keyring=KEYRING))


def test_a_token_is_for_one_pod_and_for_a_moment() -> None:
    now = time.time()
    public = Ed25519PublicKey.from_public_bytes(decoded(KEYRING.public_key))
    claims = jwt.decode(KEYRING.token("uid-1", now), public, algorithms=["EdDSA"], audience="uid-1")
    assert claims == {"iss": "tts-operator", "aud": "uid-1", "iat": int(now), "exp": int(now) + 30}


def test_a_pod_is_given_nothing_that_could_speak() -> None:
    env = environment(pod_template(service(AUTH), "server", "DoNotSchedule", KEYRING))
    assert env["TTS_PROBE_PUBLIC_KEY"]["value"] == KEYRING.public_key
    assert env["TTS_POD_UID"]["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.uid"}}
    assert "TTS_PROBE_KEY" not in env
    assert "TTS_REDIS_SIGNING_KEY" not in env


def test_only_pods_with_a_shared_cache_get_its_key() -> None:
    env = environment(pod_template(service(REDIS), "server", "DoNotSchedule", KEYRING))
    assert env["TTS_REDIS_PREFIX"]["value"] == f"tts:{NAMESPACE}:{UID}:"
    assert env["TTS_REDIS_SIGNING_KEY"]["value"] == KEYRING.cache_key(NAMESPACE, UID)
    assert not {"TTS_PROBE_PUBLIC_KEY", "TTS_POD_UID"} & env.keys()
    other = service(REDIS, uid="another")
    assert (
        environment(pod_template(other, "server", "DoNotSchedule", KEYRING))["TTS_REDIS_SIGNING_KEY"]
        != env["TTS_REDIS_SIGNING_KEY"]
    )


def test_a_service_without_both_has_none_of_it() -> None:
    assert pod_template(service(), "server", "DoNotSchedule", KEYRING) == pod_template(
        service(), "server", "DoNotSchedule"
    )


def test_a_lost_secret_makes_no_new_revision_but_a_refresh_does() -> None:
    first = wanted_revision(service(AUTH), DEFAULTS.image, (), keyring=KEYRING)
    kept = revisions_of(
        [{"metadata": {"name": first.name}, "revision": 1, "data": first.manifest(service(AUTH))["data"]}]
    )
    assert wanted_revision(service(AUTH), DEFAULTS.image, kept, keyring=OTHER).name == first.name
    asked = service(AUTH, annotations={"tts-operator.io/refresh": "now"})
    anew = wanted_revision(asked, DEFAULTS.image, kept, keyring=OTHER)
    assert admits(anew.template) == Admits(public_key=OTHER.public_key)


def with_environment(*env: Json) -> Json:
    return {"metadata": {}, "spec": {"containers": [{"name": "sidecar"}, {"name": "server", "env": list(env)}]}}


@pytest.mark.parametrize(
    "template, found",
    [
        (pod_template(service(AUTH), "server", "DoNotSchedule", KEYRING), Admits(public_key=KEYRING.public_key)),
        (pod_template(service(), "server", "DoNotSchedule", KEYRING), Admits()),
        (with_environment(OLD), Admits(uid=True)),
        (with_environment({"name": "TTS_PROBE_KEY", "value": "fixed"}), Admits()),
        (with_environment({"name": "TTS_PROBE_PUBLIC_KEY", "value": "x"}, OLD), Admits(public_key="x", uid=True)),
        ({"metadata": {"labels": {}}}, Admits()),
        ({"metadata": {}, "spec": {"containers": [{"name": "server", "env": None}]}}, Admits()),
    ],
)
def test_by_what_a_template_knows_the_operator(template: Json, found: Admits) -> None:
    assert admits(template) == found


def test_where_pods_answer_and_by_what_they_know_the_operator() -> None:
    found = pod_endpoints(
        [pod("a", podIP="10.0.0.1"), pod("b", podIP="fd00::1"), pod("c")], 7860, with_environment(OLD)
    )
    assert found == {
        "a": PodEndpoint("http://10.0.0.1:7860", "a", Admits(uid=True)),
        "b": PodEndpoint("http://[fd00::1]:7860", "b", Admits(uid=True)),
    }


def asked_by(admitted: Admits) -> str | None:
    made = credential(PodEndpoint("http://10.0.0.1:7860", "uid-1", admitted), KEYRING)
    return made() if made is not None else None


def test_pods_of_an_older_operator_are_asked_by_their_uid_and_others_never() -> None:
    assert asked_by(Admits(uid=True)) == "uid-1"
    assert asked_by(Admits()) is None
    assert asked_by(Admits(public_key=OTHER.public_key)) is None
    assert asked_by(Admits(public_key=OTHER.public_key, uid=True)) is None
    token = asked_by(Admits(public_key=KEYRING.public_key, uid=True))
    assert token is not None
    assert token.count(".") == 2


def test_who_is_a_stranger() -> None:
    told = {
        key: is_stranger(PodEndpoint("url", "uid", Admits(public_key=key)), KEYRING)
        for key in ("", KEYRING.public_key, OTHER.public_key)
    }
    assert told == {"": False, KEYRING.public_key: False, OTHER.public_key: True}
