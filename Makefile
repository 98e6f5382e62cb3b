# Every target installs what it lacks. CLUSTER=devcluster (default) | kind | existing chooses where demo and tests run.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
PY := .venv/bin/python
STAMP := .venv/.synced
PYTEST_ARGS ?=
# Where it is set, each server and each command that a test starts would compile all its modules again.
unexport PYTHONDONTWRITEBYTECODE
RUN := PYTHONPATH=operator:. $(PY)

.PHONY: $(shell sed -n 's/^\([a-z][a-z0-9-]*\):.*/\1/p' $(MAKEFILE_LIST))

help: ## show the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-18s %s\n", $$1, $$2}'

demo: $(STAMP) ## a cluster of three zones, the operator, a TTSService, and speech from it
	@$(RUN) -m devcluster.demo

test: lint test-unit test-integration test-e2e ## everything that CI runs; PYTEST_ARGS="-k ..." runs a part

lint: $(STAMP) docs ## ruff, mypy --strict, import contracts, conventions of the API, the chart, and the documentation's site
	.venv/bin/ruff format --check
	.venv/bin/ruff check
	.venv/bin/mypy
	@PYTHONPATH=operator:. .venv/bin/lint-imports --no-logo 2>/dev/null || PYTHONPATH=operator:. .venv/bin/lint-imports
	$(RUN) -m tts_operator.api.generate.lint
	@$(RUN) -m release.chart_lint

test-unit: $(STAMP) ## pure functions, no I/O
	$(PY) -m pytest tests/unit -n auto $(PYTEST_ARGS)

test-random: $(STAMP) ## rollouts to which anything may happen: 50,000 steps, four minutes; SEED=N repeats a failure
	STEPS=$${STEPS:-50000} $(PY) -m pytest tests/unit/operator/reconcile/rollout/test_rollout_at_random.py -x $(PYTEST_ARGS)

test-integration: $(STAMP) ## the operator against a real API server; the server, workers, Kafka, and S3 as real processes
ifeq ($(PYTEST_ARGS),)
	@$(MAKE) --no-print-directory --jobs=2 --keep-going test-integration-operator test-integration-server
else
	$(PY) -m pytest tests/integration --ignore=tests/integration/jobs/test_on_a_cluster.py $(PYTEST_ARGS)
endif

# Each half waits for half of its time, so both run at once. Each line says which one it is from.
PYTEST_HALF = @set -o pipefail; PYTHONUNBUFFERED=1 $(PY) -m pytest tests/integration \
	  $(1:%=--ignore=tests/integration/%) 2>&1 | sed -u 's/^/$(@:test-integration-%=%): /'
test-integration-operator: $(STAMP)
	$(call PYTEST_HALF,jobs server)
test-integration-server: $(STAMP)
	$(call PYTEST_HALF,devcluster operator release speech webui jobs/test_on_a_cluster.py)

test-jobs: $(STAMP) ## long texts with a real Kafka broker and a real S3 server, also those of a cluster
	$(PY) -m pytest tests/integration/jobs $(PYTEST_ARGS)

test-e2e: $(STAMP) ## real pods in three zones, real speech
	$(PY) -m pytest tests/e2e --ignore=tests/e2e/test_keda.py --ignore=tests/e2e/test_real_backends.py $(PYTEST_ARGS)

test-keda: $(STAMP) ## workers from zero and back by a real KEDA, which takes ten minutes to compile; JSON in build/bench/
	$(PY) -m pytest tests/e2e/test_keda.py $(PYTEST_ARGS)

test-backends: $(STAMP) build/backends/kokoro/.synced build/backends/triton/.synced ## the server in front of others: fastkokoro with Kokoro's weights, and a real Triton, which fails in all ways; on the CPU
	$(PY) -m pytest tests/backends tests/e2e/test_real_backends.py $(PYTEST_ARGS)

test-docs: $(STAMP) ## what README, quick start, and tutorials tell users to type, on real nodes; JSON in build/bench/; half an hour
	$(PY) -m pytest tests/docs $(PYTEST_ARGS)

test-release: $(STAMP) ## a release, whole: built, pushed, pulled, installed; compiles a registry, krew, kind, and OLM's validator
	$(PY) -m pytest tests/release $(PYTEST_ARGS)

test-tracing: $(STAMP) ## traces of the operator and the server in a real OpenTelemetry Collector, which takes a minute to compile
	$(PY) -m pytest tests/interop/test_otelcol.py $(PYTEST_ARGS)

