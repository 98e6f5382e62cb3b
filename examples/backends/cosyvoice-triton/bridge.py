"""OpenAI's `/v1/audio/speech` in front of CosyVoice's own servers, which speak other protocols.

    python3 bridge.py --backend grpc://127.0.0.1:18001 --model cosyvoice3 --voices /voices    # runtime/triton_trtllm
    python3 bridge.py --backend http://127.0.0.1:50000 --rate 22050                           # runtime/python/fastapi

With Triton, a voice is a recording that is imitated: NAME.wav (mono, 16 bits, 16 kHz, at most 30 s), and what is said
in it, NAME.txt. With FastAPI, a voice is one of the model's speakers: 中文女.

Answers are bare PCM, as it arrives. One that breaks off ends without the last chunk of its body, so that nobody takes
it for complete. `/health` is 200 while the backend is ready.
"""

import argparse
import json
import queue
import sys
import threading
import wave
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlencode, urlsplit

import numpy as np

REFERENCE_RATE, REFERENCE_SECONDS = 16_000, 30
"""What CosyVoice's models take as a reference: runtime/triton_trtllm/client_grpc.py, cosyvoice/cli/frontend.py."""
MAX_BODY_BYTES, MAX_CHARACTERS = 65_536, 2_000
READY_SECONDS, PAUSE_SECONDS = 3.0, 30.0
"""How long the backend may take to say that it is ready, and how long its audio may pause."""


class AwayError(Exception):
    """The backend cannot be reached, or failed. 503 while nothing has been sent."""


class RefusedError(Exception):
    """The request is wrong: 400."""


class Backend(Protocol):
    """What makes the sound."""

    rate: int
    """The sample rate of its sound in Hz."""

    def ready(self) -> bool:
        """Whether it can speak."""
        ...

    def speak(self, text: str, voice: str, instructions: str) -> Iterator[bytes]:
        """Yield PCM, 16 bits, mono. Raises AwayError and RefusedError."""
        ...


class Reference(NamedTuple):
    """A recording that a voice imitates."""

    samples: Any
    """float32 [1, samples], 16 kHz."""
    text: str


class Triton:
    """The models `cosyvoice2`, `cosyvoice2_dit` and `cosyvoice3`, which answer in parts (`decoupled`)."""

    rate = 24_000

    def __init__(self, address: str, model: str, voices: dict[str, Reference]) -> None:
        from tritonclient import grpc  # noqa: PLC0415 - the image with FastAPI has none

        self._grpc, self._address, self._model, self._voices = grpc, address, model, voices

    def ready(self) -> bool:
        """Whether Triton has loaded the model."""
        try:
            with self._grpc.InferenceServerClient(self._address) as client:
                return client.is_model_ready(self._model, client_timeout=READY_SECONDS) is True
        except self._grpc.InferenceServerException:
            return False

    def speak(self, text: str, voice: str, instructions: str) -> Iterator[bytes]:
        """Yield the parts of the waveform as Triton sends them."""
        if voice not in self._voices:
            raise RefusedError(f"There is no voice {voice[:100]!r}. Known are {', '.join(sorted(self._voices))}.")
        if instructions:
            raise RefusedError("CosyVoice's models in Triton take no `instructions`.")
        answers: queue.Queue[tuple[Any, Any]] = queue.Queue()
        with self._grpc.InferenceServerClient(self._address) as client:
            client.start_stream(callback=lambda result, error: answers.put((result, error)))
            try:
                client.async_stream_infer(
                    self._model, self._inputs(text, self._voices[voice]), enable_empty_final_response=True
                )
                yield from self._parts(answers)
            except self._grpc.InferenceServerException as error:
                raise AwayError(str(error)) from error
            finally:
                client.stop_stream(cancel_requests=True)

    def _inputs(self, text: str, voice: Reference) -> list[Any]:
        arrays = {
            "reference_wav": (voice.samples, "FP32"),
            "reference_wav_len": (np.array([[voice.samples.shape[1]]], np.int32), "INT32"),
            "reference_text": (np.array([[voice.text]], object), "BYTES"),
            "target_text": (np.array([[text]], object), "BYTES"),
        }
        inputs = []
        for name, (array, kind) in arrays.items():
            inputs.append(self._grpc.InferInput(name, array.shape, kind))
            inputs[-1].set_data_from_numpy(array)
        return inputs

    def _parts(self, answers: "queue.Queue[tuple[Any, Any]]") -> Iterator[bytes]:
        while True:
            try:
                result, error = answers.get(timeout=PAUSE_SECONDS)
            except queue.Empty:
                raise AwayError(f"Triton has been silent for {PAUSE_SECONDS:.0f} s.") from None
            if error:
                raise AwayError(str(error))
            wave_form = result.as_numpy("waveform")
            if wave_form is not None and wave_form.size:
                if not np.isfinite(wave_form).all():
                    raise AwayError("The waveform contains values that are no numbers.")
                yield (wave_form.reshape(-1).clip(-1, 1) * 32_767).astype("<i2").tobytes()
            if result.get_response().parameters["triton_final_response"].bool_param:
                return


