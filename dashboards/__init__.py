"""Grafana dashboards as code. `make generate` writes the JSON that the chart and the operator ship."""