test-gitops: $(STAMP) ## TTSServices in Git, through Flux' controllers, which take four minutes to compile
	$(PY) -m pytest tests/interop/test_flux.py $(PYTEST_ARGS)

bench-fencing: $(STAMP) ## the CPU cost of probing nodes; table, and JSON in build/bench/
	@$(RUN) -m bench.fencing $(BENCH_ARGS)

bench-outage: $(STAMP) ## six zones cut off under load, one after the other; table, JSON in build/bench/; 15 minutes
	OUTAGES=$${OUTAGES:-6} $(PY) -m pytest tests/e2e/test_outage.py $(PYTEST_ARGS)

chaos-jobs: $(STAMP) ## 30 long texts while workers, the broker, the bucket, a zone and the operator fail; half an hour
	JOBS=$${JOBS:-30} $(PY) -m pytest tests/e2e/test_jobs.py $(PYTEST_ARGS)

soak-fencing: $(STAMP) ## half an hour of CPU starvation and restarts, in which no pod may be fenced
	SOAK=$${SOAK:-1800} $(PY) -m pytest tests/e2e/test_fencing.py $(PYTEST_ARGS)

cluster-up: $(STAMP) ## the local cluster: three nodes in three zones
	@$(RUN) -m devcluster up

cluster-down: $(STAMP) ## remove the local cluster and all it made
	@$(RUN) -m devcluster down

install: $(STAMP) ## build both images and install the operator; CLUSTER=existing REGISTRY=registry.example.com/path pushes them
	@$(RUN) -m devcluster.product install

images: $(STAMP) ## build both images
	@$(RUN) -m devcluster.product build

RELEASE := $(RUN) -m release $(if $(SNAPSHOT),--snapshot)
release: $(STAMP) ## dist/: images, chart, manifests, SBOMs, checksums; ARCHITECTURES=amd64,arm64, KEY=key.pem, SNAPSHOT=1
	@$(RELEASE) build $(if $(ARCHITECTURES),--architectures $(ARCHITECTURES)) $(if $(KEY),--key $(KEY))

push: $(STAMP) ## copy the images and the chart in dist/ to a registry: REGISTRY=registry.example.com
	@test -n "$(REGISTRY)" || { echo "Name the registry: make push REGISTRY=registry.example.com"; exit 1; }
	@$(RELEASE) push $(REGISTRY)

airgap: $(STAMP) ## put dist/ into one file, for a network without a registry
	@$(RELEASE) airgap

bench-operator: $(STAMP) ## the operator at scale, compared with the floor; table, JSON in build/bench/; 15 minutes
	@$(RUN) -m bench.operator $(BENCH_ARGS)

bench-server: $(STAMP) ## the model server, compared with its engine alone; table, JSON and plot in build/bench/; 15 minutes
	@$(RUN) -m bench.server $(BENCH_ARGS)

bench-jobs: $(STAMP) build/bench/recogniser/.synced ## long texts through Kafka and S3, compared with the engine alone; table, JSON and plot in build/bench/; an hour
	@$(RUN) -m bench.jobs $(BENCH_ARGS)

bench-readings: $(STAMP) build/bench/peers/.synced ## readings of polyphones and numbers, compared with other libraries; tables, and JSON in build/bench/
	@$(RUN) -m bench.readings

# Other programs, to compare with ours or to work with it, have environments of their own.
build/bench/peers/.synced: requirements/readings-peers.lock | $(STAMP)
build/bench/recogniser/.synced: requirements/recogniser.lock | $(STAMP)
build/backends/kokoro/.synced: requirements/kokoro.lock | $(STAMP)
build/backends/triton/.synced: requirements/tritonserver.lock | $(STAMP)
build/bench/peers/.synced build/bench/recogniser/.synced build/backends/kokoro/.synced build/backends/triton/.synced:
	@.venv/bin/uv venv --quiet --clear $(@D)
	@.venv/bin/uv pip sync --quiet --python $(@D)/bin/python --require-hashes $<
	@touch $@

bench-drift: $(STAMP) ## how quickly a deleted or edited child is repaired; table, and JSON in build/bench/
	@$(RUN) -m bench.drift $(BENCH_ARGS)

DOCS := build/docs-venv
WITHOUT_JIEBA := 2> >(grep -v -e jieba -e '^Building prefix dict' -e '^Prefix dict' -e '^Loading model cost' -e '^Dumping model' >&2)
docs docs-serve docs-publish: export NO_MKDOCS_2_WARNING = 1
docs: $(DOCS)/.synced ## the documentation as a site in build/site, in English and Chinese; fails at a dead link
	@mkdir -p build/docs
	@$(DOCS)/bin/mkdocs build --quiet $(WITHOUT_JIEBA)
	@echo "build/site/index.html"

