"""The bridge to CosyVoice's own servers, against doubles that speak their protocols.

Sources: FunAudioLLM/CosyVoice at ace7c47, runtime/triton_trtllm/model_repo_cosyvoice3/cosyvoice3/config.pbtxt and
client_grpc.py, runtime/python/fastapi/server.py.
"""

import importlib.util
import socket
import struct
import threading
import wave
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import parse_qs

import grpc
import numpy as np
import pytest
import requests
from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc import service_pb2_grpc

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "examples" / "backends" / "cosyvoice-triton"
SPOKEN = "希望你以后能够做得比我还好哟。"
TEXT = "今天天气很好。"


def _bridge() -> ModuleType:
    spec = importlib.util.spec_from_file_location("cosyvoice_bridge", FOLDER / "bridge.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


BRIDGE = _bridge()


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that is ready is so on however slow a machine."""
    monkeypatch.setattr(BRIDGE, "READY_SECONDS", 30.0)


class ScriptedCosyVoice(service_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc] # without types
    """The decoupled model `cosyvoice3`: parts of the waveform, then an empty last answer."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.parts: list[Any] = [np.full(2_400, 0.25, np.float32), np.full(1_200, -0.5, np.float32)]
        self.error = ""
        self.is_ready = True
        self.came = threading.Event()

    def ModelReady(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802 - gRPC's names
        return pb.ModelReadyResponse(ready=self.is_ready and request.name == "cosyvoice3")

    def ModelStreamInfer(self, requests: Any, context: Any) -> Iterator[Any]:  # noqa: ARG002, N802
        for request in requests:
            inputs = dict(zip((each.name for each in request.inputs), request.raw_input_contents, strict=True))
            self.asked.append({
                "samples": np.frombuffer(inputs["reference_wav"], np.float32),
                "count": int(np.frombuffer(inputs["reference_wav_len"], np.int32)[0]),
                "reference": inputs["reference_text"][4:].decode(),
                "text": inputs["target_text"][4:].decode(),
            })  # fmt: skip
            self.came.set()
            for part in self.parts:
                answer = pb.ModelStreamInferResponse()
                answer.infer_response.outputs.add(name="waveform", datatype="FP32", shape=[1, part.size])
                answer.infer_response.raw_output_contents.append(part.tobytes())
                answer.infer_response.parameters["triton_final_response"].bool_param = False
                yield answer
            if self.error:
                yield pb.ModelStreamInferResponse(error_message=self.error)
            last = pb.ModelStreamInferResponse()
            last.infer_response.parameters["triton_final_response"].bool_param = True
            yield last


@contextmanager
def scripted() -> Iterator[tuple[ScriptedCosyVoice, str]]:
    triton = ScriptedCosyVoice()
    with ThreadPoolExecutor(4) as pool:
        server = grpc.server(pool)
        service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(triton, server)
        address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        server.start()
        yield triton, address
        server.stop(None).wait(5)


@contextmanager
def serving(server: ThreadingHTTPServer) -> Iterator[str]:
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def recording(folder: Path, name: str, *, rate: int = 16_000, seconds: float = 1.0, text: str = SPOKEN) -> None:
    with wave.open(str(folder / f"{name}.wav"), "wb") as audio:
        audio.setnchannels(1)
        audio.setsampwidth(2)
        audio.setframerate(rate)
        audio.writeframes(np.full(int(rate * seconds), 8_192, "<i2").tobytes())
    if text:
        (folder / f"{name}.txt").write_text(text + "\n", encoding="utf-8")


def twins(folder: Path) -> None:
    recording(folder, "a")
    recording(folder, "b")


@contextmanager
def bridge(*arguments: str) -> Iterator[str]:
    with serving(BRIDGE.server([*arguments, "--host", "127.0.0.1", "--port", "0"])) as url:
        yield url


def say(url: str, **fields: Any) -> requests.Response:
    body = {"model": "cosyvoice", "input": TEXT, "voice": "xiaoyan", "response_format": "pcm", **fields}
    return requests.post(f"{url}/v1/audio/speech", json=body, timeout=30)


@pytest.fixture
def in_triton(tmp_path: Path) -> Iterator[tuple[ScriptedCosyVoice, str]]:
    recording(tmp_path, "xiaoyan")
    with (
        scripted() as (triton, address),
        bridge("--backend", f"grpc://{address}", "--voices", str(tmp_path), "--most", "1") as url,
    ):
        yield triton, url


def test_a_voice_in_triton_is_a_recording(in_triton: tuple[ScriptedCosyVoice, str]) -> None:
    triton, url = in_triton
    answer = say(url)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "audio/pcm;rate=24000"
    samples = np.frombuffer(answer.content, "<i2")
    assert [len(samples), *samples[[0, 2_399, 2_400, -1]]] == [3_600, 8_191, 8_191, -16_383, -16_383]
    (asked,) = triton.asked
    assert asked["text"] == TEXT
    assert asked["reference"] == SPOKEN
    assert asked["count"] == len(asked["samples"]) == 16_000
    assert set(asked["samples"]) == {0.25}


def test_health_is_that_of_the_model_in_triton(in_triton: tuple[ScriptedCosyVoice, str]) -> None:
    triton, url = in_triton
    assert requests.get(f"{url}/health", timeout=30).status_code == 200
    triton.is_ready = False
    assert requests.get(f"{url}/health", timeout=30).status_code == 503


def test_a_failure_before_the_sound_is_503(in_triton: tuple[ScriptedCosyVoice, str]) -> None:
    triton, url = in_triton
    triton.parts, triton.error = [], "CUDA out of memory"
    answer = say(url)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "1"
    assert "CUDA out of memory" in answer.text
    triton.error = ""
    assert say(url).status_code == 503  # nothing at all
    triton.parts = [np.full(10, np.nan, np.float32)]
    assert say(url).status_code == 503


def test_a_failure_after_it_breaks_the_answer_off(in_triton: tuple[ScriptedCosyVoice, str]) -> None:
    triton, url = in_triton
    triton.error = "CUDA out of memory"
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        say(url)
    triton.error = ""
    assert say(url).status_code == 200  # its place is free again


def test_more_than_its_places_are_asked_to_come_back(in_triton: tuple[ScriptedCosyVoice, str]) -> None:
    triton, url = in_triton
    goes_on = threading.Event()

    class Slow(list[Any]):
        def __iter__(self) -> Iterator[Any]:
            goes_on.wait(30)
            return super().__iter__()

    triton.parts = Slow(triton.parts)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(say, url)
        try:
            assert triton.came.wait(30)
            answer = say(url)
            assert answer.status_code == 503
            assert answer.headers["Retry-After"] == "1"
        finally:
            goes_on.set()
        assert first.result(30).status_code == 200


@pytest.mark.parametrize("fields, message", [
    ({"voice": "stranger"}, "Known are xiaoyan"),
    ({"instructions": "Speak happily."}, "take no `instructions`"),
    ({"response_format": "mp3"}, "must be pcm"),
    ({"input": " "}, "from 1 to 2000 characters"),
    ({"input": "长" * 2_001}, "from 1 to 2000 characters"),
    ({"input": 3}, "must be strings"),
    ({"input": "长" * 70_000}, "at most 65536"),
])  # fmt: skip
def test_a_wrong_request_is_told_what_to_write(
    in_triton: tuple[ScriptedCosyVoice, str], fields: dict[str, Any], message: str
) -> None:
    triton, url = in_triton
    answer = say(url, **fields)
    assert answer.status_code == 400
    assert message in answer.json()["error"]["message"]
    assert triton.asked == []


@pytest.mark.parametrize("make, message", [
    (lambda folder: None, "contains no voice"),  # noqa: ARG005
    (lambda folder: recording(folder, "a", rate=24_000), "must be mono, 16 bits, 16 kHz"),
    (lambda folder: recording(folder, "a", seconds=31), "at most 30 s"),
    (lambda folder: recording(folder, "a", text=""), "a.txt must contain what is said in a.wav"),
    (twins, "b.txt has the same text as a.txt"),
])  # fmt: skip
def test_wrong_voices_end_the_start(tmp_path: Path, make: Callable[[Path], Any], message: str) -> None:
    make(tmp_path)
    with pytest.raises(SystemExit, match=message):
        BRIDGE.server(["--backend", "grpc://127.0.0.1:1", "--voices", str(tmp_path), "--port", "0"])


class FastApiDouble(BaseHTTPRequestHandler):
    """`/inference_sft` and `/inference_instruct` take a form, and stream bare PCM."""

    protocol_version = "HTTP/1.1"
    asked: list[tuple[str, dict[str, list[str]]]]
    cut = False

    def do_GET(self) -> None:
        self._answer([b"{}"])

    def do_POST(self) -> None:
        form = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.asked.append((self.path, parse_qs(form, strict_parsing=True)))
        self._answer([np.full(100, 7, "<i2").tobytes(), np.full(50, 9, "<i2").tobytes()])

    def _answer(self, parts: list[bytes]) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for part in parts:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        if self.cut:
            self.close_connection = True
        else:
            self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


@pytest.fixture
def by_fastapi() -> Iterator[tuple[type[FastApiDouble], str]]:
    double = type("Double", (FastApiDouble,), {"asked": []})
    with (
        serving(ThreadingHTTPServer(("127.0.0.1", 0), double)) as behind,
        bridge("--backend", behind, "--rate", "22050") as url,
    ):
        yield double, url


def test_a_voice_of_fastapi_is_a_speaker_of_the_model(by_fastapi: tuple[type[FastApiDouble], str]) -> None:
    double, url = by_fastapi
    assert requests.get(f"{url}/health", timeout=30).status_code == 200
    answer = say(url, voice="中文女")
    assert answer.headers["Content-Type"] == "audio/pcm;rate=22050"
    assert answer.content == np.full(100, 7, "<i2").tobytes() + np.full(50, 9, "<i2").tobytes()
    assert double.asked == [("/inference_sft", {"tts_text": [TEXT], "spk_id": ["中文女"]})]


def test_instructions_ask_fastapi_for_a_manner(by_fastapi: tuple[type[FastApiDouble], str]) -> None:
    double, url = by_fastapi
    assert say(url, voice="中文女", instructions="A cheerful host.").status_code == 200
    ((path, form),) = double.asked
    assert path == "/inference_instruct"
    assert form["instruct_text"] == ["A cheerful host.<|endofprompt|>"]


def test_what_fastapi_breaks_off_is_broken_off(by_fastapi: tuple[type[FastApiDouble], str]) -> None:
    double, url = by_fastapi
    double.cut = True
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        say(url, voice="中文女")


def test_a_client_that_leaves_is_no_error(
    in_triton: tuple[ScriptedCosyVoice, str], capfd: pytest.CaptureFixture[str]
) -> None:
    _, url = in_triton
    host, port = url.removeprefix("http://").split(":")
    for _ in range(3):
        with socket.create_connection((host, int(port)), timeout=30) as client:
            # Closing sends a reset.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.sendall(b"GET /health")
    assert say(url).status_code == 200
    assert "Traceback" not in capfd.readouterr().err


def test_without_fastapi_it_is_not_ready() -> None:
    with bridge("--backend", "http://127.0.0.1:1") as url:
        assert requests.get(f"{url}/health", timeout=30).status_code == 503
        assert say(url, voice="中文女").status_code == 503
