"""Run by test_testcontainers.py with Testcontainers and the docker-py that it wants on the path, and a daemon in DOCKER_HOST: what a test that uses
Testcontainers does. Ends with 0 when all of it was as it should be."""
import pathlib
import sys
import urllib.request

import docker
from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network
from testcontainers.core.wait_strategies import (ContainerStatusWaitStrategy, ExecWaitStrategy, HealthcheckWaitStrategy, HttpWaitStrategy,
                                                 LogMessageWaitStrategy, PortWaitStrategy)

image, folder = sys.argv[1], pathlib.Path(sys.argv[2])
server = ["sh", "-c", "echo $GREETING > /tmp/index.html; echo is ready; exec httpd -f -v -p 8080 -h /tmp"]


def serving(greeting):
    return DockerContainer(image).with_command(server).with_env("GREETING", greeting).with_exposed_ports(8080)


def fetched(container):
    address = f"http://{container.get_container_host_ip()}:{container.get_exposed_port(8080)}/index.html"
    return urllib.request.urlopen(address, timeout=10).read().decode().strip()


# Each of the ways to wait for a container.
for strategy in (LogMessageWaitStrategy("is ready"), HttpWaitStrategy(8080, "/index.html").for_status_code(200), PortWaitStrategy(8080),
                 ExecWaitStrategy(["test", "-e", "/tmp/index.html"]), ContainerStatusWaitStrategy()):
    with serving("hello").waiting_for(strategy.with_startup_timeout(20)) as container:
        if not isinstance(strategy, (ContainerStatusWaitStrategy, ExecWaitStrategy, LogMessageWaitStrategy)):
            assert fetched(container) == "hello", strategy
        assert container.exec(["sh", "-c", "echo $GREETING; echo err >&2; exit 3"]) == (3, b"hello\nerr\n")
        assert b"is ready" in container.get_logs()[0]
        identity = container.get_wrapped_container().id
    assert identity not in [one.id for one in docker.from_env().containers.list(all=True)], strategy

health = {"test": ["CMD", "test", "-e", "/tmp/index.html"], "interval": 200_000_000, "retries": 50}
with serving("healthy").with_kwargs(healthcheck=health).waiting_for(HealthcheckWaitStrategy().with_startup_timeout(20)) as container:
    container.reload()
    assert container.get_container_info().State.Health.Status == "healthy"

# One that ends before it is what is waited for, and one that never is.
for command in (["sh", "-c", "exit 4"], ["sleep", "100"]):
    try:
        DockerContainer(image).with_command(command).waiting_for(LogMessageWaitStrategy("never said").with_startup_timeout(2)).start()
    except (TimeoutError, RuntimeError):
        continue
    raise AssertionError(f"{command} was waited for in vain, and nobody said so")

# Names on a network, files in and out, a directory of the host's, a tmpfs.
(folder / "note").write_text("from the host")
with Network() as network:
    web = serving("by name").with_network(network).with_network_aliases("web", "other").waiting_for(LogMessageWaitStrategy("is ready"))
    asker = (DockerContainer(image).with_command("sleep 1000").with_network(network).with_volume_mapping(str(folder), "/host", "ro")
             .with_tmpfs_mount("/memory", "size=4m").with_copy_into_container(b"copied in", "/tmp/given"))
    with web, asker:
        for name in ("web", "other"):
            assert asker.exec(["wget", "-q", "-O", "-", f"http://{name}:8080/index.html"]) == (0, b"by name\n")
        assert asker.exec(["cat", "/host/note", "/tmp/given"]) == (0, b"from the hostcopied in")
        assert asker.exec(["sh", "-c", "echo no > /host/note"]).exit_code == 1
        assert b"size=4096k" in asker.exec(["grep", " /memory ", "/proc/mounts"]).output
        asker.exec(["sh", "-c", "echo made > /tmp/made"])
        asker.copy_from_container("/tmp/made", folder / "made")
        assert (folder / "made").read_text() == "made\n"
assert [one.name for one in docker.from_env().networks.list() if one.name == network.name] == []
