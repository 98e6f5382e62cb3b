"""`kubectl tts job` against a real server. In the place of kubectl there is a program that leads to it."""

import base64
import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.integration.server.conftest import START_SECONDS, Server, running, wait_until

TEXT = "# 第一章 山\n\n山高水长，路远马亡。\n\n# 第二章 水\n\n今天的天气很好，我们去公园散步吧！\n"
LONG = "".join(f"第{number}句，山高水长，路远马亡，今天的天气很好，我们去公园散步吧！\n" for number in range(1, 600))
"""Takes longer than anything that is done meanwhile."""
KEYS = json.dumps([{"name": "shop", "key": "s3cret"}, {"name": "app", "key": "0ther"}])
KUBECTL = """
    import json, os, socket, sys, threading

    folder = os.path.dirname(os.path.abspath(__file__))
    command, words = sys.argv[1], sys.argv[2:]

    def setting(name):
        try:
            with open(os.path.join(folder, name)) as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def take(client, upstream):
        relay(client, upstream, 1 << 60)
        try:
            while client.recv(65536):  # what comes after a server has answered and gone
                pass
        except OSError:
            pass

    def relay(source, target, most):
        try:
            while most > 0 and (data := source.recv(min(most, 65536))):
                target.sendall(data)
                most -= len(data)
        except OSError:
            pass
        if most <= 0:
            print("error: lost connection to pod", file=sys.stderr, flush=True)
            os._exit(1)
        try:
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    if command == "get" and "--output=name" in words:
        print(setting("names"), end="")
    elif command == "get" and words[0].startswith("ttsservices"):
        print(setting("service"))
    elif command == "get" and words[0] == "secrets":
        print(setting("secret"))
    elif command == "port-forward":
        if setting("forbidden"):
            print("Error from server (Forbidden): pods is forbidden", file=sys.stderr)
            sys.exit(1)
        assert words[:3] == ["service/narrator", ":http", "--address=127.0.0.1"], words
        limits = [int(each) for each in setting("limits").split()]
        if limits:
            with open(os.path.join(folder, "limits"), "w") as file:
                file.write(" ".join(map(str, limits[1:])))
        limit = limits[0] if limits else 1 << 60
        server = socket.create_server(("127.0.0.1", 0))
        with open(os.path.join(folder, "pids"), "a") as file:
            file.write(f"{os.getpid()}\\n")
        print(f"Forwarding from 127.0.0.1:{server.getsockname()[1]} -> 7860", flush=True)
        while True:
            client, _ = server.accept()
            print("Handling connection for 1", flush=True)
            try:
                upstream = socket.create_connection(("127.0.0.1", int(setting("port"))))
            except OSError:
                sys.exit("error: lost connection to pod")
            threading.Thread(target=take, args=(client, upstream), daemon=True).start()
            threading.Thread(target=relay, args=(upstream, client, limit), daemon=True).start()
    else:
        sys.exit(f"error: unknown command {command}")
"""


@dataclass
class Plugin:
    """The plugin, and what its kubectl answers."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def set(self, **settings: str) -> None:
        for name, value in settings.items():
            new = self.folder / f"{name}.new"
            new.write_text(value)
            new.replace(self.folder / name)  # a kubectl that runs reads the old one or the new one

    def start(self, *words: str, verb: str = "job", **environment: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "tts_operator.cli", verb, *words], cwd=self.folder, text=True,
            env={**self.environment, **environment}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def run(self, *words: str, verb: str = "job", **environment: str) -> tuple[int, str, str]:
        process = self.start(*words, verb=verb, **environment)
        out, err = process.communicate(timeout=100)
        assert "Traceback" not in err
        return process.returncode, out, err

    def submit(self, *words: str, text: str = TEXT) -> str:
        """Submit a text, and return the id of the job."""
        (self.folder / "book.md").write_text(text, encoding="utf-8")
        code, out, err = self.run("submit", "book.md", *words)
        assert (code, err) == (0, ""), err
        return out.partition(":")[0]

    def forwards(self) -> list[int]:
        """The processes that lead to the server."""
        try:
            pids = [int(each) for each in (self.folder / "pids").read_text().split()]
        except FileNotFoundError:
            return []
        return [pid for pid in pids if _runs(pid)]


def _runs(pid: int) -> bool:
    """Whether the process runs. What has ended has no command line, even if nobody has waited for it."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""
    except FileNotFoundError:
        return False


