"""Debian's docker-compose and Docker's library for Python (docker-py): networks as they make them, at berthd."""
import json
import shutil
import subprocess
import tempfile
import textwrap

import docker as docker_library
import pytest

from conftest import wait_for
from test_networks import DEBIAN, Apart

# Two services that find each other by names, in networks with addresses of their own, one at a port of the host's. What it leaves out does not exist here
# yet: builds, volumes and restart policies.
FILE = """
    version: "2.4"
    services:
      web:
        image: served:latest
        command: httpd -f -p 80 -h /www
        hostname: www-host
        networks:
          front: {aliases: [www, site], ipv4_address: 172.28.5.10, ipv6_address: "fd00:28::10"}
          back: {}
        ports: ["127.0.0.1:18431:80", "18432:81/udp"]
        extra_hosts: ["up:host-gateway"]
        dns_opt: ["ndots:1"]
      ask:
        image: served:latest
        command: sleep 100000
        depends_on: [web]
        networks:
          front: {}
        links: ["web:linked"]
      apart:
        image: served:latest
        command: sleep 100000
        networks: [back]
    networks:
      front:
        driver: bridge
        enable_ipv6: true
        driver_opts: {com.docker.network.bridge.name: br-front}
        ipam:
          driver: default
          config:
            - {subnet: 172.28.0.0/16, ip_range: 172.28.5.0/24, gateway: 172.28.0.9, aux_addresses: {router: 172.28.5.1}}
            - {subnet: "fd00:28::/64", gateway: "fd00:28::9"}
      back: {internal: true, labels: {side: back}}
"""


def command(daemon, *words, status=0, folder=None):
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(daemon.base), "DOCKER_HOST": f"unix://{daemon.socket}", "LC_ALL": "C.UTF-8"}
    done = subprocess.run([*map(str, words)], env=environment, cwd=folder, capture_output=True, text=True, timeout=120)
    assert status is None or done.returncode == status, f"{words} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def daemon(busybox_tar):
    daemon = Apart(tempfile.mkdtemp(prefix="berth-compose-")).start()
    command(daemon, DEBIAN, "import", busybox_tar, "plain:latest")
    command(daemon, DEBIAN, "run", "--name", "making", "plain:latest", "sh", "-c", "mkdir /www; echo served by web >/www/index.html")
    command(daemon, DEBIAN, "commit", "making", "served:latest")
    command(daemon, DEBIAN, "rm", "making")
    yield daemon
    daemon.stop()
    shutil.rmtree(daemon.base)


@pytest.fixture
def project(daemon):
    folder = daemon.base / "shop"
    folder.mkdir()
    (folder / "docker-compose.yml").write_text(textwrap.dedent(FILE))
    yield folder
    shutil.rmtree(folder)


def inside(daemon, *words):
    """Runs a command on the daemon's host, which has links of its own."""
    return subprocess.run(
        ["nsenter", f"--net=/proc/{daemon.process.pid}/ns/net", "--", *words], capture_output=True, text=True, timeout=30)


def seen(daemon):
    """What a project can leave: containers, networks, links, rules, sockets."""
    return (
        command(daemon, DEBIAN, "ps", "-aq"), command(daemon, DEBIAN, "network", "ls", "-q"),
        sorted(link["ifname"] for link in json.loads(inside(daemon, "ip", "-j", "link").stdout)),
        sorted(set(line.split("counter")[0] for line in inside(daemon, "nft", "list", "ruleset").stdout.splitlines())),
        inside(daemon, "ss", "-Hlntu").stdout)


