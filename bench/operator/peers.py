"""Results of KServe, for comparison. The benchmark does not measure them.

KServe's manager, built from source, in Standard mode, was measured on a machine of the same kind: 2 cores, the same
devcluster, pods on kwok nodes, raised rate limits of the controllers. There were 300 services, each with a Deployment
of one or two pods, a Service and an HPA.
"""

from __future__ import annotations

HEAD = "KServe, measured earlier"
KSERVE = {
    "300 at once: floor, available": "11.9 s",
    "300 at once: children exist": "47.3 s (second run 38.0)",
    "300 at once: Ready": "64.1 s (second run 55.3)",
    "300 at once: Ready / floor": "5.4 times",
    "300 at once: CPU": "8.9 s",
    "300 at once: CPU for each": "30 ms",
    "300 at once: peak memory": "112 MB",
    "300 at once: requests for each": "26",
    "one more while 300 converge: first child, max": "7.8 s",
    "1000: one more, first child p50": "0.13 s, among 300",
    "1000: one more, Ready p50": "0.52 s, among 300",
    "1000: drift: Deployment deleted, p50": "0.04 s, among 300",
    "1000: drift: Deployment edited, p50": "0.08 s, among 300",
    "1000: drift: Deployment edited, max": "0.15 s, among 300",
    "1000: drift: Service deleted, p50": "0.03 s, among 300",
    "1000: drift: Service edited, p50": "0.04 s, among 300",
    "1000: drift: HorizontalPodAutoscaler deleted, p50": "never healed",
    "1000: at rest, writes": "0",
    "1000: at rest, reads": "0",
    "1000: at rest, CPU": "0.07 %, with 300",
    "1000: restart, writes": "905, with 300",
    "1000: restart, reads": "1236, with 300",
}
