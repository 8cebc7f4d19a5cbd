"""What containers in the cluster are told of files and servers, against what they are given."""

from pathlib import Path

from tests.deploy.manifests import Overlay, is_our_image

KAFKA = "/run/secrets/kafka/"


def test_paths_that_are_named_are_mounted(overlays: tuple[Overlay, ...]) -> None:
    """A secret that is looked for elsewhere ends the start; what is written elsewhere is lost."""
    count = 0
    for overlay in overlays:
        for workload in overlay.workloads():
            labels = workload.pod_labels
            # What only writes the run down at the start asks no server, whatever it is told of one.
            for container in workload.pod["containers"]:
                if not is_our_image(container["image"]):
                    continue
                mounts = {each["mountPath"]: each["name"] for each in container["volumeMounts"]}
                chosen = {
                    volume["name"]: {item["path"] for item in volume["secret"]["items"]}
                    for volume in workload.pod.get("volumes", ())
                    if "items" in volume.get("secret", {})
                }
                for text in overlay.environment(container).values():
                    path = Path(text)
                    # All are told where Kafka's secrets are, also who does not reach it.
                    is_ours = text.startswith(KAFKA) <= ("tidegate/reaches-kafka" in labels)
                    if not (path.is_absolute() and is_ours):
                        continue
                    count += 1
                    found = {str(each) for each in (path, *path.parents)} & set(mounts)
                    assert found, (overlay.name, workload.name, text)
                    (mount,) = found
                    # A secret of which nothing is chosen is there with all that it holds.
                    assert path.name in chosen.get(mounts[mount], {path.name}), workload.name

    assert count > 10


def test_ways_to_the_servers_are_open_at_their_ports(overlays: tuple[Overlay, ...]) -> None:
    """The servers of a cluster to throw away listen where ours, or a cloud's, would."""
    (dev,) = (overlay for overlay in overlays if overlay.name == "dev")
    for policy, server in (("kafka", "kafka"), ("postgres", "postgres"), ("redis", "valkey")):
        (rule,) = dev.named("NetworkPolicy", f"allow-{policy}")["spec"]["egress"]

        opened = {each["port"] for each in rule["ports"]}
        ports = {each["port"] for each in dev.named("Service", server)["spec"]["ports"]}

        assert ports & opened, server
