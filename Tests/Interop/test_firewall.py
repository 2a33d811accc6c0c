"""The host's firewall is explained and cooperated with, ways into containers are shown, and ports are published as the engine's setting says."""
import json
import shutil
import subprocess
import tempfile

import pytest

from conftest import Client, Daemon, clients, wait_for


class FirewallDaemon(Daemon):
    flags = []

    def arguments(self):
        return super().arguments() + self.flags


@pytest.fixture(scope="module")
def firewalled(busybox_tar):
    """A daemon of its own: what it has is all that there is."""
    daemon = FirewallDaemon(tempfile.mkdtemp(prefix="berth-firewall-")).start()
    yield daemon
    subprocess.run(["iptables", "-F", "FORWARD"], check=True)
    subprocess.run(["iptables", "-P", "FORWARD", "ACCEPT"], check=True)
    daemon.stop()
    shutil.rmtree(daemon.base)


@pytest.fixture(scope="module")
def outside():
    """The host has a way to elsewhere."""
    subprocess.run(["ip", "link", "add", "fw-up", "type", "veth", "peer", "name", "fw-out"], check=True)
    for command in (["addr", "add", "198.51.100.1/24", "dev", "fw-up"], ["link", "set", "fw-up", "up"], ["link", "set", "fw-out", "up"]):
        subprocess.run(["ip", *command], check=True)
    yield
    subprocess.run(["ip", "link", "del", "fw-up"], check=True)


@pytest.fixture(scope="module")
def berth(firewalled, busybox_tar):
    berth = Client("berth", clients()["berth"], firewalled)
    berth("import", busybox_tar, "box")
    yield berth
    berth.check_answers()


def saved():
    lines = subprocess.run(["iptables-save"], capture_output=True, text=True, check=True).stdout.splitlines()
    return [line.split(" [")[0] for line in lines if not line.startswith("#")]


def test_warnings_and_cooperation(berth, firewalled, outside):
    assert berth.out("system", "firewall").splitlines()[-1] == "No chain drops containers' packets."
    assert berth("network", "create", "before").stderr == ""
    subprocess.run(["iptables", "-P", "FORWARD", "DROP"], check=True)
    before = saved()
    chain = "the chain FORWARD of the table ip filter drops "
    assert chain in berth("network", "create", "front").stderr
    assert chain in berth("info").stdout and chain in json.loads(berth.out("info", "--format", "{{json .Warnings}}"))[0]
    done = berth("run", "-d", "--name", "web", "--network", "front", "-p", "18080:80", "box", "sleep", "1000")
    assert chain in done.stderr and "allow it by: iptables -I FORWARD -i br-" in done.stderr and "berth system firewall cooperate" in done.stderr
    assert berth("run", "-d", "--name", "quiet", "--network", "front", "box", "sleep", "1000").stderr == ""
    assert saved() == before

    assert berth.out("system", "firewall", "cooperate").splitlines()[-1] == "No chain drops containers' packets."
    rules = [line for line in saved() if line not in before]
    engine = berth.out("info", "--format", "{{.ID}}")
    # Two networks have bridges: for each bridge a rule each way.
    assert len(rules) == 4 and all(f'--comment "berth {engine}" -j ACCEPT' in rule for rule in rules)
    berth("network", "rm", "before")
    assert len([line for line in saved() if line not in before]) == 2
    assert berth("network", "create", "after").stderr == ""
    assert len([line for line in saved() if line not in before]) == 4
    # Somebody loads his own rules anew.
    subprocess.run(["iptables-restore"], input="*filter\n:FORWARD DROP [0:0]\nCOMMIT\n", text=True, check=True)
    wait_for(lambda: len([line for line in saved() if "berth" in line]) == 4, "the rules to come back")
    # The choice outlives the daemon.
    firewalled.kill()
    firewalled.start()
    report = json.loads(berth.out("system", "firewall", "--format", "json"))
    assert (report["mode"], report["protection"], len(report["findings"]), len(report["rules"])) == ("cooperate", "owned", 0, 4)
    text = berth.out("system", "firewall", "explain")
    assert "(iptables) drops containers' packets:" in text and "  or have the engine do it: berth system firewall cooperate" in text
    assert [line for line in saved() if "berth" in line] == []
    assert berth.out("system", "firewall", "watched", "--format", "{{.mode}} {{.protection}}") == "explain watched"
    assert berth.out("system", "firewall", "owned", "--format", "{{.mode}} {{.protection}}") == "explain owned"
    assert "'sometimes' is none of status, explain, cooperate, owned, watched" in berth("system", "firewall", "sometimes", status=1).stderr
    berth("rm", "-f", "web", "quiet")
    berth("network", "rm", "front", "after")


def test_exposure(berth):
    berth("network", "create", "-o", "com.docker.network.bridge.gateway_mode_ipv4=nat-unprotected", "open")
    berth("run", "-d", "--name", "web", "-p", "18081:80", "-p", "127.0.0.1:18082:80", "box", "sleep", "1000")
    berth("run", "-d", "--name", "all", "--expose", "70/udp", "-P", "box", "sleep", "1000")
    berth("run", "-d", "--name", "bare", "--network", "open", "box", "sleep", "1000")
    berth("run", "-d", "--name", "hosted", "--network", "host", "box", "sleep", "1000")
    berth("run", "-d", "--name", "lone", "--network", "none", "box", "sleep", "1000")
    rows = [json.loads(line) for line in berth.out("network", "exposure", "--json").splitlines()]
    seen = {(row["Container"], row["Where"], row["AskedBy"]) for row in rows}
    port = berth.out("port", "all", "70/udp").splitlines()[0].split(":")[-1]
    own = berth.out("inspect", "--format", "{{.NetworkSettings.Networks.open.IPAddress}}", "bare")
    assert seen == {
        ("web", "0.0.0.0:18081/tcp", "-p 18081:80/tcp"), ("web", "[::]:18081/tcp", "-p 18081:80/tcp"),
        ("all", f"0.0.0.0:{port}/udp", "-P"), ("all", f"[::]:{port}/udp", "-P"),
        ("bare", own, "the network's option com.docker.network.bridge.gateway_mode_ipv4"),
        ("hosted", "0.0.0.0", "--network host"), ("hosted", "::", "--network host"),
    }
    heading, *lines = berth.out("network", "exposure").splitlines()
    assert heading.split() == ["WHERE", "CONTAINER", "REACHES", "NETWORK", "RULE", "ASKED", "BY"] and len(lines) == len(rows)
    assert berth.out("network", "exposure", "--format", "{{.Where}}") == berth.out("network", "exposure", "-q")
    assert "two ways to say the same" in berth("network", "exposure", "--json", "--format", "table", status=1).stderr
    berth("rm", "-f", "web", "all", "bare", "hosted", "lone")
    berth("network", "rm", "open")
    assert berth.out("network", "exposure", "-q") == ""


def test_ports_on_the_loopback_by_default(berth, firewalled):
    firewalled.stop()
    firewalled.flags = ["--publish-default", "loopback", "--firewall", "explain"]
    firewalled.start()
    berth("run", "-d", "--name", "web", "-p", "18083:80", "-p", "0.0.0.0:18084:81", "box", "sleep", "1000")
    assert berth.out("port", "web", "80").splitlines() == ["127.0.0.1:18083", "[::1]:18083"]
    assert berth.out("port", "web", "81").splitlines() == ["0.0.0.0:18084"]
    assert berth.out("network", "exposure", "-q").splitlines() == ["0.0.0.0:18084/tcp"]
    berth("rm", "-f", "web")
