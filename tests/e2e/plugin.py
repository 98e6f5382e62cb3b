"""kubectl tts as users run it: through kubectl, with a real cluster before it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from devcluster import binaries
from tests.e2e.namespace import Namespace


def kubectl_tts(ns: Namespace, *words: str, code: int = 0) -> str:
    """Run it in a namespace; what it says. Fails if its exit code is another one."""
    kubectl = binaries.path_of("kubectl")
    path = os.pathsep.join([str(Path(sys.executable).parent), str(kubectl.parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "KUBECONFIG": str(ns.product.provider.kubeconfig())}
    command = ["kubectl", "tts", *words, f"--namespace={ns.name}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment)
    assert done.returncode == code, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr
