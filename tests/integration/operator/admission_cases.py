"""Specs that the admission policy refuses, and specs that it allows."""

from __future__ import annotations

from typing import Any

from tts_operator.json_object import Json

BANK, OPEN, SHOWN = "admission-bank", "admission-open", "admission-examples"
"""Namespaces: of the general rules, of the freest ones, and of what the examples need."""
PATIENCE = 60.0
SERVER = "ghcr.io/tts-operator/tts-server"
NGINX = "nginx.ingress.kubernetes.io"
POLICY: Json = {
    "images": ["{serverImage}", "registry.example/bank/*", "registry.example:5000/voice+more"],
    "hosts": ["*.{namespace}.example.com"],
    "serviceAnnotations": ["example.com/*"],
    "priorityClasses": ["tenant-*"],
    "issuers": ["Issuer/*", "ClusterIssuer/tenants", "awspca.cert-manager.io/AWSPCAIssuer/*"],
    "prometheus": ["http://prometheus.monitoring.svc:9090", "http://*.metrics.svc:9090/p/*"],
    "kafkaBrokers": ["kafka.{namespace}:*"],
    "s3Endpoints": ["https://s3.eu-*.amazonaws.com", "https://minio.{namespace}:9000"],
    "backends": [
        "http://*.{namespace}.svc:8880/*",
        "grpc://triton.{namespace}:*",
        "https://speech.example.com/v1",
        "https://*.example.net/v1*",
    ],
    "webhookHosts": ["*.{namespace}.example.com"],
    "namespaces": {
        OPEN: {
            "podTemplate": "Unrestricted",
            **{
                field: ["*"]
                for field in (
                    "images", "hosts", "ingressAnnotations", "serviceAnnotations", "serviceTypes", "priorityClasses",
                    "issuers", "prometheus", "kafkaBrokers", "s3Endpoints", "backends", "webhookHosts",
                )
            },
        },
        SHOWN: {
            "images": ["{serverImage}", "registry.example.com/*", "ghcr.io/*", "docker.io/vllm/*"],
            "hosts": ["speech.example.com"],
            "serviceAnnotations": [
                "service.beta.kubernetes.io/aws-load-balancer-scheme",
                "service.beta.kubernetes.io/load-balancer-source-ranges",
                "networking.gke.io/load-balancer-type",
            ],
            "serviceTypes": ["ClusterIP", "NodePort", "LoadBalancer"],
            "issuers": ["ClusterIssuer/letsencrypt"],
            "prometheus": ["http://prometheus.monitoring:9090"],
            "kafkaBrokers": ["*.kafka.default.svc:9093"],
        },
    },
}  # fmt: skip


def pod(**spec: Any) -> Json:
    return {"podTemplate": {"spec": spec}}


def container(**fields: Any) -> Json:
    return pod(containers=[{"name": "server", **fields}])


def context(**fields: Any) -> Json:
    return container(securityContext=fields)


def volume(**kind: Any) -> Json:
    return pod(volumes=[{"name": "more", **kind}])


def ingress(**fields: Any) -> Json:
    return {"ingress": {"host": f"speech.{BANK}.example.com", **fields}}


def issuer(**reference: str) -> Json:
    return ingress(tls={"issuerRef": reference})


def prometheus(url: str) -> Json:
    queries = [{"name": "failed", "query": "up", "max": "1"}]
    return {"rollout": {"analysis": {"prometheus": {"url": url, "queries": queries}}}}


def jobs(*, broker: str = f"kafka.{BANK}:9093", hook: str = f"a.{BANK}.example.com", **more: Any) -> Json:
    """Jobs over this broker, with this host for webhooks; `workers`, and the fields of a bucket."""
    workers = {"workers": more.pop("workers")} if "workers" in more else {}
    bucket = {"bucket": "books", "credentialsSecretRef": {"name": "books"}, "region": "eu-west-1", **more}
    kafka = {"bootstrapServers": [f"kafka.{BANK}:9092", broker]}
    return {"jobs": {"storage": {"s3": bucket}, "kafka": kafka, "webhooks": {"hosts": [hook]}, **workers}}


OWN = "registry.example/bank/kokoro:v1"


def upstream(*, image: str = OWN, **fields: Any) -> Json:
    """A backend with this image."""
    return {"backend": {"upstream": {"voices": [{"name": "a"}], "container": {"image": image}}, **fields}}


def elsewhere(url: str) -> Json:
    """A backend at a URL."""
    if url.startswith("grpc"):
        return {"backend": {"triton": {"url": url}}}
    return {"backend": {"upstream": {"voices": [{"name": "a"}], "url": url}}}