docs-serve: $(DOCS)/.synced ## the same on http://localhost:8000/, built again at each change
	@mkdir -p build/docs
	@$(DOCS)/bin/mkdocs serve

ALIAS ?= latest
docs-publish: $(DOCS)/.synced ## commit the site of VERSION to the branch gh-pages, beside those of other versions; ALIAS= for an older one
	@test -n "$(VERSION)" || { echo "Say which version it is: make docs-publish VERSION=1.2"; exit 2; }
	@mkdir -p build/docs
	@PATH="$(CURDIR)/$(DOCS)/bin:$$PATH" mike --quiet deploy --update-aliases $(VERSION) $(ALIAS) $(WITHOUT_JIEBA)
	@PATH="$(CURDIR)/$(DOCS)/bin:$$PATH" mike --quiet set-default latest
	@echo "To publish it: git push REMOTE gh-pages"

$(DOCS)/.synced: requirements/docs.lock | $(STAMP)
	@.venv/bin/uv venv --quiet --clear $(DOCS)
	@.venv/bin/uv pip sync --quiet --python $(DOCS)/bin/python --require-hashes requirements/docs.lock
	@touch $@

generate: $(STAMP) ## crds/, docs/api*.md, docs/http-api*.md, the table of settings, dashboards, install.yaml, the chart's README.md, and parts of integrations/ from their sources
	$(RUN) -m tts_operator.api.generate.crd > crds/tts-operator.io_ttsservices.yaml
	$(RUN) -m tts_operator.api.generate.docs examples/busy.yaml > docs/api.md
	$(RUN) tests/unit/operator/regenerate_argocd.py
	$(RUN) -m tts_server.settings docs/server.md
	$(RUN) -m website.api docs
	$(RUN) -m website.http_api docs
	$(RUN) -m dashboards
	cp crds/tts-operator.io_ttsservices.yaml charts/tts-operator/files/ttsservices.yaml
	$(RUN) -m release.chart_readme charts/tts-operator > charts/tts-operator/README.md
	HELM=$$($(RUN) -m devcluster bin helm) charts/render install > install.yaml
	HELM=$$($(RUN) -m devcluster bin helm) charts/render operator > integrations/kustomize/base/operator.yaml

format: $(STAMP) ## let ruff format the code
	.venv/bin/ruff format
	.venv/bin/ruff check --fix

LOCK := .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-header pyproject.toml
lock: $(STAMP) ## requirements/*.lock from pyproject.toml; make lock UPGRADE=--upgrade takes the newest versions
	$(LOCK) $(UPGRADE) --extra operator --extra tracing -o requirements/operator.lock
	$(LOCK) $(UPGRADE) --extra server --extra triton --extra tracing -o requirements/server.lock
	$(LOCK:3.11=3.10) $(UPGRADE) --extra modelscope --extra triton -o requirements/modelscope.lock
	$(LOCK) $(UPGRADE) --extra cli --extra onnx --extra operator --extra server --extra triton --extra tracing --group dev -o requirements/dev.lock
	$(LOCK:pyproject.toml=) $(UPGRADE) --group go -o requirements/go.lock
	$(LOCK:pyproject.toml=) $(UPGRADE) --group docs -o requirements/docs.lock
	$(LOCK:pyproject.toml=) $(UPGRADE) --group readings-peers -o requirements/readings-peers.lock
	$(LOCK:pyproject.toml=) $(UPGRADE) --group recogniser -o requirements/recogniser.lock
	$(LOCK:pyproject.toml=) $(UPGRADE) --group kokoro -o requirements/kokoro.lock
	$(LOCK:pyproject.toml=) $(UPGRADE) --group tritonserver -o requirements/tritonserver.lock

INSTALL_VENV := { test $$(id -u) = 0 && apt-get update -qq && apt-get install -y -qq python3-venv && $(PYTHON) -m venv .venv; }
$(STAMP): requirements/dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed. Install it, or name one: make PYTHON=python3.12 ..."; exit 1; }
	@echo "Installing what the project needs into .venv ..."
	@$(PY) -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv .venv || $(INSTALL_VENV) \
	  || { echo "Python's venv module is missing: on Debian, apt-get install python3-venv"; exit 1; }
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r <(awk '/^[a-z]/{on=/^uv==/} on' requirements/dev.lock)
	@.venv/bin/uv pip sync --quiet --require-hashes requirements/dev.lock
	@.venv/bin/uv pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@
