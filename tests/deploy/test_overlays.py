"""Every overlay for Kubernetes, as kustomize renders it, against the code and the API's schemas."""

import json
import re
import subprocess
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest
import yaml
from prometheus_client import CollectorRegistry
from tests.deploy.conftest import OPTIONS, OVERLAYS
from tests.deploy.manifests import (
    LONG_RUNNING,
    ROOT,
    Document,
    Overlay,
    Workload,
    check_command,
    is_our_image,
    known_variables,
    service_of,
)

from tidegate_common.events.topics import TOPICS
from tidegate_common.runtime.health import Health

# The three newest that kubernetes-validate knows.
API_VERSIONS = ("1.35", "1.36", "1.37")
# Operators bring their own kinds, and no schema for them comes with the API's.
OPERATORS = (
    "kafka.strimzi.io/",
    "postgresql.cnpg.io/",
    "barmancloud.cnpg.io/",
    "monitoring.coreos.com/",
)
USER_ID_MIN = 10_000
# A cluster's network of pods is this large at the most: whoever is in it is believed.
NETWORK_OF_PODS_BITS = 12
TOPIC = re.compile(r"\b[a-z]+\.[a-z]+\.v[0-9]+\b")
METRIC = re.compile(r"\btidegate_[a-z_]+\b")
SERIES_OF_A_HISTOGRAM = re.compile(r"_(?:bucket|count|sum)$")
SECRET_LABELS = {"tidegate-postgres-app": "postgres", "tidegate-redis": "redis"}


def our_containers(overlay: Overlay) -> list[tuple[Workload, Document]]:
    """Return every container of our image, with what it belongs to."""
    found = [
        (workload, container)
        for workload in overlay.workloads()
        for container in workload.containers
        if is_our_image(container["image"])
    ]
    assert found
    return found


@pytest.mark.parametrize("version", API_VERSIONS)
def test_overlay_is_valid_for_each_api_version(
    version: str, tools: Path, overlays: tuple[Overlay, ...]
) -> None:
    """A field that the API does not know would be dropped without a word."""
    files = [str(overlay.path) for overlay in overlays]

    done = subprocess.run(
        [tools / "kubernetes-validate", "--strict", "-k", version, *files],
        capture_output=True,
        text=True,
        check=False,
    )

    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    unknown = [line for line in said.splitlines() if "Couldn't find schema" in line]
    assert all(any(f" {operator}" in line for operator in OPERATORS) for line in unknown), unknown
    assert said.count("INFO") >= 2