def separate(**fields: Any) -> Json:
    """A separate backend with this placement."""
    return upstream(mode="Separate", placement=fields)


def files(image: str) -> list[Json]:
    """A volume of a backend with the files of an image."""
    return [{"name": "weights", "image": {"reference": image}}]


OTHER_ACCOUNT = "serviceAccountName other than narrator"
ATTACKS: list[tuple[str, Json, str]] = [
    ("hostNetwork", pod(hostNetwork=True), "spec.podTemplate: hostNetwork is not allowed"),
    ("hostPID", pod(hostPID=True), "spec.podTemplate: hostPID is not allowed"),
    ("hostIPC", pod(hostIPC=True), "spec.podTemplate: hostIPC is not allowed"),
    ("all of it", pod(hostPID=True, nodeName="n", priority=1), "hostPID, nodeName, priority is not allowed"),
    ("hostPath", volume(hostPath={"path": "/"}), "a volume of type hostPath is not allowed"),
    ("nfs", volume(nfs={"server": "files", "path": "/"}), "a volume of type nfs is not allowed"),
    ("hidden hostPath", volume(emptyDir={}, hostPath={"path": "/"}), "a volume of type hostPath"),
    ("privileged", context(privileged=True), "privileged is not allowed"),
    ("capability", context(capabilities={"add": ["SYS_ADMIN"]}), "capabilities.add other than NET_BIND_SERVICE"),
    ("kept capabilities", context(capabilities={"drop": []}), "capabilities.drop without ALL"),
    ("escalation", context(allowPrivilegeEscalation=True), "allowPrivilegeEscalation: true is not allowed"),
    ("root", context(runAsUser=0), "runAsUser: 0 is not allowed"),
    ("root pod", pod(securityContext={"runAsUser": 0}), "runAsUser: 0 is not allowed"),
    ("any user", context(runAsNonRoot=False), "runAsNonRoot: false is not allowed"),
    ("no seccomp", context(seccompProfile={"type": "Unconfined"}), "a seccompProfile other than RuntimeDefault"),
    ("procMount", context(procMount="Unmasked"), "procMount is not allowed"),
    ("no AppArmor", context(appArmorProfile={"type": "Unconfined"}), "an AppArmor profile other than"),
    (
        "no AppArmor, by annotation",
        {
            "podTemplate": {
                "metadata": {"annotations": {"container.apparmor.security.beta.kubernetes.io/a": "unconfined"}}
            }
        },
        "an AppArmor profile other than",
    ),
    ("SELinux type", context(seLinuxOptions={"type": "spc_t"}), "seLinuxOptions is not allowed"),
    ("SELinux user", context(seLinuxOptions={"user": "system_u"}), "seLinuxOptions is not allowed"),
    ("host process", context(windowsOptions={"hostProcess": True}), "windowsOptions.hostProcess is not allowed"),
    ("sysctl", pod(securityContext={"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}), "sysctls is not allowed"),
    ("hostPort", container(ports=[{"containerPort": 7860, "hostPort": 80}]), "hostPort is not allowed"),
    ("probe of a host", container(livenessProbe={"httpGet": {"host": "metadata"}}), "handler with a host"),
    (
        "stop hook to a host",
        container(lifecycle={"preStop": {"httpGet": {"host": "metadata"}}}),
        "a probe or lifecycle handler with a host",
    ),
    ("ServiceAccount", pod(serviceAccountName="admin"), OTHER_ACCOUNT),
    ("default ServiceAccount", pod(serviceAccountName=None), OTHER_ACCOUNT),
    ("ServiceAccount, old name", pod(serviceAccount="admin"), "serviceAccount other than narrator"),
    ("token", pod(automountServiceAccountToken=True), "automountServiceAccountToken is not allowed"),
    (
        "projected token",
        volume(projected={"sources": [{"serviceAccountToken": {"path": "token"}}]}),
        "a projected serviceAccountToken or podCertificate is not allowed",
    ),
    ("nodeName", pod(nodeName="control-plane"), "nodeName is not allowed"),
    ("priority", pod(priority=2000001000), "priority is not allowed"),
    ("system priority", pod(priorityClassName="system-node-critical"), "priorityClassName system-node-critical"),
    (
        "system priority, by placement",
        {"placement": {"priorityClassName": "system-cluster-critical"}},
        "priorityClassName system-cluster-critical is not allowed",
    ),
    ("priority class", {"placement": {"priorityClassName": "high"}}, "high is not allowed"),
    ("priority class of the pod", pod(priorityClassName="high"), "high is not allowed; allowed: tenant-*."),
    ("image", {"image": {"repository": "evil.example/miner", "tag": "v1"}}, "evil.example/miner is not allowed"),
    ("image that begins well", {"image": {"repository": f"{SERVER}-evil"}}, f"{SERVER}-evil is not allowed"),
    ("image that ends well", {"image": {"repository": f"evil.example/{SERVER}"}}, f"evil.example/{SERVER} is not"),
    ("image with a dot that is none", {"image": {"repository": "ghcrxio/tts-operator/tts-server"}}, "ghcrxio/"),
    ("image with a plus that is one", container(image="registry.example:5000/voiceemore:v1"), "voiceemore is not"),
    ("image of the server", container(image="evil.example:5000/x:v1@sha256:00"), "evil.example:5000/x is not allowed"),
    ("image of a sidecar", pod(containers=[{"name": "miner", "image": "miner"}]), "miner is not allowed"),
    ("image of an init container", pod(initContainers=[{"name": "a", "image": "miner:v1"}]), "miner is not allowed"),
    ("image of a volume", volume(image={"reference": "miner:v1"}), "miner is not allowed"),
    ("image that is a number", container(image=5), "what is no text is not allowed"),
    ("host of another", {"ingress": {"host": "speech.books.example.com"}}, "speech.books.example.com is not allowed"),
    ("all hosts", {"ingress": {}}, "none, which is all names, is not allowed"),
    (
        "host of another, by a route",
        {"gateway": {"parentRefs": [{"name": "public"}], "hostnames": [f"a.{BANK}.example.com", "www.example.com"]}},
        f"spec.gateway.hostnames: www.example.com is not allowed; allowed: *.{BANK}.example.com. A cluster admin",
    ),
    ("all hosts, by a route", {"gateway": {"parentRefs": [{"name": "public"}]}}, "none, which is all names,"),
    ("snippet", ingress(annotations={f"{NGINX}/server-snippet": "x"}), f"{NGINX}/server-snippet is not allowed"),
    ("auth-url", ingress(annotations={f"{NGINX}/auth-url": "http://x"}), f"{NGINX}/auth-url is not allowed"),
    (
        "name server",
        ingress(annotations={"external-dns.alpha.kubernetes.io/hostname": "www.example.com"}),
        "external-dns.alpha.kubernetes.io/hostname is not allowed",
    ),
    (
        "key with a line's end",
        ingress(annotations={"a\nb": "x"}),
        "spec.ingress.annotations: not allowed; a cluster administrator can allow it: Helm value",
    ),
    ("annotation", {"service": {"annotations": {"evil.example/a": "x"}}}, "evil.example/a is not allowed"),
    ("LoadBalancer", {"service": {"type": "LoadBalancer"}}, "LoadBalancer is not allowed"),
    ("NodePort", {"service": {"type": "NodePort"}}, "NodePort is not allowed; allowed: ClusterIP."),
    ("ClusterIssuer", issuer(name="letsencrypt", kind="ClusterIssuer"), "ClusterIssuer/letsencrypt is not allowed"),
    ("external issuer", issuer(name="a", kind="Issuer", group="evil.example"), "evil.example/Issuer/a is not allowed"),
    (
        "issuer with a slash",
        issuer(name="b", kind="ClusterIssuer", group="x/Issuer"),
        "x/Issuer/ClusterIssuer/b is not",
    ),
    ("broker of another", jobs(broker="kafka.books:9092"), "kafka.books:9092 is not allowed"),
    ("region", jobs(region="us-east-1"), "https://s3.us-east-1.amazonaws.com is not allowed"),
    ("S3 of another", jobs(endpoint="https://minio.books:9000"), "https://minio.books:9000 is not allowed"),
    ("webhook to all", jobs(hook="*.example.com"), "spec.jobs.webhooks.hosts: *.example.com is not allowed"),
    ("priority class of workers", jobs(workers={"placement": {"priorityClassName": "high"}}), "high is not allowed"),
    (
        "system priority, by workers",
        jobs(workers={"placement": {"priorityClassName": "system-node-critical"}}),
        "priorityClassName system-node-critical is not allowed",
    ),
    (
        "image of a backend",
        upstream(image="evil.example/kokoro:v1"),
        "spec.backend, spec.podTemplate: evil.example/kokoro is not allowed",
    ),
    ("image of a separate backend", upstream(image="evil.example/a@sha256:00", mode="Separate"), "evil.example/a is"),
    ("image of a Triton", {"backend": {"triton": {"container": {"image": "miner"}}}}, "miner is not allowed"),
    ("image of a backend's volume", upstream(volumes=files("evil.example:5000/a:v1")), "evil.example:5000/a is not"),
    ("image of a separate backend's volume", upstream(mode="Separate", volumes=files("miner")), "miner is not"),
    ("backend of another", elsewhere("http://kokoro.books.svc:8880/v1"), "http://kokoro.books.svc:8880/v1 is not"),
    ("host of a backend in the path", elsewhere("https://evil/.example.net/v1"), "is not allowed; allowed: http:"),
    ("another path", elsewhere("https://speech.example.com/v2"), "https://speech.example.com/v2 is not allowed"),
    ("Triton of another", elsewhere("grpc://triton.books:8001"), "grpc://triton.books:8001 is not allowed"),
    ("priority class of a backend", separate(priorityClassName="high"), "high is not allowed; allowed: tenant-*."),
    (
        "system priority, by a backend",
        separate(priorityClassName="system-node-critical"),
        "priorityClassName system-node-critical is not allowed",
    ),
    ("another Prometheus", prometheus("http://evil.example:9090"), "http://evil.example:9090 is not allowed"),
    (
        "another port",
        prometheus("http://prometheus.monitoring.svc:9091"),
        "allowed: http://prometheus.monitoring.svc:9090, http://*.metrics.svc:9090/p/*.",
    ),
    ("host in the path", prometheus("http://evil.example/.metrics.svc:9090/p/"), "is not allowed"),
    ("query", prometheus("http://a.metrics.svc:9090/p/?x="), "without user, ? and #"),
    ("fragment", prometheus("http://a.metrics.svc:9090/p/#x"), "without user, ? and #"),
    ("user", prometheus("http://evil.example@a.metrics.svc:9090/p/"), "without user, ? and #"),
]
LOOPBACK = [
    "http://localhost:9090", "http://x.localhost", "http://127.0.0.1/", "http://127.1", "http://2130706433:80",
    "http://0x7f000001/", "http://0.0.0.0", "http://[::1]:9090", "http://[::]", "http://[::ffff:127.0.0.1]/",
    "https://169.254.169.254/latest", "http://[fe80::1]", "http://LOCALHOST.",
]  # fmt: skip
LOOPBACK_BACKENDS = [
    "http://localhost:8880/v1", "http://x.localhost/v1", "http://127.0.0.1:8880", "http://127.1", "http://2130706433:80",
    "http://[::1]:8880/v1", "http://[::ffff:127.0.0.1]/", "https://169.254.169.254/latest", "http://LOCALHOST/v1",
    "grpc://localhost:8001", "grpc://127.0.0.1:8001", "grpc://[::1]:8001", "grpc://169.254.169.254:80", "grpc://0:8001",
    "grpcs://localhost:8001",
]  # fmt: skip
FINE: list[tuple[str, Json]] = [
    ("defaults", {}),
    ("server image", {"image": {"repository": SERVER, "tag": "v9"}}),
    ("own image", {"image": {"repository": "registry.example/bank/a/b", "digest": "sha256:" + "a" * 64}}),
    ("sidecar", pod(containers=[{"name": "logs", "image": "registry.example/bank/logs:v1@sha256:00"}])),
    ("image with a port", pod(containers=[{"name": "logs", "image": "registry.example:5000/voice+more"}])),
    (
        "restricted sidecar",
        pod(
            securityContext={"runAsUser": 1000, "sysctls": [{"name": "net.ipv4.tcp_syncookies", "value": "1"}]},
            containers=[
                {
                    "name": "logs",
                    "image": "registry.example/bank/logs",
                    "ports": [{"containerPort": 80}, {"containerPort": 81, "hostPort": 0}],
                    "livenessProbe": {"httpGet": {"path": "/", "port": 80}},
                    "lifecycle": {"preStop": {"exec": {"command": ["true"]}}},
                    "securityContext": {
                        "privileged": False,
                        "allowPrivilegeEscalation": False,
                        "runAsNonRoot": True,
                        "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
                        "seccompProfile": {"type": "Localhost", "localhostProfile": "a.json"},
                        "procMount": "Default",
                        "seLinuxOptions": {"type": "container_t", "level": "s0"},
                    },
                }
            ],
        ),
    ),
    ("Secret of the namespace", volume(secret={"secretName": "voices"})),
    ("ConfigMap by projection", volume(projected={"sources": [{"configMap": {"name": "words"}}]})),
    ("volume that is taken out", pod(volumes=[{"name": "tmp", "$patch": "delete"}])),
    ("own ServiceAccount", pod(serviceAccountName="narrator", automountServiceAccountToken=False)),
    ("priority class", {"placement": {"priorityClassName": "tenant-low"}}),
    ("own host", {"ingress": {"host": f"a.b.{BANK}.example.com"}}),
    ("harmless annotations", ingress(annotations={f"{NGINX}/proxy-read-timeout": "60", f"{NGINX}/limit-rps": "5"})),
    ("annotation of the Service", {"service": {"annotations": {"example.com/team": "speech"}}}),
    ("own issuer", issuer(name="own")),
    ("ClusterIssuer", issuer(name="tenants", kind="ClusterIssuer")),
    ("external issuer", issuer(name="a", kind="AWSPCAIssuer", group="awspca.cert-manager.io")),
    ("jobs", jobs()),
    ("jobs in S3 of its own", jobs(endpoint=f"https://minio.{BANK}:9000", hook=f"*.{BANK}.example.com")),
    ("workers", jobs(workers={"placement": {"priorityClassName": "tenant-low"}})),
    ("backend", upstream()),
    ("separate backend", separate(priorityClassName="tenant-low", nodeSelector={"gpu": "yes"})),
    ("files of an image", upstream(volumes=files("registry.example/bank/weights@sha256:" + "a" * 64))),
    ("image volume", volume(image={"reference": "registry.example/bank/weights:v1"})),
    ("other volumes", upstream(volumes=[{"name": "a", "emptyDir": {}}], mode="Separate")),
    ("Triton with the bundled voice", {"backend": {"triton": {"container": {"image": OWN}, "repository": {}}}}),
    ("own backend", elsewhere(f"http://kokoro.{BANK}.svc:8880/v1")),
    ("own backend, in capitals", elsewhere(f"http://Kokoro.{BANK}.SVC:8880/v1")),
    ("own Triton", elsewhere(f"grpc://triton.{BANK}:8001")),
    ("backend of a pattern", elsewhere("https://a.example.net/v1/b")),
    ("backend of all", elsewhere("https://speech.example.com/v1")),
    (
        "jobs in a volume",
        {"jobs": {"storage": {"persistentVolumeClaim": {}}, "kafka": {"bootstrapServers": ["kafka.admission-bank:9"]}}},
    ),
    ("Prometheus", prometheus("http://prometheus.monitoring.svc:9090")),
    ("Prometheus by a pattern", prometheus("http://BANK.metrics.svc:9090/p/bank")),
]
ODD: list[Json] = [
    {"podTemplate": {"spec": "text"}},
    {"podTemplate": {"spec": None, "metadata": None}},
    {"podTemplate": {"spec": ["hostPID"], "metadata": {"annotations": "text"}}},
    {"podTemplate": {"metadata": "text"}},
    pod(containers="text", initContainers={"a": 1}, volumes={"hostPath": {}}),
    pod(containers=["text", 5, None, [], {}], volumes=["text", 5, None, [], {}]),
    pod(securityContext="text", containers=[{"name": "a", "securityContext": 5, "ports": 5, "lifecycle": "a"}]),
    pod(
        containers=[
            {"image": None, "ports": [None, "a"], "livenessProbe": {"httpGet": "a"}, "lifecycle": {"preStop": 1}}
        ]
    ),
    pod(securityContext={"sysctls": [None, "a", {}], "seLinuxOptions": 5, "capabilities": "a", "seccompProfile": []}),
    context(
        capabilities={"add": "a", "drop": "a"}, appArmorProfile=None, windowsOptions=5, seLinuxOptions={"type": None}
    ),
    pod(volumes=[{"name": "a", "projected": {"sources": [None, "a"]}}, {"name": "b", "projected": 5}]),
    pod(hostPID=None, nodeName=None, priority=None, priorityClassName=None, volumes=None, containers=None),
    pod(priorityClassName=5),
]
"""What no pod can be: the policy has nothing against it, and must not fail over it."""
ODD_ATTACKS: list[tuple[Json, str]] = [
    (pod(hostPID="yes"), "hostPID is not allowed"),
    (pod(nodeName=["a"]), "nodeName is not allowed"),
    (pod(serviceAccountName={"a": 1}), OTHER_ACCOUNT),
    (context(privileged="true", runAsUser=0.0), "privileged, runAsUser: 0 is not allowed"),
    (container(ports=[{"hostPort": "80"}]), "hostPort is not allowed"),
]
