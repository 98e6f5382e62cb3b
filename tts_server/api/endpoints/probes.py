"""Probes and metrics."""

from flask import Blueprint, Response, jsonify, request
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST

from tts_server.api.context import context
from tts_server.process.lifecycle import State

blueprint = Blueprint("probes", __name__)


@blueprint.get("/health")
def health() -> Response:
    """Return 200 while the process is alive, whether or not the model is loaded."""
    return jsonify({"status": "ok"})


@blueprint.get("/ready")
def ready() -> Response:
    """Return 200 while the server should receive traffic: from the end of the warm-up to the drain.

    Not while its backend cannot speak, if it has one. Then the response also says why.
    """
    lifecycle = context().lifecycle
    state, problem = lifecycle.state, lifecycle.backend_problem
    response = jsonify({"status": state.value, **({"message": problem} if problem else {})})
    response.status_code = 200 if state is State.READY else 503
    return response


@blueprint.get("/metrics")
def metrics() -> Response:
    """Return the metrics in Prometheus' text format, or with exemplars in OpenMetrics' where there can be some."""
    ctx = context()
    if ctx.tracing and "application/openmetrics-text" in request.headers.get("Accept", ""):
        return Response(ctx.metrics.render_openmetrics(), content_type=CONTENT_TYPE_LATEST)
    return Response(ctx.metrics.render(), content_type="text/plain; version=1.0.0; charset=utf-8")