class FastApi:
    """The speakers of a model with speakers, CosyVoice-300M-SFT or -Instruct."""

    def __init__(self, host: str, port: int, rate: int) -> None:
        self.rate = rate
        self._host, self._port = host, port

    def ready(self) -> bool:
        """Whether it answers: the server listens only once its model is loaded."""
        connection = HTTPConnection(self._host, self._port, timeout=READY_SECONDS)
        try:
            connection.request("GET", "/openapi.json")
            return connection.getresponse().status == 200  # noqa: PLR2004 - OK
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()

    def speak(self, text: str, voice: str, instructions: str) -> Iterator[bytes]:
        """Yield what the server sends. `instructions` need a model that takes them: CosyVoice-300M-Instruct."""
        path, fields = "/inference_sft", {"tts_text": text, "spk_id": voice}
        if instructions:
            path, fields = "/inference_instruct", {**fields, "instruct_text": f"{instructions}<|endofprompt|>"}
        connection = HTTPConnection(self._host, self._port, timeout=PAUSE_SECONDS)
        try:
            connection.request("POST", path, urlencode(fields), {"Content-Type": "application/x-www-form-urlencoded"})
            response = connection.getresponse()
            if response.status != 200:  # noqa: PLR2004 - OK
                raise AwayError(f"CosyVoice answered {response.status}.")
            while part := response.read1(MAX_BODY_BYTES):
                yield part
        except (OSError, HTTPException) as error:
            raise AwayError(f"CosyVoice: {error}") from error
        finally:
            connection.close()


