"""`make demo`: create a cluster, install the operator, synthesize a sentence in three zones, suggest next steps."""

from __future__ import annotations

import array
import io
import json
import math
import os
import sys
import textwrap
import wave
from dataclasses import dataclass
from pathlib import Path

from devcluster.errors import DevclusterError
from devcluster.product import ROOT, Product
from devcluster.progress import Progress
from devcluster.provider import Devcluster, Size, choose

TEXT = "你好，我是部署在三个可用区的语音合成服务。"
OUTPUT = Path("build/demo/hello.wav")
OUTAGE = "  .venv/bin/python -m devcluster zone down zone-b     # simulate an outage; `zone up zone-b` ends it\n"
SPEAK = """
import json, sys, time, urllib.error, urllib.request
body = json.dumps({"model": "fastspeech2", "input": sys.argv[2], "response_format": "wav"}).encode()
request = urllib.request.Request(sys.argv[1] + "/v1/audio/speech", body, {"Content-Type": "application/json"})
for left in reversed(range(60)):
    try:
        print(urllib.request.urlopen(request, timeout=30).read().hex())
        break
    except urllib.error.HTTPError:
        raise
    except OSError:
        if not left:
            raise
        time.sleep(0.25)
"""
"""Runs in a pod and, like any client, resolves the Service through cluster DNS.

It retries refused connections: kube-proxy may learn of the first ready pod up to a second late.
"""


@dataclass(frozen=True)
class Sound:
    """Measurements of a WAV file."""

    seconds: float
    rate: int
    """Samples per second."""
    rms: float
    """Loudness, as a fraction of full scale."""


def measure(data: bytes) -> Sound:
    """Measure 16-bit mono WAV data. Raises DevclusterError for any other format."""
    try:
        with wave.open(io.BytesIO(data)) as file:
            if (file.getnchannels(), file.getsampwidth()) != (1, 2):
                raise DevclusterError("the response is not 16-bit mono WAV")
            rate = file.getframerate()
            samples = array.array("h", file.readframes(file.getnframes()))
    except (wave.Error, EOFError) as error:
        raise DevclusterError(f"the response is not a WAV file: {error}") from error
    if not samples:
        raise DevclusterError("the response is a WAV file without samples")
    rms = math.sqrt(sum(sample * sample for sample in samples) / len(samples)) / 32768
    return Sound(seconds=len(samples) / rate, rate=rate, rms=rms)


def speak(product: Product, text: str) -> bytes:
    """Request a sentence from the Service `quickstart` and return the WAV data."""
    said = product.kubectl(
        "exec", "deployment/quickstart", "--", "python3", "-c", SPEAK, "http://quickstart", text, timeout=60
    )
    return bytes.fromhex(said.strip())


def _removal() -> str:
    """Return the command that removes the cluster, if it is the demo's."""
    return "make cluster-down CLUSTER=kind" if os.environ.get("CLUSTER") == "kind" else "make cluster-down"


def main() -> int:
    """Run the demo and return the exit code."""
    progress = Progress()
    try:
        _demo(progress)
    except DevclusterError as error:
        progress.say(f"error: {error}")
        progress.say(f"Run `make demo` again to continue from here, or `{_removal()}` to remove everything.")
        return 1
    return 0


def _demo(progress: Progress) -> None:
    provider = choose("dev", progress)
    product = Product(provider, progress)
    provider.up(Size(nodes=3))
    product.install()
    quickstart = str(ROOT / "examples/quickstart.yaml")
    with progress.step("kubectl delete -f examples/quickstart.yaml, to start clean"):
        product.kubectl("delete", "--ignore-not-found", "--cascade=foreground", "-f", quickstart, timeout=90)
    with progress.step("kubectl apply -f examples/quickstart.yaml"):
        product.kubectl("apply", "-f", quickstart)
    with progress.step("kubectl wait --for=condition=Ready ttsservice/quickstart"):
        product.kubectl("wait", "--for=condition=Ready", "ttsservice/quickstart", "--timeout=120s", timeout=130)
    with progress.step("synthesize a sentence through the Service"):
        data = speak(product, TEXT)
    sound = measure(data)
    if sound.seconds < 1 or sound.rms < 0.01:  # noqa: PLR2004 - the least that counts as speech
        raise DevclusterError(
            f"the response is not speech: {sound.seconds:.2f} s of audio at {sound.rms:.4f} of full scale"
        )
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_bytes(data)
    print(_summary(product, sound))


def _summary(product: Product, sound: Sound) -> str:
    pods = json.loads(product.kubectl("get", "pods", "-l", "app.kubernetes.io/instance=quickstart", "-o", "json"))
    nodes = json.loads(product.kubectl("get", "nodes", "-o", "json"))
    zones = {
        node["metadata"]["name"]: node["metadata"].get("labels", {}).get("topology.kubernetes.io/zone", "no zone")
        for node in nodes["items"]
    }
    rows = "\n".join(
        f"  {pod['metadata']['name']:<32} {pod['spec']['nodeName']:<12} {zones[pod['spec']['nodeName']]}"
        for pod in pods["items"]
        if "deletionTimestamp" not in pod["metadata"]
    )
    return "\n".join(
        [
            "",
            product.kubectl("get", "ttsservices").rstrip(),
            "",
            "Pods, with their nodes and zones:",
            rows,
            "",
            f"{OUTPUT}: {sound.seconds:.1f} s of speech at {sound.rate} Hz, loudness {sound.rms:.2f} of full scale",
            f'  "{TEXT}"',
            "",
            _next_steps(product),
        ]
    )


def _next_steps(product: Product) -> str:
    is_devcluster = isinstance(product.provider, Devcluster)
    address = product.kubectl("get", "service", "quickstart", "-o", "jsonpath={.spec.clusterIP}")
    web = (
        f"http://{address}/  (from this machine)"
        if is_devcluster
        else "http://localhost:7860/  (after the port-forward below)"
    )
    setup = (
        f"""
        Set up your shell:
          export KUBECONFIG={product.provider.kubeconfig()}
          export PATH={Path(product.kubectl_command()[0]).parent}:$PATH
        """
        if is_devcluster
        else ""
    )
    return (
        textwrap.dedent(f"""\
        Open in a browser to type a sentence and listen to it: {web}
        """)
        + textwrap.dedent(setup)
        + textwrap.dedent("""
        Try next:
          kubectl port-forward service/quickstart 7860:80     # then http://localhost:7860/
          kubectl explain ttsservice.spec                     # show all fields
          kubectl delete deployment quickstart                # the operator recreates it at once
          kubectl patch tts quickstart --type=merge -p '{"spec":{"replicas":4}}'
        """)
        + (OUTAGE if is_devcluster else "")
        + f"\nClean up: kubectl delete tts quickstart; {_removal()}"
    )


if __name__ == "__main__":
    sys.exit(main())
