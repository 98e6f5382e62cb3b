"""An upstream with TLS: whom the engine trusts, and only for this connection."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.server.engines.certificates import Authority
from tests.unit.server.engines.scripted_upstream import ScriptedUpstream, settings_for
from tts_server.engines import EngineError
from tts_server.engines.upstream.engine import Upstream

AUTHORITY = Authority()


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[ScriptedUpstream]:
    made, pair = AUTHORITY.server(), tmp_path / "server.pem"
    pair.write_bytes(made.key + made.certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair)
    running = ScriptedUpstream(tls=context)
    yield running
    running.stop()


def problem(url: str, ca_file: Path | str) -> str:
    """What two checks, after which a backend counts as away, say of an upstream."""
    engine = Upstream(settings_for(url, ca_file=str(ca_file)))
    for _ in range(2):
        engine.backend.check()
    return engine.backend.problem


def test_its_certificate_must_be_signed_by_those_of_the_file(upstream: ScriptedUpstream, tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_bytes(AUTHORITY.certificate)
    (tmp_path / "other.crt").write_bytes(Authority("another-ca").certificate)
    assert problem(upstream.url, tmp_path / "ca.crt") == ""
    for trusted in (tmp_path / "other.crt", ""):
        assert "TLS with localhost" in problem(upstream.url, trusted)


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_a_file_without_certificates(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "ca.crt"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(EngineError, match=r"TTS_UPSTREAM_CA_FILE names .*, which is no PEM file with certificates"):
        Upstream(settings_for("https://kokoro:8880/v1", ca_file=str(file)))


def test_the_file_decides_nothing_about_the_sound(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_bytes(AUTHORITY.certificate)
    files = (str(tmp_path / "ca.crt"), "")
    own, usual = (Upstream(settings_for("https://kokoro:8880/v1", ca_file=each)) for each in files)
    assert own.revision == usual.revision