@pytest.fixture(scope="module")
def jobs(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("jobs")
    with running(cache, TTS_THREADS="2", TTS_JOBS_STORAGE=str(folder), TTS_API_KEYS=KEYS) as made:
        wait_until(lambda: made.status("/ready") == 200, START_SECONDS)
        yield made


@pytest.fixture
def plugin(jobs: Server, tmp_path: Path) -> Iterator[Plugin]:
    kubectl = tmp_path / "kubectl"
    kubectl.write_text(f"#!{sys.executable}\n{textwrap.dedent(KUBECTL)}")
    kubectl.chmod(0o755)
    path = os.pathsep.join(filter(None, ["operator", os.environ.get("PYTHONPATH", "")]))
    roots = os.pathsep.join(str(Path(each).resolve()) for each in path.split(os.pathsep))
    made = Plugin(
        tmp_path,
        {
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
            "PYTHONPATH": roots,
            "TTS_API_KEY": "s3cret",
            "HOME": str(tmp_path),
        },
    )
    auth = {"apiKeysSecretRef": {"name": "speech-keys", "key": "keys"}}
    made.set(
        port=str(jobs.port),
        names="ttsservice.tts-operator.io/narrator\n",
        service=json.dumps({"metadata": {"name": "narrator"}, "spec": {"server": {"auth": auth}}}),
        secret=json.dumps({"data": {"keys": base64.b64encode(KEYS.encode()).decode()}}),
    )
    yield made
    assert made.forwards() == []


def test_a_book_from_the_text_to_the_file(plugin: Plugin) -> None:
    (plugin.folder / "book.md").write_text(TEXT, encoding="utf-8")
    code, out, err = plugin.run(
        "submit", "book.md", "-o", "山水.flac", "--watch", "--title", "山水", "--chapters", "heading",
        "--subtitles", "srt", "--speed", "1.25", "--metadata", "isbn=1",
    )  # fmt: skip
    assert (code, err) == (0, ""), err
    assert out.startswith("job_")
    assert (plugin.folder / "山水.flac").read_bytes()[:4] == b"fLaC"
    assert "散步" in (plugin.folder / "山水.srt").read_text()
    assert not list(plugin.folder.glob("*.part"))
    job = out.partition(":")[0]
    code, out, _ = plugin.run("status", job, "-o", "json")
    found = json.loads(out)
    assert (code, found["status"], found["title"], found["speed"]) == (0, "completed", "山水", 1.25)
    assert (found["metadata"], len(found["chapters"])) == ({"isbn": "1"}, 2)
    code, out, _ = plugin.run("list")
    assert code == 0
    assert any(line.split()[:3] == [job, "completed", "100"] for line in out.splitlines())
    code, _, err = plugin.run("cancel", job)
    assert code == 3
    assert "'completed'" in err
    assert plugin.run("download", job, "-o", "again.flac")[0] == 0
    assert (plugin.folder / "again.flac").read_bytes() == (plugin.folder / "山水.flac").read_bytes()


def test_a_text_is_spoken(plugin: Plugin) -> None:
    code, out, err = plugin.run("narrator", "山高水长", "-o", "a.wav", verb="say")
    assert (code, err) == (0, "")
    assert out.startswith("Saved a.wav: ")
    assert (plugin.folder / "a.wav").read_bytes()[:4] == b"RIFF"
    code, _, err = plugin.run("narrator", "山" * 2000, "-o", "b.wav", verb="say")
    assert code == 3
    assert "`kubectl tts job submit FILE" in err


def test_how_a_text_is_read(plugin: Plugin) -> None:
    code, out, err = plugin.run("narrator", "3天后找行长", verb="phonemes")
    assert (code, err) == (0, "")
    rows = [line.split() for line in out.splitlines()]
    assert rows[0][0] == "Spoken:"
    assert ["行", "hang2"] in [row[:2] for row in rows]


def test_a_key_makes_one_job(plugin: Plugin) -> None:
    first = plugin.submit("--idempotency-key", "one")
    assert plugin.submit("--idempotency-key", "one") == first
    code, _, err = plugin.run("submit", "book.md", "--speed", "2", "--idempotency-key", "one")
    assert code == 3
    assert "was used for another request" in err


def test_a_lost_answer_makes_no_second_job(plugin: Plugin) -> None:
    before = len(json.loads(plugin.run("list", "-o", "json", "--limit", "1000")[1]))
    plugin.set(limits="20")  # bytes of the answer
    plugin.submit()
    assert (plugin.folder / "limits").read_text() == ""
    assert len(json.loads(plugin.run("list", "-o", "json", "--limit", "1000")[1])) == before + 1


def test_a_download_that_breaks_goes_on_where_it_was(plugin: Plugin) -> None:
    job = plugin.submit("--format", "wav")
    assert plugin.run("download", job, "-o", "whole.wav", "--watch")[0] == 0
    whole = (plugin.folder / "whole.wav").read_bytes()
    plugin.set(limits=f"{len(whole) // 3} {len(whole) // 3}")
    code, _, err = plugin.run("download", job, "-o", "parts.wav")
    assert (code, err) == (0, "")
    assert (plugin.folder / "limits").read_text() == ""
    assert (plugin.folder / "parts.wav").read_bytes() == whole


def test_a_job_is_cancelled_and_its_watch_says_so(plugin: Plugin) -> None:
    job = plugin.submit(text=LONG)
    watch = plugin.start("status", job, "--watch")
    wait_until(lambda: len(plugin.forwards()) == 1)
    code, out, _ = plugin.run("cancel", job)
    assert (code, out) == (0, f"{job} is cancelled.\n")
    _, err = watch.communicate(timeout=60)
    assert watch.returncode == 1
    assert err == f"error: {job} cancelled\n"
    code, _, err = plugin.run("download", job, "-o", "book.mp3")
    assert code == 3
    assert "has no audio" in err


def test_a_key_is_refused_before_a_long_text_has_arrived(plugin: Plugin) -> None:
    (plugin.folder / "book.txt").write_text("山高水长，路远马亡。" * 199_999, encoding="utf-8")
    code, _, err = plugin.run("submit", "book.txt", TTS_API_KEY="wrong")
    assert code == 3, err
    assert "Set TTS_API_KEY" in err


def test_each_key_sees_its_own_jobs(plugin: Plugin) -> None:
    job = plugin.submit()
    environment = {"TTS_API_KEY": ""}
    code, _, err = plugin.run("status", job, **environment)
    assert code == 3
    assert "--key-name: app, shop" in err
    assert plugin.run("status", job, "--key-name", "shop", **environment)[0] == 0
    code, _, err = plugin.run("status", job, "--key-name", "app", **environment)
    assert code == 3
    assert "`kubectl tts job list --key-name=app`" in err
    code, _, err = plugin.run("status", job, TTS_API_KEY="wrong")
    assert code == 3
    assert "Set TTS_API_KEY" in err
    assert "wrong" not in err


def test_which_service(plugin: Plugin) -> None:
    plugin.set(names="ttsservice.tts-operator.io/narrator\nttsservice.tts-operator.io/another\n")
    code, _, err = plugin.run("list")
    assert (code, err) == (3, "error: there are several TTSServices: another, narrator. Choose one with --service\n")
    assert plugin.run("list", "--service", "narrator")[0] == 0
    plugin.set(names="")
    assert plugin.run("list")[0] == 3


def test_who_may_not_forward_ports_is_told_at_once(plugin: Plugin) -> None:
    plugin.set(forbidden="yes")
    code, _, err = plugin.run("status", "job_01a227bab741af92266e9e369260", "--watch")
    assert code == 4
    assert "(Forbidden): pods is forbidden" in err


def test_a_watch_ends_at_its_time_out(plugin: Plugin) -> None:
    job = plugin.submit(text=LONG)
    code, _, err = plugin.run("status", job, "--watch", "--timeout", "0.1s")
    assert code == 124
    assert f"`kubectl tts job status {job} --watch`" in err
    plugin.run("cancel", job)


@pytest.mark.parametrize("end, code", [(signal.SIGINT, 130), (signal.SIGTERM, -15), (signal.SIGKILL, -9)])
def test_the_port_is_closed_however_the_plugin_ends(plugin: Plugin, end: signal.Signals, code: int) -> None:
    job = plugin.submit(text=LONG)
    watch = plugin.start("status", job, "--watch")
    assert watch.stdout is not None
    assert watch.stdout.readline()  # it has seen the job
    assert len(plugin.forwards()) == 1
    watch.send_signal(end)
    _, err = watch.communicate(timeout=30)
    assert watch.returncode == code
    assert "Traceback" not in err
    wait_until(lambda: plugin.forwards() == [])
    plugin.run("cancel", job)


def test_a_server_that_is_away_for_a_moment_ends_no_watch(plugin: Plugin, jobs: Server) -> None:
    job = plugin.submit(text=LONG)
    watch = plugin.start("status", job, "--watch")
    assert watch.stdout is not None
    assert watch.stdout.readline()
    plugin.set(port="1")  # nobody listens there
    assert watch.stderr is not None
    # kubectl has its say too.
    assert any(line.startswith("retrying: the connection to the server broke") for line in watch.stderr)
    plugin.set(port=str(jobs.port))
    plugin.run("cancel", job)
    watch.communicate(timeout=60)
    assert watch.returncode == 1
