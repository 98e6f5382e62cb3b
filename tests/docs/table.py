"""How each page is followed: what is typed in another way here, what cannot run here, and what must be seen.

The keys are the English pages. The Chinese ones have the same commands. Names in capitals are variables of the
reader's shell (conftest.py).
"""

from __future__ import annotations

from tests.docs.steps import Instead, LeftOut, Reading, Shows

CLONE = Instead("URL-OF-THIS-REPOSITORY", '"$REPOSITORY"', "the repository is the one under test")
CURL = Instead(
    "--image=curlimages/curl ",
    "--image=curlimages/curl --image-pull-policy=Never ",
    "no registry is reached: the image is loaded into the nodes",
)
IMAGES = (
    Instead(
        "registry.example.com/speech/tts-operator,image.tag=v1", "$OPERATOR_IMAGE,image.tag=$OPERATOR_TAG", "our images"
    ),
    Instead(
        "registry.example.com/speech/tts-server,serverImage.tag=v1",
        "$SERVER_IMAGE,serverImage.tag=$SERVER_TAG",
        "our images",
    ),
)
TRAEFIK = Instead("lassName: nginx", "lassName: traefik", "the ingress controller of the test is Traefik")
NO_DOCKER = "Docker is not there"
SETUP = (
    "export KUBECONFIG=$(.venv/bin/python -m devcluster kubeconfig)\n"
    'export PATH="$(dirname "$(.venv/bin/python -m devcluster bin kubectl)"):$PATH"\n'
)
"""What the end of the demo says."""
OWN_TEXT = "明天上午九点，请到三号会议室开会。"

