"""A Triton behind TLS and a key: a real gRPC server on this machine."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from tests.unit.server.engines.certificates import Authority
from tests.unit.server.engines.scripted_triton import ScriptedTriton, scripted_triton
from tts_server.engines import BackendError, EngineError, plain_script
from tts_server.engines.fastspeech2 import assets
from tts_server.engines.triton.engine import Triton
from tts_server.settings.triton import TritonSettings

AUTHORITY = Authority()


@pytest.fixture(scope="module")
def triton() -> Iterator[ScriptedTriton]:
    made = AUTHORITY.server()
    with scripted_triton(grpc.ssl_server_credentials([(made.key, made.certificate)])) as running:
        running.url = running.url.replace("127.0.0.1", "localhost")
        yield running


@pytest.fixture
def ca_file(tmp_path: Path) -> str:
    path = tmp_path / "ca.crt"
    path.write_bytes(AUTHORITY.certificate)
    return str(path)


def problem(url: str, **settings: Any) -> str:
    """What two checks, after which a backend counts as away, say of a Triton."""
    engine = Triton(TritonSettings(url=url, **settings))
    engine.read_front_end(assets.symbols_path())
    for _ in range(2):
        engine.backend.check()
    return engine.backend.problem


def test_it_speaks_over_tls(triton: ScriptedTriton, ca_file: str) -> None:
    engine = Triton(TritonSettings(url=triton.url, ca_file=ca_file))
    engine.load()
    [sentence] = engine.plan(plain_script("今天天气很好"))
    assert len(np.concatenate(list(engine.open_session().synthesise(sentence)))) > 0
    assert "authorization" not in triton.headers


def test_its_certificate_must_be_signed_and_be_for_its_host(
    triton: ScriptedTriton, ca_file: str, tmp_path: Path
) -> None:
    (tmp_path / "other.crt").write_bytes(Authority("another-ca").certificate)
    for url, trusted in (
        (triton.url, str(tmp_path / "other.crt")),
        (triton.url, ""),
        (triton.url.replace("localhost", "127.0.0.1"), ca_file),
    ):
        assert "cannot run the model" in problem(url, ca_file=trusted)
    assert "cannot run the model" in problem(triton.url.replace("grpcs", "grpc"))
    assert problem(triton.url, ca_file=ca_file) == ""


def test_without_a_file_those_of_the_system_count(
    triton: ScriptedTriton, ca_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", ca_file)
    assert problem(triton.url) == ""


def test_a_file_without_certificates_is_named(tmp_path: Path) -> None:
    for content in (None, b"", b"\xff", b"-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"):
        if content is not None:
            (tmp_path / "ca.crt").write_bytes(content)
        with pytest.raises(EngineError, match=r"TTS_TRITON_CA_FILE names '.*ca\.crt', which is no PEM file"):
            Triton(TritonSettings(url="grpcs://triton", ca_file=str(tmp_path / "ca.crt")))


def test_certificates_without_tls_are_a_mistake(ca_file: str) -> None:
    with pytest.raises(EngineError, match="begin TTS_TRITON_URL with grpcs://"):
        Triton(TritonSettings(url="grpc://triton", ca_file=ca_file))


def test_the_key_is_in_its_header(triton: ScriptedTriton, ca_file: str, tmp_path: Path) -> None:
    assert problem(triton.url, ca_file=ca_file, api_key="open-sesame") == ""
    assert triton.headers["authorization"] == "Bearer open-sesame"
    header = "triton-grpc-protocol-infer-key"
    file = tmp_path / "key"
    file.write_text("one\n")
    engine = Triton(TritonSettings(url=triton.url, ca_file=ca_file, api_key_file=str(file), api_key_header=header))
    engine.load()
    assert triton.headers[header] == "one"
    file.write_text("two\n")
    [sentence] = engine.plan(plain_script("今天天气很好"))
    list(engine.open_session().synthesise(sentence))
    assert triton.headers[header] == "two", "it was read again"
    file.unlink()
    with pytest.raises(BackendError, match="Cannot read TTS_TRITON_API_KEY_FILE"):
        list(engine.open_session().synthesise(sentence))


def test_a_wrong_key_stops_the_start_and_is_not_shown(triton: ScriptedTriton, ca_file: str) -> None:
    triton.refuses = "no such key"
    try:
        engine = Triton(TritonSettings(url=triton.url, ca_file=ca_file, api_key="hush"))
        with pytest.raises(EngineError, match=r"refuses access: no such key\. Check TTS_TRITON_API_KEY") as raised:
            engine.backend.wait(patience=0.0, pause=0.0)
        assert "hush" not in str(raised.value)
    finally:
        triton.refuses = ""


def test_a_key_of_other_characters_is_refused(triton: ScriptedTriton, ca_file: str) -> None:
    engine = Triton(TritonSettings(url=triton.url, ca_file=ca_file, api_key="two words"))
    with pytest.raises(EngineError, match="The key in TTS_TRITON_API_KEY must be of ASCII") as raised:
        engine.backend.wait(patience=0.0, pause=0.0)
    assert "two words" not in str(raised.value)
