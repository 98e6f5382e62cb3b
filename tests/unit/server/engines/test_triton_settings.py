"""TTS_TRITON_*: what is accepted, and what is wrong with the rest."""

import re

import pytest

from tts_server.engines import session_count
from tts_server.settings import Settings, SettingsError


@pytest.mark.parametrize(
    "url,address",
    [
        ("grpc://triton:8001", "triton:8001"),
        ("grpc://triton", "triton:8001"),
        ("grpc://10.0.0.1:9000/", "10.0.0.1:9000"),
        ("grpc://[::1]:8001", "[::1]:8001"),
    ],
)
def test_addresses(url: str, address: str) -> None:
    assert Settings.from_environ({"TTS_TRITON_URL": url}).triton.address == address


@pytest.mark.parametrize(
    "variable,value,expected",
    [
        ("TTS_TRITON_URL", "triton:8001", "TTS_TRITON_URL must be the gRPC address of a Triton, such as"),
        ("TTS_TRITON_URL", "http://triton:8000", "such as grpc://triton:8001, not 'http://triton:8000'."),
        ("TTS_TRITON_URL", "grpc://triton:8001/v2", "TTS_TRITON_URL must be grpc://, a host and a port"),
        ("TTS_TRITON_URL", "grpc://:8001", "TTS_TRITON_URL must be grpc://, a host and a port"),
        ("TTS_TRITON_URL", "grpc://triton:port", "TTS_TRITON_URL is no URL: "),
        ("TTS_TRITON_VOCODER_MODEL", "a/b", "TTS_TRITON_VOCODER_MODEL must be the name of a model"),
        ("TTS_TRITON_REQUEST_SECONDS", "0", "TTS_TRITON_REQUEST_SECONDS must be a number from 0.1 to 300"),
    ],
)
def test_a_bad_value_is_named(variable: str, value: str, expected: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(expected)):
        Settings.from_environ({variable: value})


def test_sentences_at_once() -> None:
    assert session_count(Settings(engine="triton")) == 16
    assert session_count(Settings(engine="triton", threads=3)) == 3
