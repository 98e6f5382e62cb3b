"""Who is taken for the operator, and who is not: the server's side by tokens that others have made."""

import base64
import json
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask.testing import FlaskClient

from tts_operator.keyring import Keyring
from tts_server.keys import Keys
from tts_server.settings import decoded
from tts_server.tokens import Tokens

from .conftest import FakeEngine
from .test_answers import URL, served

POD, OTHER = "7f3c2f2e-0000-4000-8000-00000000000a", "7f3c2f2e-0000-4000-8000-00000000000b"
OURS, THEIRS = Keyring(b"\1" * 32), Keyring(b"\2" * 32)
PRIVATE = Ed25519PrivateKey.generate()


def keys(public_key: str = OURS.public_key) -> Keys:
    return Keys(("client",), tokens=Tokens(public_key, POD))


def text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def unsigned(header: object, claims: object, signature: bytes = b"") -> str:
    return ".".join((text(json.dumps(header).encode()), text(json.dumps(claims).encode()), text(signature)))


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
    assert not Keys(("client",)).accept(f"Bearer {OURS.token(POD, time.time())}")


@pytest.mark.parametrize("late", [-25, 25, 55], ids=lambda late: f"{late} s")
def test_clocks_may_differ_a_little(late: int) -> None:
    assert keys().accept(f"Bearer {OURS.token(POD, time.time() - late)}")


@pytest.mark.parametrize("late", [-40, 65, 3600], ids=lambda late: f"{late} s")
def test_a_token_is_good_for_a_moment_only(late: int) -> None:
    assert not keys().accept(f"Bearer {OURS.token(POD, time.time() - late)}")


@pytest.mark.parametrize(
    "attack",
    [
        OTHER,
        POD,  # in many metrics
        OURS.public_key,
        OURS.token(OTHER, time.time()),  # caught by a pod of somebody else's
        THEIRS.token(POD, time.time()),
        unsigned({"alg": "none", "typ": "JWT"}, fresh()),
        unsigned({"alg": "NONE"}, fresh(), b"x"),
        unsigned({"alg": "EdDSA", "typ": "JWT"}, fresh()),
        unsigned({"alg": "EdDSA", "typ": "JWT"}, fresh(), bytes(64)),
        # The public key, which is known, as if it were a shared one.
        jwt.encode(fresh(), OURS.public_key, algorithm="HS256"),
        jwt.encode(fresh(), decoded(OURS.public_key), algorithm="HS256"),
        OURS.token(POD, time.time())[:-2],
        OURS.token(POD, time.time()) + "A" * 600,
        OURS.token(POD, time.time()) + ".",
        "eyJ" + "W1tb" * 100 + ".x.y",
        "eyJ..",
        "..",
        "eyJ" + "A" * 100_000 + ".A.A",
        "eyJé.x.y",
    ],
    ids=lambda attack: attack[:24],
)
def test_no_other_is(attack: str) -> None:
    assert not keys().accept(f"Bearer {attack}")


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": [POD, OTHER]},
        {"aud": None},
        {"aud": ""},
        {"exp": None},
        {"iat": None},
        {"iss": None},
        {"iss": "somebody"},
        {"exp": int(time.time()) + 10**6},
        {"nbf": int(time.time()) + 10**6},
    ],
    ids=str,
)
def test_a_token_says_all_that_it_must_and_is_short_lived(claims: Any) -> None:
    public = text(PRIVATE.public_key().public_bytes_raw())
    assert keys(public).accept(f"Bearer {signed()}")
    assert not keys(public).accept(f"Bearer {signed(**claims)}")


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
    return served(engine, api_keys=("client",), probe_public_key=OURS.public_key, pod_uid=POD)


def bearer(keyring: Keyring) -> dict[str, str]:
    return {"Authorization": f"Bearer {keyring.token(POD, time.time())}"}
