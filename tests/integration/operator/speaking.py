"""A service under load: servers and a worker as processes, with Redis, Kafka and S3, and clients of every kind.

One of the servers is a front of another one, so that there is a backend.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import requests

from devcluster.backends import local
from tests.integration.jobs.deployment import SERVER, Deployment, deployed
from tests.integration.server import duplex, failing
from tests.integration.server.conftest import ROOT, Server, running, wait_until_ready
from tests.integration.server.test_redis import running_redis

WORKER = "worker"
KEYS = {"web-shop": "key-of-the-shop", "hotline": "key-of-the-hotline"}
TEXTS = ("欢迎光临，今天想买点什么？", "您的订单已经发货。", "请稍等，正在为您转接人工客服。")
"""Said again and again, so that caches have them."""
FAILING = "这一句会失败。"
TASK_ENDS = ("task-finished", "task-failed")
LEXICON = {"单晓雯": "shan4 xiao3 wen2", "K8s": "库伯内提斯"}


@dataclass
class Pod:
    """A process that Prometheus scrapes, as the PodMonitor of a service has it."""

    server: Server
    name: str
    job: str
    """Without the namespace."""
    key: str = ""

    def scrape(self, namespace: str) -> dict[str, Any]:
        """What the Prometheus operator makes of the PodMonitor for this pod."""
        labels = {"job": f"{namespace}/{self.job}", "namespace": namespace, "pod": self.name, "container": "server"}
        static = {"targets": [f"127.0.0.1:{self.server.port}"], "labels": labels}
        return {"job_name": self.name, "honor_labels": True, "static_configs": [static]}


@dataclass
class Speaking:
    """The service, and the load on it."""

    deployment: Deployment
    pods: list[Pod]

    @property
    def servers(self) -> list[Pod]:
        """The pods that serve clients."""
        return [pod for pod in self.pods if "worker" not in pod.name]

    @contextmanager
    def load(self) -> Iterator[None]:
        """Clients that speak, fail, and are refused, in every way that the server knows, until the block ends."""
        stop = threading.Event()
        threads = [
            *(threading.Thread(target=self._clients, args=(pod, stop)) for pod in self.servers),
            threading.Thread(target=self._jobs, args=(stop,)),
            threading.Thread(target=self._socket, args=(stop,)),
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            for thread in threads:
                thread.join(60)

    def _clients(self, pod: Pod, stop: threading.Event) -> None:
        headers = {"Authorization": f"Bearer {pod.key}"} if pod.key else {}
        for number in count():
            if stop.is_set():
                return
            fresh = f"这是第{number}位客人，他从{pod.name[-2:]}来。"
            bodies: list[dict[str, Any]] = [
                {"input": fresh, "response_format": "wav"},
                {"input": TEXTS[number % len(TEXTS)], "response_format": "wav"},
            ]
            if number % 16 == 3:
                bodies.append({"input": FAILING})
            if number % 16 == 7:
                bodies.append({"input": "长" * 1000})
            for body in bodies:
                with suppress(requests.RequestException):
                    requests.post(f"{pod.server.url}/v1/audio/speech", json=body, headers=headers, timeout=30)
            stop.wait(0.2)

    def _jobs(self, stop: threading.Event) -> None:
        """Long texts, of which there are always some."""
        for number in count():
            text = "".join(f"第{chapter}回 山路{number}\n山路{number}走来，慢慢走。\n" for chapter in "一二")
            with suppress(requests.RequestException):
                self.deployment.post(text, response_format="mp3")
            if stop.wait(5):
                return

    def _socket(self, stop: threading.Event) -> None:
        """One WebSocket, with a task after the other."""
        with duplex.connected(self.deployment.server(SERVER)) as client:
            for number in count():
                if stop.is_set():
                    return
                client.run(f"task-{number}")
                client.say(f"第{number}句，请讲。", f"task-{number}")
                client.finish(f"task-{number}")
                # A server under load may refuse a task.
                while (event := client.receive()) is None or event["header"]["event"] not in TASK_ENDS:
                    pass
                stop.wait(1)


@contextmanager
def speaking(kafka: local.Kafka, s3: local.S3, cache: Path, folder: Path, service: str) -> Iterator[Speaking]:
    """Run a service's stable server, its candidate, and a worker."""
    lexicon = folder / "lexicon.yaml"
    lexicon.write_text(json.dumps(LEXICON))  # which is YAML too
    keys = [{"name": name, "key": key} for name, key in KEYS.items()]
    with running_redis(folder) as (_, redis), deployed(kafka, s3, cache, folder) as deployment:
        settings = {"TTS_REDIS_URL": f"redis://127.0.0.1:{redis}/0", "TTS_LEXICON": str(lexicon)}
        deployment.begin(SERVER, **settings)
        deployment.begin(WORKER)
        more = {**settings, "TTS_THREADS": "1", "PYTHONPATH": str(ROOT), "TTS_API_KEYS": json.dumps(keys)}
        front = {
            "TTS_ENGINE": "upstream",
            "TTS_UPSTREAM_URL": deployment.server(SERVER).url,
            "TTS_UPSTREAM_MODEL": "fastspeech2",
            "TTS_UPSTREAM_VOICES": "baker",
            "TTS_THREADS": "1",
        }
        with (
            running(cache, program=failing.__file__, **more) as candidate,
            running(cache, **front) as fronting,
        ):
            pods = [
                Pod(deployment.server(SERVER), f"{service}-6c8f9d7b5-x2k4p", service),
                Pod(candidate, f"{service}-candidate-7d9c5b6f4-q8w7z", service, key=KEYS["web-shop"]),
                Pod(fronting, f"{service}-candidate-7d9c5b6f4-t5r9c", service),
                Pod(deployment.server(WORKER), f"{service}-worker-5f7d8c9b6-m3n5t", f"{service}-worker"),
            ]
            for pod in pods:
                wait_until_ready(pod.server)
            yield Speaking(deployment, pods)