class Handler(BaseHTTPRequestHandler):
    """One connection of the server in front."""

    protocol_version = "HTTP/1.1"
    timeout = 60
    backend: Backend
    places: threading.Semaphore

    def handle(self) -> None:
        """Serve until the connection ends, in whatever way."""
        with suppress(ConnectionError):
            super().handle()

    def do_GET(self) -> None:
        """Answer /health."""
        if self.path != "/health":
            self._say(404, "Known are GET /health and POST /v1/audio/speech.")
        elif self.backend.ready():
            self._say(200, "ready")
        else:
            self._say(503, "CosyVoice is not ready.")

    def do_POST(self) -> None:
        """Answer /v1/audio/speech."""
        try:
            text, voice, instructions = self._request()
        except RefusedError as error:
            self.close_connection = True  # there may be a body that nobody has read
            self._say(400, str(error))
            return
        if not self.places.acquire(blocking=False):
            self._say(503, "Too many requests at the same time.")
            return
        try:
            self._speak(self.backend.speak(text, voice, instructions))
        finally:
            self.places.release()

    def _request(self) -> tuple[str, str, str]:
        if self.path != "/v1/audio/speech":
            raise RefusedError("Known are GET /health and POST /v1/audio/speech.")
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > MAX_BODY_BYTES:
            raise RefusedError(f"Send a Content-Length of at most {MAX_BODY_BYTES}.")
        try:
            fields = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError):
            raise RefusedError("The body is not valid JSON.") from None
        if not isinstance(fields, dict):
            raise RefusedError("The body must be a JSON object.")
        text, voice, instructions = (fields.get(name, "") for name in ("input", "voice", "instructions"))
        if not all(isinstance(each, str) for each in (text, voice, instructions)):
            raise RefusedError("input, voice and instructions must be strings.")
        if not 0 < len(text.strip()) <= MAX_CHARACTERS:
            raise RefusedError(f"input must have from 1 to {MAX_CHARACTERS} characters.")
        if fields.get("response_format") != "pcm":
            raise RefusedError("response_format must be pcm.")
        return text, voice, instructions

    def _speak(self, parts: Iterator[bytes]) -> None:
        try:
            first = next(parts, b"")
        except RefusedError as error:
            self._say(400, str(error))
            return
        except AwayError as error:
            self._say(503, str(error))
            return
        if not first:
            self._say(503, "CosyVoice said nothing.")
            return
        self.send_response(200)
        self.send_header("Content-Type", f"audio/pcm;rate={self.backend.rate}")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            self._chunk(first)
            for part in parts:
                self._chunk(part)
            self.wfile.write(b"0\r\n\r\n")
        except (AwayError, OSError) as error:
            self.log_error("broken off: %s", error)
            self.close_connection = True
        finally:
            parts.close()  # type: ignore[attr-defined] # a generator: stop what nobody listens to

    def _chunk(self, part: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))

    def _say(self, status: int, message: str) -> None:
        body = json.dumps({"message": message} if status == 200 else {"error": {"message": message}}).encode()  # noqa: PLR2004
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if status == 503:  # noqa: PLR2004
            self.send_header("Retry-After", "1")
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing: a line for each check every second helps nobody."""


def references(folder: Path) -> dict[str, Reference]:
    """Return the voices in a folder. Exits with what is wrong."""
    voices: dict[str, Reference] = {}
    for file in sorted(folder.glob("*.wav")):
        with wave.open(str(file)) as audio:
            form = audio.getnchannels(), audio.getsampwidth(), audio.getframerate()
            seconds = audio.getnframes() / max(audio.getframerate(), 1)
            if form != (1, 2, REFERENCE_RATE) or not 0 < seconds <= REFERENCE_SECONDS:
                sys.exit(
                    f"{file} must be mono, 16 bits, 16 kHz, at most 30 s: ffmpeg -i ... -ac 1 -ar 16000 {file.name}"
                )
            samples = np.frombuffer(audio.readframes(audio.getnframes()), "<i2").astype(np.float32) / 32_768
        spoken = file.with_suffix(".txt")
        text = spoken.read_text(encoding="utf-8").strip() if spoken.is_file() else ""
        if not text:
            sys.exit(f"{spoken} must contain what is said in {file.name}.")
        # The models remember a reference by its text alone: model_repo_cosyvoice3/cosyvoice3/1/model.py, speaker_cache.
        twin = next((name for name, voice in voices.items() if voice.text == text), None)
        if twin:
            sys.exit(f"{spoken} has the same text as {twin}.txt. CosyVoice would take one voice for the other.")
        voices[file.stem] = Reference(samples[np.newaxis], text)
    if not voices:
        sys.exit(f"{folder} contains no voice: NAME.wav and NAME.txt.")
    return voices


def server(arguments: list[str]) -> ThreadingHTTPServer:
    """Return the server that the arguments ask for."""
    parser = argparse.ArgumentParser(description="OpenAI's /v1/audio/speech in front of CosyVoice's own servers.")
    parser.add_argument("--backend", required=True, help="grpc://HOST:PORT of Triton, or http://HOST:PORT of FastAPI")
    parser.add_argument("--model", default="cosyvoice3", help="Triton's model")
    parser.add_argument("--voices", type=Path, default=Path("/voices"), help="NAME.wav and NAME.txt, for Triton")
    parser.add_argument("--rate", type=int, default=22_050, help="the sample rate of FastAPI's model in Hz")
    parser.add_argument("--most", type=int, default=16, help="the most requests at the same time")
    parser.add_argument("--host", default="0.0.0.0")  # noqa: S104 - of a pod
    parser.add_argument("--port", type=int, default=8080)
    chosen = parser.parse_args(arguments)
    url = urlsplit(chosen.backend)
    if url.scheme not in ("grpc", "http") or not url.hostname or not url.port:
        parser.error("--backend must be grpc://HOST:PORT or http://HOST:PORT.")
    backend = (
        Triton(f"{url.hostname}:{url.port}", chosen.model, references(chosen.voices))
        if url.scheme == "grpc"
        else FastApi(url.hostname, url.port, chosen.rate)
    )
    handler = type("BoundHandler", (Handler,), {"backend": backend, "places": threading.Semaphore(chosen.most)})
    return ThreadingHTTPServer((chosen.host, chosen.port), handler)


if __name__ == "__main__":
    server(sys.argv[1:]).serve_forever()