def test_compose_brings_a_project_up_and_leaves_nothing_of_it(daemon, project):
    def compose(*words, **more):
        return command(daemon, "/usr/bin/docker-compose", "--ansi", "never", *words, folder=project, **more)

    def execute(service, script):
        return compose("exec", "-T", service, "sh", "-c", script).strip()

    # The firewall's table is made with the first network; what there is then is there before.
    command(daemon, DEBIAN, "network", "create", "standing")
    before = seen(daemon)
    compose("up", "-d")
    try:
        ids = dict(zip(("web", "ask", "apart"), (compose("ps", "-q", name).strip() for name in ("web", "ask", "apart"))))
        assert all(len(text) == 64 for text in ids.values()), ids
        # Names: the service's, its aliases, the container's and what it is linked as; of another network, nothing.
        for name in ("web", "www", "site", "linked", "shop_web_1", "www-host", ids["web"][:12]):
            assert execute("ask", f"wget -q -O - http://{name}/") == "served by web", name
        assert "172.28.5.10" in execute("ask", "nslookup -type=a www") and "fd00:28::10" in execute("ask", "nslookup -type=aaaa www").lower()
        assert execute("apart", "wget -q -O - http://web/") == "served by web"
        assert execute("apart", "nslookup ask >/dev/null 2>&1 && echo found || echo none") == "none"
        assert execute("apart", "nslookup www >/dev/null 2>&1 && echo found || echo none") == "none"
        gateway = json.loads(command(daemon, DEBIAN, "network", "inspect", "bridge"))[0]["IPAM"]["Config"][0]["Gateway"]
        assert execute("web", "grep up$ /etc/hosts").split() == [gateway, "up"]
        # Ports, by compose's words and by the host's.
        assert compose("port", "web", "80").strip() == "127.0.0.1:18431"
        assert compose("port", "--protocol", "udp", "web", "81").strip().endswith(":18432")
        served = inside(daemon, "curl", "-s", "http://127.0.0.1:18431/")
        assert served.stdout == "served by web\n", served.stderr
        # What was asked for is what there is.
        front, back = json.loads(command(daemon, DEBIAN, "network", "inspect", "shop_front", "shop_back"))
        assert front["IPAM"]["Config"][0] == {
            "Subnet": "172.28.0.0/16", "IPRange": "172.28.5.0/24", "Gateway": "172.28.0.9", "AuxiliaryAddresses": {"router": "172.28.5.1"}}
        assert front["EnableIPv6"] and front["Options"]["com.docker.network.bridge.name"] == "br-front"
        assert front["Labels"]["com.docker.compose.project"] == "shop" and back["Labels"]["side"] == "back" and back["Internal"]
        assert front["Containers"][ids["web"]]["IPv4Address"] == "172.28.5.10/16"
        assert set(front["Containers"]) == {ids["web"], ids["ask"]} and set(back["Containers"]) == {ids["web"], ids["apart"]}
        # Up again changes nothing.
        compose("up", "-d")
        assert {name: compose("ps", "-q", name).strip() for name in ids} == ids
        # Stopped, and started anew with the same.
        compose("stop", "-t", "0")
        assert inside(daemon, "curl", "-s", "http://127.0.0.1:18431/").returncode != 0
        compose("start")
        wait_for(lambda: inside(daemon, "curl", "-s", "http://127.0.0.1:18431/").stdout == "served by web\n", "the port to be served")
        assert execute("ask", "wget -q -O - http://site/") == "served by web"
        # More of one service: a name is several addresses.
        compose("up", "-d", "--scale", "apart=3")
        found = execute("web", "nslookup -type=a apart | grep -c '^Address.*172\\|^Address.*10\\.'")
        assert int(found) >= 3, execute("web", "nslookup -type=a apart")
    finally:
        compose("down", "-t", "0")
    wait_for(lambda: seen(daemon) == before, "everything to be as it was")
    command(daemon, DEBIAN, "network", "rm", "standing")


def said(container, command):
    """How a command ends in a container, and what it says, of which docker-py loses what comes together with the answer's head."""
    for _ in range(10):
        code, text = container.exec_run(command)
        if text or code != 0:
            break
    return code, text


