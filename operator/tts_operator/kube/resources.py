"""The resources that the operator uses, and their paths in the API."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Resource:
    """One namespaced or cluster-wide resource of the API, such as apps/v1 deployments."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True

    @property
    def crd(self) -> str:
        """Name of the resource's CustomResourceDefinition, if it has one."""
        return f"{self.plural}.{self.group}"

    @property
    def api_version(self) -> str:
        """The `apiVersion` in manifests."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """The path on the server; without a namespace, the one for all namespaces."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        parts = [root]
        if namespace is not None and self.namespaced:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        parts += [part for part in (name, subresource) if part is not None]
        return "/".join(parts)


TTSSERVICES = Resource(group="tts-operator.io", version="v1alpha1", kind="TTSService", plural="ttsservices")
SERVICE_ACCOUNTS = Resource(group="", version="v1", kind="ServiceAccount", plural="serviceaccounts")
SERVICES = Resource(group="", version="v1", kind="Service", plural="services")
PODS = Resource(group="", version="v1", kind="Pod", plural="pods")
NODES = Resource(group="", version="v1", kind="Node", plural="nodes", namespaced=False)
DEPLOYMENTS = Resource(group="apps", version="v1", kind="Deployment", plural="deployments")
POD_DISRUPTION_BUDGETS = Resource(
    group="policy", version="v1", kind="PodDisruptionBudget", plural="poddisruptionbudgets"
)
HORIZONTAL_POD_AUTOSCALERS = Resource(
    group="autoscaling", version="v2", kind="HorizontalPodAutoscaler", plural="horizontalpodautoscalers"
)
NETWORK_POLICIES = Resource(group="networking.k8s.io", version="v1", kind="NetworkPolicy", plural="networkpolicies")
INGRESSES = Resource(group="networking.k8s.io", version="v1", kind="Ingress", plural="ingresses")
PERSISTENT_VOLUME_CLAIMS = Resource(
    group="", version="v1", kind="PersistentVolumeClaim", plural="persistentvolumeclaims"
)
CONTROLLER_REVISIONS = Resource(group="apps", version="v1", kind="ControllerRevision", plural="controllerrevisions")
HTTP_ROUTES = Resource(group="gateway.networking.k8s.io", version="v1", kind="HTTPRoute", plural="httproutes")
CERTIFICATES = Resource(group="cert-manager.io", version="v1", kind="Certificate", plural="certificates")
POD_MONITORS = Resource(group="monitoring.coreos.com", version="v1", kind="PodMonitor", plural="podmonitors")
PROMETHEUS_RULES = Resource(
    group="monitoring.coreos.com", version="v1", kind="PrometheusRule", plural="prometheusrules"
)
SCALED_OBJECTS = Resource(group="keda.sh", version="v1alpha1", kind="ScaledObject", plural="scaledobjects")
CONFIG_MAPS = Resource(group="", version="v1", kind="ConfigMap", plural="configmaps")
EVENTS = Resource(group="events.k8s.io", version="v1", kind="Event", plural="events")
SECRETS = Resource(group="", version="v1", kind="Secret", plural="secrets")
LEASES = Resource(group="coordination.k8s.io", version="v1", kind="Lease", plural="leases")
CUSTOM_RESOURCE_DEFINITIONS = Resource(
    group="apiextensions.k8s.io",
    version="v1",
    kind="CustomResourceDefinition",
    plural="customresourcedefinitions",
    namespaced=False,
)

CHILDREN = (
    SERVICE_ACCOUNTS,
    CONTROLLER_REVISIONS,
    PERSISTENT_VOLUME_CLAIMS,
    SERVICES,
    POD_DISRUPTION_BUDGETS,
    DEPLOYMENTS,
    HORIZONTAL_POD_AUTOSCALERS,
    NETWORK_POLICIES,
    INGRESSES,
    CERTIFICATES,
    HTTP_ROUTES,
    POD_MONITORS,
    PROMETHEUS_RULES,
    SCALED_OBJECTS,
    CONFIG_MAPS,
)
"""The kinds that a TTSService may own."""

OPTIONAL: frozenset[Resource] = frozenset({HTTP_ROUTES, CERTIFICATES, POD_MONITORS, PROMETHEUS_RULES, SCALED_OBJECTS})
"""Child kinds that not every cluster serves. Their CRDs may be installed or removed at any time."""

DISPENSABLE: frozenset[Resource] = OPTIONAL | {
    PERSISTENT_VOLUME_CLAIMS,
    POD_DISRUPTION_BUDGETS,
    HORIZONTAL_POD_AUTOSCALERS,
    NETWORK_POLICIES,
    INGRESSES,
    CONFIG_MAPS,
}
"""Child kinds that can be disabled. The operator then needs no rights to them."""

WATCHED_UNLABELLED: frozenset[Resource] = frozenset({HORIZONTAL_POD_AUTOSCALERS})
"""Kinds that are watched without our label selector: the operator respects a user's own autoscaler."""

BY_KIND = {(resource.api_version, resource.kind): resource for resource in CHILDREN}