def test_checkov_finds_nothing_that_is_not_explained(
    tools: Path, overlays: tuple[Overlay, ...]
) -> None:
    """deploy/verify/checkov.yaml names each check that is left out, and why."""
    files = [f"--file={overlay.path}" for overlay in overlays]
    config = ROOT / "deploy/verify/checkov.yaml"

    done = subprocess.run(
        [
            *(tools / "checkov", f"--config-file={config}", "--output=json"),
            *(*files, f"--file={ROOT / 'deploy/docker/service.Dockerfile'}"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )

    reports = json.loads(done.stdout)
    failed = [
        f"{each['check_id']} {each['check_name']}: {each['resource']}"
        for report in reports
        for each in report["results"]["failed_checks"]
    ]
    assert failed == []
    assert {report["check_type"] for report in reports} == {"kubernetes", "dockerfile"}
    assert all(report["summary"]["parsing_errors"] == 0 for report in reports)


def test_containers_are_hardened_and_limited(overlays: tuple[Overlay, ...]) -> None:
    """Not root, no writes to the image, no privileges, and an end to what one may use."""
    for overlay in overlays:
        for workload in overlay.workloads():
            pod = workload.pod
            assert pod["automountServiceAccountToken"] is False
            # A variable for each Service would be read as a setting by some images.
            assert pod["enableServiceLinks"] is False
            assert pod["securityContext"]["runAsNonRoot"] is True
            assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
            for container in workload.containers:
                security = container["securityContext"]
                assert security["readOnlyRootFilesystem"] is True, workload.name
                assert security["allowPrivilegeEscalation"] is False
                assert security["capabilities"] == {"drop": ["ALL"]}
                for part in ("requests", "limits"):
                    given = set(container["resources"][part])
                    assert given == {"cpu", "memory", "ephemeral-storage"}, workload.name


def test_services_have_a_high_user_id_and_an_account_of_their_own(
    overlays: tuple[Overlay, ...],
) -> None:
    """Checkov's own check is left out for the servers of others."""
    for overlay in overlays:
        accounts = {each["metadata"]["name"] for each in overlay.of_kind("ServiceAccount")}
        for workload in overlay.workloads():
            if workload.is_ours:
                assert workload.pod["securityContext"]["runAsUser"] >= USER_ID_MIN
                assert workload.pod["serviceAccountName"] == workload.name
                assert workload.name in accounts


async def test_probes_ask_for_what_services_answer(overlays: tuple[Overlay, ...]) -> None:
    """A probe of a path that is not there kills a service that is well."""
    health = Health(CollectorRegistry())
    health.is_ready = True
    await health.start("127.0.0.1", 0)
    paths = set()
    for overlay in overlays:
        for workload in overlay.workloads():
            for container in workload.pod["containers"] if is_serving(workload) else ():
                assert {"startupProbe", "livenessProbe", "readinessProbe"} <= set(container)
                if is_our_image(container["image"]):
                    assert container["livenessProbe"]["httpGet"]["path"] == "/livez"
                    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
                    probes = (value for name, value in container.items() if name.endswith("Probe"))
                    gets = [probe["httpGet"] for probe in probes]
                    assert {get["port"] for get in gets} == {"metrics"}
                    paths |= {get["path"] for get in gets}

    async with aiohttp.ClientSession() as client:
        answers = {}
        for path in paths:
            async with client.get(f"http://127.0.0.1:{health.port}{path}") as answer:
                answers[path] = answer.status
    await health.close()

    assert answers == {"/livez": 200, "/readyz": 200}


def is_serving(workload: Workload) -> bool:
    """Tell whether a workload answers: all but what runs once."""
    return workload.kind in LONG_RUNNING or workload.name == "ingest"


def test_ports_are_those_that_the_settings_open(overlays: tuple[Overlay, ...]) -> None:
    """A Service or a policy for a port that nobody listens on is a door painted on a wall."""
    for overlay in overlays:
        ports: dict[str, dict[str, int]] = {}
        for workload in overlay.workloads():
            container = workload.pod["containers"][0]
            named = {each["name"]: each["containerPort"] for each in container.get("ports", ())}
            ports[workload.name] = named
            if workload.is_ours and named:
                environment = overlay.environment(container)
                expected = {"metrics": environment["TIDEGATE_HTTP_PORT"]}
                if workload.name == "gateway":
                    expected["http"] = environment["TIDEGATE_GATEWAY_API_PORT"]
                assert {name: str(port) for name, port in named.items()} == expected
        for service in overlay.of_kind("Service"):
            target = ports[service["spec"]["selector"]["app.kubernetes.io/name"]]
            assert {each["targetPort"] for each in service["spec"]["ports"]} <= set(target)
        every_name = {name for named in ports.values() for name in named}
        for policy in overlay.of_kind("NetworkPolicy"):
            for rule in policy["spec"].get("ingress", ()):
                for port in rule.get("ports", ()):
                    assert port["port"] in every_name or isinstance(port["port"], int)


def test_variables_are_settings_of_who_is_given_them(overlays: tuple[Overlay, ...]) -> None:
    """A misspelt variable is a default that nobody wanted; what all are told, somebody reads."""
    for overlay in overlays:
        shared = overlay.named("ConfigMap", "tidegate-settings")["data"]
        assert set(shared) <= known_variables(None)
        for workload, container in our_containers(overlay):
            own = {each["name"] for each in container.get("env", ())}
            ours = {name for name in own if name.startswith("TIDEGATE_")}
            assert ours <= known_variables(service_of(container["args"])), workload.name


def test_commands_exist_with_their_options(overlays: tuple[Overlay, ...]) -> None:
    """What a container is told to run is a module or a command of this version."""
    for overlay in overlays:
        for _, container in our_containers(overlay):
            check_command(container["args"])


def test_replicas_are_the_partitions(overlays: tuple[Overlay, ...]) -> None:
    """A shard without its exchange stops the run; a signals pod without a shard idles."""
    for overlay in overlays:
        settings = overlay.named("ConfigMap", "tidegate-settings")["data"]
        shards = int(settings["TIDEGATE_SHARD_COUNT"])
        partitions = int(settings["TIDEGATE_RISK_PARTITION_COUNT"])
        assert overlay.named("StatefulSet", "execution")["spec"]["replicas"] == shards
        assert overlay.named("StatefulSet", "risk")["spec"]["replicas"] == partitions
        for name in ("recommendations", "backtests"):
            assert overlay.named("Deployment", name)["spec"]["replicas"] == 1
        assert overlay.named("StatefulSet", "recorder")["spec"]["replicas"] == 1
        scaled = {
            each["metadata"]["name"]: each["spec"]
            for each in overlay.of_kind("HorizontalPodAutoscaler")
        }
        for name, spec in scaled.items():
            assert "replicas" not in overlay.named("Deployment", name)["spec"]
            assert spec["maxReplicas"] == (shards if name == "signals" else 8)
            assert spec["minReplicas"] <= spec["maxReplicas"]
        if not scaled:
            assert overlay.named("Deployment", "signals")["spec"]["replicas"] <= shards


def test_stages_take_their_number_from_their_pod(overlays: tuple[Overlay, ...]) -> None:
    """Two pods with one number would leave another partition alone (ADR 3)."""
    numbers = {"execution": "TIDEGATE_EXECUTION_SHARD", "risk": "TIDEGATE_RISK_PARTITION"}
    for overlay in overlays:
        for name, variable in numbers.items():
            (container,) = overlay.named("StatefulSet", name)["spec"]["template"]["spec"][
                "containers"
            ]
            sources = {each["name"]: each.get("valueFrom") for each in container["env"]}
            path = "metadata.labels['apps.kubernetes.io/pod-index']"
            assert sources[variable] == {"fieldRef": {"fieldPath": path}}


def test_a_live_feed_has_one_pod(overlays: tuple[Overlay, ...]) -> None:
    """Two would say different things of one beat (ADR 17)."""
    live = [
        workload
        for overlay in overlays
        for workload, container in our_containers(overlay)
        if any(argument.startswith("--live") for argument in container["args"])
    ]

    assert [(workload.kind, workload.document["spec"]["replicas"]) for workload in live] == [
        ("StatefulSet", 1)
    ]


def test_services_are_spread_and_may_be_drained(overlays: tuple[Overlay, ...]) -> None:
    """A node that goes takes no more of a service than it must, and may go."""
    for overlay in overlays:
        budgets = {
            each["metadata"]["name"]: each["spec"]
            for each in overlay.of_kind("PodDisruptionBudget")
        }
        for workload in overlay.workloads():
            if not (workload.is_ours and workload.kind in LONG_RUNNING):
                continue
            labels = {"app.kubernetes.io/name": workload.name}
            assert labels.items() <= workload.pod_labels.items()
            assert budgets[workload.name]["selector"]["matchLabels"] == labels
            assert budgets[workload.name]["maxUnavailable"] == 1
            spread = workload.pod["topologySpreadConstraints"]
            assert [each["topologyKey"] for each in spread] == [
                *("kubernetes.io/hostname", "topology.kubernetes.io/zone")
            ]
            assert all(each["labelSelector"]["matchLabels"] == labels for each in spread)


def test_nothing_may_talk_but_what_is_named(overlays: tuple[Overlay, ...]) -> None:
    """First deny all; then whoever has a server's secret may reach that server."""
    for overlay in overlays:
        policies = {
            each["metadata"]["name"]: each["spec"] for each in overlay.of_kind("NetworkPolicy")
        }
        assert policies["deny-all"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
        for workload, container in our_containers(overlay):
            environment = overlay.environment(container)
            reached = {
                label.removeprefix("tidegate/reaches-")
                for label in workload.pod_labels
                if label.startswith("tidegate/reaches-")
            }
            secrets = {
                volume["secret"]["secretName"]
                for volume in workload.pod["volumes"]
                if "secret" in volume
            }
            assert {SECRET_LABELS[name] for name in secrets} == reached - {"kafka", "quotes"}
            for server in reached:
                selector = {"matchLabels": {f"tidegate/reaches-{server}": "true"}}
                assert policies[f"allow-{server}"]["podSelector"] == selector
            servers = {name for name in ("postgres", "redis") if name in reached}
            named = {f"TIDEGATE_{server.upper()}__URL_FILE" for server in servers}
            if container in workload.pod["containers"]:
                assert named <= set(environment)


def test_ingress_leads_to_the_gateway_alone_and_by_tls(overlays: tuple[Overlay, ...]) -> None:
    """Off by default; its controller alone reaches the gateway, and may say for whom it asks."""
    (overlay,) = (overlay for overlay in overlays if overlay.of_kind("Ingress"))
    ingress = overlay.named("Ingress", "gateway")["spec"]
    gateway = Workload("Deployment", "gateway", overlay.named("Deployment", "gateway"))
    service = overlay.named("Service", "gateway")["spec"]
    (policy,) = overlay.named("NetworkPolicy", "allow-gateway")["spec"]["ingress"]

    (rule,), (tls,) = ingress["rules"], ingress["tls"]
    (path,) = rule["http"]["paths"]
    environment = overlay.environment(gateway.containers[0])

    assert overlay.name == "options"
    assert tls["hosts"] == [rule["host"]]
    assert tls["secretName"]
    assert path == {
        "path": "/",
        "pathType": "Prefix",
        "backend": {"service": {"name": "gateway", "port": {"name": "http"}}},
    }
    assert "http" in {each["name"] for each in service["ports"]}
    assert policy["ports"] == [{"port": "http", "protocol": "TCP"}]
    (peer,) = policy["from"]
    assert set(peer) == {"namespaceSelector"}
    network = ip_network(environment["TIDEGATE_GATEWAY_TRUSTED_PROXIES"])
    assert network.is_private
    assert network.prefixlen >= NETWORK_OF_PODS_BITS


def test_components_are_each_in_an_overlay_that_is_checked() -> None:
    """One that nobody renders may be wrong for ever."""
    folder = ROOT / "deploy/k8s"
    named = set(OPTIONS)
    for name in OVERLAYS:
        said = yaml.safe_load((folder / "overlays" / name / "kustomization.yaml").read_text())
        named |= {Path(each).name for each in said["components"]}

    assert named == {path.name for path in (folder / "components").iterdir()}


def test_production_holds_no_password(overlays: tuple[Overlay, ...]) -> None:
    """Secrets are named, and made by who knows them; the cache's address has none in it."""
    (production,) = (overlay for overlay in overlays if overlay.name == "prod")

    secrets = {each["metadata"]["name"]: each for each in production.of_kind("Secret")}

    assert set(secrets) == {"tidegate-redis"}
    assert set(secrets["tidegate-redis"]["data"]) == {"url"}


def test_topics_and_metrics_that_are_named_exist(overlays: tuple[Overlay, ...]) -> None:
    """Rules, autoscalers and policies of an older version would ask for what is gone."""
    topics = {topic.name for topic in TOPICS}
    for overlay in overlays:
        assert set(TOPIC.findall(overlay.path.read_text())) <= topics
        rules = [
            rule
            for each in overlay.of_kind("PrometheusRule")
            for group in each["spec"]["groups"]
            for rule in group["rules"]
        ]
        known = declared_metrics() | {rule["record"] for rule in rules if "record" in rule}
        named = {name for rule in rules for name in METRIC.findall(rule["expr"])}
        assert {SERIES_OF_A_HISTOGRAM.sub("", name) for name in named} <= known


def declared_metrics() -> set[str]:
    """Return the names of the metrics that the code registers."""
    text = (ROOT / "deploy/telemetry/metrics.yaml").read_text()
    return {each["name"] for each in yaml.safe_load(text)["metrics"]}


def test_autoscalers_ask_for_what_the_adapter_offers(overlays: tuple[Overlay, ...]) -> None:
    """An external metric that nobody answers leaves the replicas as they are, without a word."""
    folder = ROOT / "deploy/k8s/components/autoscaling"
    values = yaml.safe_load((folder / "prometheus-adapter.values.yaml").read_text())
    (rule,) = values["rules"]["external"]
    offered, _, filters = rule["seriesQuery"].partition("{")
    asked = [
        metric["external"]["metric"]
        for overlay in overlays
        for each in overlay.of_kind("HorizontalPodAutoscaler")
        for metric in each["spec"]["metrics"]
        if metric["type"] == "External"
    ]

    assert asked == [{"name": offered, "selector": {"matchLabels": {"stage": "signals"}}}]
    assert offered in declared_metrics()
    assert 'stage!=""' in filters
    assert rule["resources"]["overrides"] == {"namespace": {"resource": "namespace"}}


def test_traces_have_an_address_and_a_way_to_it(overlays: tuple[Overlay, ...]) -> None:
    """The collector is in another namespace, where a policy has to let them."""
    (production,) = (overlay for overlay in overlays if overlay.name == "prod")
    settings = production.named("ConfigMap", "tidegate-settings")["data"]
    address = urlsplit(settings["OTEL_EXPORTER_OTLP_ENDPOINT"])

    (rule,) = production.named("NetworkPolicy", "allow-traces")["spec"]["egress"]

    assert rule["ports"] == [{"port": address.port, "protocol": "TCP"}]
    (peer,) = rule["to"]
    namespace = peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
    assert address.hostname == f"otel-collector.{namespace}"


def test_gateway_reads_a_replica_and_the_archive_that_the_recorder_writes(
    overlays: tuple[Overlay, ...],
) -> None:
    """The replica's address has no password in it, so the gateway is given one beside it."""
    (production,) = (overlay for overlay in overlays if overlay.name == "prod")
    cluster = production.named("Cluster", "tidegate-postgres")
    writer = production.named("StatefulSet", "recorder")["spec"]
    reader = Workload("Deployment", "gateway", production.named("Deployment", "gateway"))
    (container,) = reader.containers
    environment = production.environment(container)

    address = urlsplit(environment["TIDEGATE_POSTGRES__READ_URL"])
    secret = next(each["secret"] for each in reader.pod["volumes"] if each["name"] == "postgres")
    files = {item["path"] for item in secret["items"]}

    assert cluster["spec"]["instances"] > 1
    assert address.hostname == f"{cluster['metadata']['name']}-ro"
    assert address.path == f"/{cluster['spec']['bootstrap']['initdb']['database']}"
    assert environment["TIDEGATE_POSTGRES__USER"] == cluster["spec"]["bootstrap"]["initdb"]["owner"]
    assert Path(environment["TIDEGATE_POSTGRES__PASSWORD_FILE"]).name in files
    assert "volumeClaimTemplates" not in writer
    claims = {
        name: volume["persistentVolumeClaim"]
        for name, pod in (("writer", writer["template"]["spec"]), ("reader", reader.pod))
        for volume in pod["volumes"]
        if volume["name"] == "archive"
    }
    assert claims == {
        "writer": {"claimName": "archive"},
        "reader": {"claimName": "archive", "readOnly": True},
    }
    claim = production.named("PersistentVolumeClaim", "archive")
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    mounts = {each["name"]: each["mountPath"] for each in container["volumeMounts"]}
    assert environment["TIDEGATE_GATEWAY_ARCHIVE_DIR"] == mounts["archive"]


def test_tables_are_backed_up_where_they_are_kept(overlays: tuple[Overlay, ...]) -> None:
    """The store, the cluster that fills it and the schedule name each other."""
    (production,) = (overlay for overlay in overlays if overlay.name == "prod")
    (store,) = production.of_kind("ObjectStore")
    cluster = production.named("Cluster", "tidegate-postgres")

    (plugin,) = cluster["spec"]["plugins"]
    (schedule,) = production.of_kind("ScheduledBackup")

    assert plugin["isWALArchiver"] is True
    assert plugin["parameters"]["barmanObjectName"] == store["metadata"]["name"]
    assert schedule["spec"]["cluster"]["name"] == cluster["metadata"]["name"]
    assert schedule["spec"]["method"] == "plugin"
    assert schedule["spec"]["pluginConfiguration"]["name"] == plugin["name"]
    assert len(schedule["spec"]["schedule"].split()) == 6


def test_every_service_is_found_by_prometheus(overlays: tuple[Overlay, ...]) -> None:
    """A ServiceMonitor finds Services by their label, and their port by its name."""
    for overlay in overlays:
        found = {
            each["spec"]["selector"]["app.kubernetes.io/name"]
            for each in overlay.of_kind("Service")
            if each["metadata"]["labels"].get("app.kubernetes.io/part-of") == "tidegate"
            and any(port["name"] == "metrics" for port in each["spec"]["ports"])
        }
        wanted = {each.name for each in overlay.workloads() if each.is_ours and is_serving(each)}
        assert found == wanted
        for monitor in overlay.of_kind("ServiceMonitor"):
            selector = {"matchLabels": {"app.kubernetes.io/part-of": "tidegate"}}
            assert monitor["spec"]["selector"] == selector
            assert [each["port"] for each in monitor["spec"]["endpoints"]] == ["metrics"]