def test_dockers_library_for_python_makes_networks(daemon):
    client = docker_library.DockerClient(base_url=f"unix://{daemon.socket}", version="auto", timeout=60)
    types = docker_library.types
    pools = [
        types.IPAMPool(subnet="172.27.0.0/16", iprange="172.27.3.0/24", gateway="172.27.0.7", aux_addresses={"a": "172.27.3.1"}),
        types.IPAMPool(subnet="fd00:27::/64")]
    network = client.networks.create(
        "py", driver="bridge", ipam=types.IPAMConfig(pool_configs=pools), enable_ipv6=True, labels={"by": "py"}, check_duplicate=True,
        options={"com.docker.network.driver.mtu": "1400"}, attachable=True)
    other = client.networks.create("other", internal=True)
    made = []
    try:
        assert network.attrs["IPAM"]["Config"][0]["Gateway"] == "172.27.0.7" and network.attrs["EnableIPv6"] and network.attrs["Attachable"]
        assert {found.name for found in client.networks.list(names=["py", "other"])} == {"py", "other"}
        assert [found.name for found in client.networks.list(filters={"label": "by=py"})] == ["py"]
        with pytest.raises(docker_library.errors.APIError) as refusal:
            client.networks.create("py", check_duplicate=True)
        assert refusal.value.response.status_code == 409
        with pytest.raises(docker_library.errors.NotFound):
            client.networks.get("nowhere")
        place = client.api.create_networking_config({"py": client.api.create_endpoint_config(
            ipv4_address="172.27.3.9", ipv6_address="fd00:27::9", aliases=["db"], links={"second": "b"})})
        host = client.api.create_host_config(network_mode="py", port_bindings={80: ("127.0.0.1", 18433)}, extra_hosts={"up": "host-gateway"})
        second = client.containers.run("served:latest", "sleep 100000", detach=True, network="py", name="second", mac_address="02:42:ac:1b:03:77")
        made.append(second)
        first = client.containers.get(client.api.create_container(
            "served:latest", "httpd -f -p 80 -h /www", name="first", host_config=host, networking_config=place, ports=[80])["Id"])
        made.append(first)
        first.start()
        first.reload()
        settings = first.attrs["NetworkSettings"]
        assert settings["Networks"]["py"]["IPAddress"] == "172.27.3.9" and settings["Networks"]["py"]["GlobalIPv6Address"] == "fd00:27::9"
        assert first.ports == {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "18433"}]}
        code, text = said(second, "wget -q -O - http://db/")
        assert (code, text) == (0, b"served by web\n")
        assert first.exec_run("nslookup -type=a b")[0] == 0
        assert said(second, "cat /sys/class/net/eth0/mtu") == (0, b"1400\n")
        assert said(second, "cat /sys/class/net/eth0/address") == (0, b"02:42:ac:1b:03:77\n")
        assert inside(daemon, "curl", "-s", "http://127.0.0.1:18433/").stdout == "served by web\n"
        # Live changes, also told of.
        events = client.events(decode=True, filters={"type": "network"})
        other.connect(second, aliases=["inner"])
        other.connect(first, ipv4_address=None)
        assert first.exec_run("nslookup -type=a inner")[0] == 0
        other.reload()
        assert {container.name for container in other.containers} == {"first", "second"}
        with pytest.raises(docker_library.errors.APIError) as refusal:
            other.remove()
        assert refusal.value.response.status_code == 403 and "has active endpoints" in refusal.value.explanation
        other.disconnect(second)
        assert [next(events)["Action"] for _ in range(3)] == ["connect", "connect", "disconnect"]
        events.close()
        assert first.exec_run("nslookup -type=a inner")[0] != 0
        other.disconnect("first", force=True)
        assert client.networks.prune(filters={"label": ["by=nobody"]})["NetworksDeleted"] is None
        assert client.networks.prune()["NetworksDeleted"] == ["other"]
    finally:
        for container in made:
            container.remove(force=True)
        network.remove()
        for left in client.networks.list(names=["other"]):
            left.remove()
        client.close()