README = Reading(
    instead=(
        CLONE,
        Instead("make demo CLUSTER=kind", f"make demo\n{SETUP}", f"{NO_DOCKER}, so kind is not either"),
        Instead("install CLUSTER=existing REGISTRY=registry.example/path", "install", f"{NO_DOCKER}, nor a registry"),
        Instead("您好，世界。", OWN_TEXT, "a text of the reader's own"),
    ),
    left_out=(LeftOut("make lint test-unit", "these are the tests, which CI runs on a clean clone"),),
    shows=(Shows("-o hello.mp3", r"quickstart +True +Ready.*ttsservice\S* patched"),),
)
QUICKSTART = Reading(
    instead=(
        Instead(
            "git clone URL-OF-THIS-REPOSITORY tts-operator\ncd tts-operator\n",
            "",
            "the reader comes from the README, and has done this there",
        ),
        Instead("您好，世界。", OWN_TEXT, "a text of the reader's own"),
        Instead('hello.wav"', 'openai.wav"', "so that each way to speak has a file of its own"),
        Instead("-o hello.wav    #", "-o plugin.wav    #", "so that each way to speak has a file of its own"),
    ),
    shows=(
        Shows("kubectl get tts quickstart -o wide", "quickstart +(True|False)"),
        Shows("kubectl describe tts quickstart", "Name: +quickstart"),
        Shows("kubectl get tts quickstart --watch", "RolloutInProgress.*True +Ready", "by Ctrl-C"),
        Shows("kubectl tts say quickstart", "is rolled out.*Saved plugin.wav"),
    ),
)
TUTORIALS = {
    "first-service": Reading(
        operator=False,
        instead=(*IMAGES,),
        left_out=(
            LeftOut(
                "make install CLUSTER=existing",
                f"{NO_DOCKER}, nor a registry. The same target runs on devcluster for the README. Here Helm installs "
                "the operator, which can be there only once",
            ),
        ),
        shows=(
            Shows("kubectl create namespace speech", "condition met"),
            Shows("describe tts narrator", "Name: +narrator"),
            Shows(
                "get tts narrator -o wide", "narrator +True.*deployment.*pod/.*service/.*poddisruptionbudget.*FIELDS"
            ),
            Shows("v1/audio/voices", '"baker"'),
        ),
    ),
    "from-yaml": Reading(
        addons=("ingress",),
        instead=(
            TRAEFIK,
            Instead("registry.example.com/speech/tts:latest", "$SERVER_IMAGE:$SERVER_TAG", "our image"),
            Instead(
                "      containers:\n        - name: tts\n",
                "      enableServiceLinks: false\n      containers:\n        - name: tts\n",
                "of a Service named tts, Kubernetes makes the variable TTS_PORT, which our server reads",
            ),
            Instead(
                'requests: {cpu: "1", memory: 2Gi}', "requests: {cpu: 100m, memory: 512Mi}", "two cores for all pods"
            ),
            Instead(
                "kubectl apply -f speech.yaml",
                "kubectl create namespace speech\n"
                "kubectl apply -f tts.yaml\n"
                "kubectl -n speech rollout status deployment/tts --timeout=3m\n"
                "kubectl apply -f speech.yaml",
                "the reader has what they have",
            ),
        ),
        shows=(
            Shows("kubectl apply -f speech.yaml", "condition met"),
            Shows("patch ingress tts", "ingress.networking.k8s.io/tts patched"),
        ),
    ),
    "canary": Reading(
        instead=(CURL,),
        shows=(
            Shows("kubectl wait --for=condition=Ready ttsservice/canary", "condition met"),
            Shows('"sizeMiB": 128', "step 2 of 2, 50 %", "by Ctrl-C"),
            Shows("kubectl tts promote canary", "is rolled out"),
            Shows("TTS_THREADS", "CrashLoop.*exit code 1", "anyhow"),
            Shows('"path": "/spec/podTemplate"', "canary"),
            Shows("kubectl tts undo canary --clear", "returns to revision 1"),
            Shows("--watch --timeout 30m", "is rolled out"),
        ),
    ),
    "https": Reading(
        addons=("ingress",),
        before=(
            "kubectl create namespace speech\n"
            "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=speech.example.com \\\n"
            "  -addext subjectAltName=DNS:speech.example.com -keyout speech.key -out speech.crt\n"
            "kubectl -n speech create secret tls speech --key speech.key --cert speech.crt\n"
        ),
        instead=(
            TRAEFIK,
            Instead(
                "issuerRef: {name: letsencrypt, kind: Issuer}", "secretName: speech", "the reader has a certificate"
            ),
            Instead("condition=CertificateReady", "condition=Ready", "the condition is about issuers"),
            Instead("get tts,ingress,certificate", "get tts,ingress", "cert-manager is not there"),
            Instead(
                "curl https://speech.example.com",
                "curl -f --cacert speech.crt --resolve speech.example.com:443:$INGRESS https://speech.example.com",
                "the name is in no DNS, and no public authority knows it",
            ),
        ),
        left_out=(LeftOut("kubectl apply -f issuer.yaml", "Let's Encrypt must reach the host name from the internet"),),
        shows=(Shows("get tts,ingress,certificate", "condition met.*speech.example.com"),),
    ),
    "shared-cache": Reading(
        shows=(
            Shows("kubectl apply -f shared-cache.yaml", "condition met"),
            Shows("for n in 1 2", "(?i)x-cache: miss.*x-cache: hit"),
            Shows("service/shared-cache 7861:80", "(?i)x-cache: hit"),
        ),
    ),
    "long-texts": Reading(
        addons=("kafka", "s3"),
        before=(
            "kubectl get secret devcluster-kafka -o jsonpath='{.data.ca\\.crt}' | base64 -d > ca.crt\n"
            'key() { kubectl get secret "$1" -o jsonpath="{.data.$2}" | base64 -d; }\n'
            "printf '第一回 山路\\n一个人在山路上慢慢地走。\\n第二回 回家\\n天黑之前，他回到了家。\\n' > book.txt\n"
        ),
        instead=(
            Instead("AWS_ACCESS_KEY_ID=...", 'AWS_ACCESS_KEY_ID="$(key devcluster-s3 AWS_ACCESS_KEY_ID)"', "its user"),
            Instead(
                "AWS_SECRET_ACCESS_KEY=...",
                'AWS_SECRET_ACCESS_KEY="$(key devcluster-s3 AWS_SECRET_ACCESS_KEY)"',
                "its user",
            ),
            Instead("username=tts", 'username="$(key devcluster-kafka username)"', "its user"),
            Instead("password=...", 'password="$(key devcluster-kafka password)"', "its user"),
            Instead("bucket: books", "bucket: tts", "the bucket of the test"),
            Instead(
                "region: eu-central-1\n",
                "endpoint: $S3\n        caSecretRef: {name: kafka-ca, key: ca.crt}\n",
                "the bucket is outside AWS, with an authority of its own, which is that of Kafka",
            ),
            Instead('"kafka-0.kafka.default.svc:9093", "kafka-1.kafka.default.svc:9093"', "$KAFKA", "one broker"),
            Instead("maxReplicas: 12", "maxReplicas: 2", "two cores for all pods"),
            Instead(
                'requests: {cpu: "2", memory: 1Gi}', "requests: {cpu: 100m, memory: 512Mi}", "two cores for all pods"
            ),
            Instead(
                "--data-binary @book.txt\n",
                "--data-binary @book.txt > answer.json\n"
                'ID=$($PYTHON -c \'import json; print(json.load(open("answer.json"))["id"])\')\n'
                "kubectl tts job status $ID --watch\n",
                "the response has the id, and a reader waits for the end",
            ),
            Instead("audio/jobs/ID\n", "audio/jobs/$ID\n", "the id"),
            Instead(
                "curl -L http://localhost:7860/v1/audio/jobs/ID/audio",
                "curl -fL --cacert ca.crt http://localhost:7860/v1/audio/jobs/$ID/audio",
                "the id, and the authority of the bucket",
            ),
            Instead(
                "/var/lib/tts-server .venv/bin", "jobs TTS_PORT=7870 $TOOLS", "a folder and a port of the test's own"
            ),
        ),
        shows=(
            Shows("condition=JobsReady", "condition met.*jobs-worker"),
            Shows("kubectl tts job submit book.txt", "submitted"),
            Shows("Idempotency-Key: book-1", '"status": ?"completed"'),
            Shows("TTS_JOBS_STORAGE=", "ready", "by Ctrl-C"),
        ),
    ),
    "autoscaling": Reading(
        instead=(CURL,),
        shows=(
            Shows("kubectl get hpa autoscaling\n", "condition met"),
            Shows("kubectl run load", r" 2 +10 +([3-9]|10) ", "by Ctrl-C"),
            Shows("kubectl describe hpa autoscaling", "AutoscalingReady"),
        ),
    ),
    "own-voice": Reading(
        left_out=(
            LeftOut("pip --isolated download", "the wheels are only on the pages of ModelScope and PyTorch"),
            LeftOut("docker build -f Dockerfile.modelscope", f"{NO_DOCKER}, nor are the wheels"),
            LeftOut("kubectl apply -f modelscope.yaml", "without the wheels there is no image"),
            LeftOut("voice=zhiyan_emo", "without the wheels there is no image"),
        ),
    ),
    "gitops": Reading(
        before="kubectl create namespace argocd\nkubectl -n argocd create configmap argocd-cm\n",
        shows=(Shows("patch configmap argocd-cm", "configmap/argocd-cm patched"),),
    ),
    "monitoring": Reading(
        before="kubectl apply --server-side -f $MONITORING_CRDS\n",
        instead=(
            Instead(
                "kubectl get prometheus -A "
                "-o jsonpath='{.items[*].spec.podMonitorSelector} {.items[*].spec.ruleSelector}'\n",
                "",
                "only two of the Prometheus operator's kinds are there, not itself",
            ),
            Instead("describe tts NAME", "describe tts monitoring", "the name"),
        ),
        shows=(
            Shows("kubectl get podmonitor,prometheusrule", "podmonitor.*/monitoring.*prometheusrule.*/monitoring"),
            Shows("-l grafana_dashboard", "dashboard-fleet.*dashboard-service"),
            Shows("configmap/monitoring-dashboard", "condition met"),
        ),
    ),
    "air-gap": Reading(
        operator=False,
        instead=(
            CLONE,
            Instead(
                "docker build -f Dockerfile.operator -t tts-operator:v1 .\n"
                "docker build -f Dockerfile.server -t tts-server:v1 .\n"
                "docker save tts-operator:v1 tts-server:v1 | gzip > images.tar.gz\n",
                "touch images.tar.gz\n",
                f"{NO_DOCKER}; the images are in the nodes already",
            ),
            Instead("docker load -i images.tar.gz\n", "", NO_DOCKER),
            Instead("  docker tag $image:v1 registry.internal/speech/$image:v1\n", "  true\n", NO_DOCKER),
            Instead("  docker push registry.internal/speech/$image:v1\n", "", NO_DOCKER),
            Instead(
                "registry.internal/speech/tts-operator,image.tag=v1",
                "$OPERATOR_IMAGE,image.tag=$OPERATOR_TAG",
                "our images",
            ),
            Instead(
                "registry.internal/speech/tts-server,serverImage.tag=v1",
                "$SERVER_IMAGE,serverImage.tag=$SERVER_TAG",
                "our images",
            ),
        ),
        left_out=(
            LeftOut("--build-arg PYTHON_IMAGE=", NO_DOCKER),
            LeftOut("ctr -n k8s.io images import", "this is how devcluster itself gives images to its nodes"),
            LeftOut("docker run --rm", f"{NO_DOCKER}, nor is ModelScope"),
        ),
        shows=(
            Shows("sha256sum -c SHA256SUMS", "images.tar.gz: OK.*chart.tar.gz: OK"),
            Shows("helm install tts-operator", "successfully rolled out.*condition met"),
            Shows("-f no-egress.yaml", "condition met"),
        ),
    ),
    "tenants": Reading(
        instead=(
            Instead(
                "  replicas: 3\n",
                "  replicas: 3\n  resources: {requests: {cpu: 100m, memory: 512Mi}}\n",
                "two cores for all pods",
            ),
        ),
        shows=(
            Shows("apply -f tenant.yaml", "condition met.*condition met.*bank +narrator +True.*books +narrator +True"),
            Shows("--as-group=team-books", r"speech\.bank\.example\.com", "badly"),
        ),
    ),
}
READINGS = {
    "README.md": README,
    "docs/quickstart.md": QUICKSTART,
    **{f"docs/tutorials/{name}.md": reading for name, reading in TUTORIALS.items()},
}
