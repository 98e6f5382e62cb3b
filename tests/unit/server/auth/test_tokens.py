"""Who is taken for the operator, and who is not: the server's side by tokens that others have made."""

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask.testing import FlaskClient

from tests.unit.server.api.test_responses import URL, served
from tests.unit.server.conftest import FakeEngine
from tts_operator.keyring import Keyring
from tts_server.apikeys import parse_api_keys
from tts_server.auth.keys import Keys
from tts_server.auth.tokens import Tokens
from tts_server.settings import decoded

POD, OTHER = "7f3c2f2e-0000-4000-8000-00000000000a", "7f3c2f2e-0000-4000-8000-00000000000b"
OURS, THEIRS = Keyring(b"\1" * 32), Keyring(b"\2" * 32)
PRIVATE = Ed25519PrivateKey.generate()


def keys(public_key: str = OURS.public_key) -> Keys:
    return Keys(parse_api_keys("client"), tokens=Tokens(public_key, POD))


def text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def unsigned(header: object, claims: object, signature: bytes = b"") -> str:
    return ".".join((text(json.dumps(header).encode()), text(json.dumps(claims).encode()), text(signature)))


def resigned(token: str) -> str:
    """With the signature of a token, but for the pod."""
    header, _, signature = token.split(".")
    return ".".join((header, text(json.dumps(fresh()).encode()), signature))


def signed(**claims: Any) -> str:
    """By the key that the server knows, whatever it says."""
    now = int(time.time())
    usual = {"iss": "tts-operator", "aud": POD, "iat": now, "exp": now + 30}
    given = {name: value for name, value in {**usual, **claims}.items() if value is not None}
    return jwt.encode(given, PRIVATE, algorithm="EdDSA")


def fresh(**more: Any) -> Any:
    return {"iss": "tts-operator", "aud": POD, "iat": int(time.time()), "exp": int(time.time()) + 30, **more}


def test_the_operators_token_for_this_pod_is_taken() -> None:
    token = OURS.token(POD, time.time())
    assert keys().accept(f"Bearer {token}")
    assert keys().accept("Bearer client")
    assert len(token) < 300


def test_a_server_without_the_public_key_takes_no_token() -> None:
    assert not Keys(parse_api_keys("client")).accept(f"Bearer {OURS.token(POD, time.time())}")


@pytest.mark.parametrize("late", [-25, 25, 55], ids=lambda late: f"{late} s")
def test_clocks_may_differ_a_little(late: int) -> None:
    assert keys().accept(f"Bearer {OURS.token(POD, time.time() - late)}")


@pytest.mark.parametrize("late", [-40, 65, 3600], ids=lambda late: f"{late} s")
def test_a_token_is_good_for_a_moment_only(late: int) -> None:
    assert not keys().accept(f"Bearer {OURS.token(POD, time.time() - late)}")


# Each is made when it is needed: a token that is too old is refused whatever else is wrong with it.
ATTACKS: dict[str, Callable[[], str]] = {
    "the uid of another pod": lambda: OTHER,
    "the uid, which is in many metrics": lambda: POD,
    "the public key": lambda: OURS.public_key,
    "caught by a pod of somebody else's": lambda: OURS.token(OTHER, time.time()),
    "signed with another key": lambda: THEIRS.token(POD, time.time()),
    "alg none": lambda: unsigned({"alg": "none", "typ": "JWT"}, fresh()),
    "alg NONE": lambda: unsigned({"alg": "NONE"}, fresh(), b"x"),
    "no signature": lambda: unsigned({"alg": "EdDSA", "typ": "JWT"}, fresh()),
    "a signature of nothing": lambda: unsigned({"alg": "EdDSA", "typ": "JWT"}, fresh(), bytes(64)),
    "the public key as if it were a shared one": lambda: jwt.encode(fresh(), OURS.public_key, algorithm="HS256"),
    "the same, as bytes": lambda: jwt.encode(fresh(), decoded(OURS.public_key), algorithm="HS256"),
    "other claims under a good signature": lambda: resigned(OURS.token(OTHER, time.time())),
    "cut off": lambda: OURS.token(POD, time.time())[:-2],
    "too long": lambda: OURS.token(POD, time.time()) + "A" * 600,
    "four parts": lambda: OURS.token(POD, time.time()) + ".",
    "deeply nested": lambda: text(b'{"' + b"[" * 300) + ".x.y",
    "empty parts": lambda: "eyJ..",
    "nothing but dots": lambda: "..",
    "huge": lambda: "eyJ" + "A" * 100_000 + ".A.A",
    "not ASCII": lambda: "eyJé.x.y",
}
CLAIMS: dict[str, Callable[[float], dict[str, Any]]] = {
    "for two pods": lambda _: {"aud": [POD, OTHER]},
    "for nobody": lambda _: {"aud": None},
    "for an empty name": lambda _: {"aud": ""},
    "for ever": lambda _: {"exp": None},
    "of no time": lambda _: {"iat": None},
    "by nobody": lambda _: {"iss": None},
    "by somebody": lambda _: {"iss": "somebody"},
    "for too long": lambda now: {"exp": int(now) + 120},
    "not yet": lambda now: {"nbf": int(now) + 3600},
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_other_is(attack: str) -> None:
    assert not keys().accept(f"Bearer {ATTACKS[attack]()}")


@pytest.mark.parametrize("claims", CLAIMS)
def test_a_token_says_all_that_it_must_and_is_short_lived(claims: str) -> None:
    public = text(PRIVATE.public_key().public_bytes_raw())
    assert keys(public).accept(f"Bearer {signed()}")
    assert not keys(public).accept(f"Bearer {signed(**CLAIMS[claims](time.time()))}")


def test_what_is_longer_than_any_token_is_not_even_read(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def accept(_: Tokens, token: str) -> bool:
        read.append(token)
        return False

    monkeypatch.setattr(Tokens, "accept", accept)
    for attack in ("eyJ" + "A" * 1000 + ".A.A", "sk-client-key", "eyJ" + "." * 500, POD):
        assert not keys().accept(f"Bearer {attack}")
    assert not read


def test_a_request_with_a_wrong_token_is_refused_as_any_other(engine: FakeEngine) -> None:
    client = guarded(engine)
    for attack in (OURS.token(OTHER, time.time()), THEIRS.token(POD, time.time()), POD):
        refused = client.post(URL, json={"input": "好"}, headers={"Authorization": f"Bearer {attack}"})
        assert refused.status_code == 401
        assert refused.json == client.post(URL, json={"input": "好"}).json
    assert client.post(URL, json={"input": "好"}, headers=bearer(OURS)).status_code == 200


def test_what_was_let_in_by_a_token_is_not_answered_again_by_it(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = guarded(engine)
    by_key, by_token = {"Authorization": "Bearer client"}, bearer(OURS)
    for headers in (by_key, by_token, by_token):
        assert client.post(URL, json={"input": "好"}, headers=headers).status_code == 200
    monkeypatch.setattr(Tokens, "accept", lambda *_: False)  # as after a minute
    assert client.post(URL, json={"input": "好"}, headers=by_token).status_code == 401
    assert client.post(URL, json={"input": "好"}, headers=by_key).headers["X-Cache"] == "hit"


def guarded(engine: FakeEngine) -> FlaskClient:
    return served(engine, api_keys=parse_api_keys("client"), probe_public_key=OURS.public_key, pod_uid=POD)


def bearer(keyring: Keyring) -> dict[str, str]:
    return {"Authorization": f"Bearer {keyring.token(POD, time.time())}"}
