"""The port-forward."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli.jobs.fakekubectl import kubectl
from tts_operator.cli.refused import UnreachableError
from tts_operator.cli.server.forward import Forward


def test_a_forward_ends_kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = 'echo $$ > "$0.pid"; echo "Forwarding from 127.0.0.1:43567 -> 7860"; exec sleep 600'
    forward = Forward(kubectl(tmp_path, monkeypatch, script), "narrator")
    process = Path("/proc", (tmp_path / "kubectl.pid").read_text().strip())
    assert (forward.port, forward.alive, process.exists()) == (43567, True, True)
    forward.close()
    assert (forward.alive, process.exists()) == (False, False)


@pytest.mark.parametrize(
    "script, reason",
    [
        (
            "echo 'error: timed out waiting for the condition' >&2; exit 1",
            "the Service 'narrator' leads to no running pod",
        ),
        ("echo 'error: unable to forward port' >&2; exit 1", "unable to forward port"),
        ("echo 'Error from server (NotFound): no' >&2; exit 1", "Error from server (NotFound): no"),
        ("echo something else; exit 0", "kubectl port-forward does not listen at any port"),
    ],
)
def test_why_there_is_no_forward(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, reason: str) -> None:
    with pytest.raises(UnreachableError) as caught:
        Forward(kubectl(tmp_path, monkeypatch, script), "narrator")
    assert str(caught.value).startswith(reason)
