"""berth's commands about networks against Debian's dockerd, beside docker's own: the same is said, and the same is so afterwards."""
import difflib
import json
import pprint
import re
import shutil
import subprocess
import tempfile

import pytest

from conftest import BIN, Daemon, clients
from test_confinement import OWN_LINKS, Docker

DEBIAN = "/usr/bin/docker"

# What is typed, one after the other.
SCRIPT = [
    ["network", "ls"],
    ["network", "ls", "--no-trunc"],
    ["network", "ls", "-q", "--filter", "driver=host"],
    ["network", "ls", "--filter", "nonsense=x"],
    ["network", "create", "--subnet", "172.29.0.0/16", "--ip-range=172.29.5.0/24", "--gateway", "172.29.0.9", "--aux-address", "r=172.29.0.7",
     "--label", "a=b", "-o", "com.docker.network.bridge.name=br-n", "n10"],
    ["network", "create", "--internal", "--attachable", "--label", "c", "--subnet=172.30.0.0/16,fd00:30::/64", "--gateway=fd00:30::9", "--ipv6", "n2"],
    ["network", "create", "--config-only", "--subnet", "172.31.0.0/24", "base"],
    ["network", "create", "--config-from", "base", "derived"],
    ["network", "ls", "--format", "{{.Name}} {{.Driver}} {{.Scope}} {{.IPv6}} {{.Internal}} {{.Labels}} {{.Label \"a\"}}"],
    ["network", "ls", "--format", "table {{.Name}}\\t{{.IPv6}}\\t{{.Label \"a\"}}"],
    ["network", "ls", "-f", "label=a=b", "--format", "{{.Name}} {{.CreatedAt}} {{.ID}}"],
    ["network", "inspect", "n10", "n2", "base", "derived"],
    ["network", "inspect", "-v", "n10"],
    ["network", "inspect", "-f", "{{.Name}} {{range .IPAM.Config}}{{.Gateway}}{{end}} {{len .Options}}", "n10", "host"],
    ["network", "inspect", "bridge", "host", "none"],
    ["inspect", "n10"],
    ["inspect", "--type", "network", "-f", "{{.Driver}}", "none"],
    ["network", "inspect", "n10", "nowhere"],
    ["network", "create", "n10"],
    ["network", "create", "host"],
    ["network", "create", "--subnet", "172.29.8.0/24", "overlapping"],
    ["network", "create", "--subnet", "nonsense", "x"],
    ["network", "create", "-d", "nonsense", "x"],
    ["network", "create", "-d", "overlay", "x"],
    ["network", "rm", "bridge", "nowhere"],
    ["run", "-d", "--name", "web", "--network", "n10", "--network-alias", "www", "--ip", "172.29.5.5", "-p", "8080:80", "-p", "127.0.0.1:90:90", "-p",
     "9000-9002:9000-9002", "-p", "9003:9003/udp", "--expose", "77-78", "--expose", "53/udp", "--dns", "9.9.9.9", "--dns-search=example.org",
     "--dns-option", "ndots:2", "--add-host", "up:10.0.0.1", "-h", "web.host", "--domainname", "example.org", "box"],
    ["run", "-d", "--name", "old", "-p", "8081-8082:81", "-P", "--expose", "82", "box"],
    ["run", "-d", "--name", "linked", "--link", "old:older", "box"],
    ["run", "-d", "--name", "shared", "--network", "container:web", "box"],
    ["run", "-d", "--name", "alone", "--network", "none", "-p", "85:85", "--add-host", "up:host-gateway", "box"],
    ["exec", "alone", "grep", "up$", "/etc/hosts"],
    ["run", "-d", "--name", "gateway", "--network", "n10", "--add-host", "up:host-gateway", "box"],
    ["exec", "gateway", "grep", "up$", "/etc/hosts"],
    ["run", "-d", "--name", "overlaid", "--network", "host", "--add-host", "up:host-gateway", "--dns", "9.9.9.9", "box"],
    ["exec", "overlaid", "grep", "-e", "up$", "-e", "^nameserver", "/etc/hosts", "/etc/resolv.conf"],
    ["run", "-d", "--name", "sharer", "--network", "container:old", "box"],
    ["run", "-d", "--name", "bySharer", "--link", "sharer:x", "box"],
    ["inspect", "bySharer"],
    ["rm", "-f", "bySharer", "sharer", "gateway", "overlaid"],
    ["run", "-d", "--name", "wrong", "--network", "nowhere", "box"],
    ["rm", "wrong"],
    ["run", "-d", "--name", "wrong", "--network", "n10", "--ip", "10.0.0.1", "box"],
    ["rm", "wrong"],
    ["ps", "--format", "{{.Names}}|{{.Ports}}|{{.Networks}}"],
    ["ps", "--filter", "network=n10", "--filter", "publish=8080", "--format", "{{.Names}}"],
    ["inspect", "web", "old", "linked", "shared", "alone"],
    ["port", "web"],
    ["port", "web", "80"],
    ["port", "web", "9003/udp"],
    ["port", "web", "9003"],
    ["port", "web", "77/tcp"],
    ["port", "alone"],
    ["container", "port", "web", "90/tcp"],
    ["port", "nowhere"],
    ["network", "connect", "--alias", "api,www", "--ip", "172.30.0.77", "--ip6", "fd00:30::77", "--link", "old:older", "--driver-opt", "k=v", "n2", "web"],
    ["network", "connect", "n2", "web"],
    ["network", "connect", "nowhere", "web"],
    ["network", "connect", "n2", "nowhere"],
    ["network", "connect", "--ip", "10.0.0.1", "n2", "old"],
    ["network", "connect", "host", "web"],
    ["network", "inspect", "n10", "n2"],
    ["inspect", "web"],
    ["ps", "--format", "{{.Names}}|{{.Ports}}"],
    ["network", "rm", "n2", "derived", "nowhere"],
    ["network", "disconnect", "n2", "web"],
    ["network", "disconnect", "n2", "web"],
    ["network", "disconnect", "-f", "n2", "nowhere"],
    ["network", "disconnect", "bridge", "old"],
    ["inspect", "web", "old"],
    ["rm", "-f", "web", "old", "linked", "shared", "alone"],
    ["run", "-d", "--name", "addressed", "--mac-address", "02:42:ac:11:00:77", "box"],
    ["inspect", "addressed"],
    ["rm", "-f", "addressed"],
    ["network", "create", "--config-only", "--internal", "x"],
    ["network", "create", "--config-from", "base", "--config-only", "x"],
    ["network", "create", "--config-from", "base", "--subnet", "10.9.0.0/24", "x"],
    ["network", "create", "--config-from", "base", "-o", "a=b", "x"],
    ["network", "create", "--config-from", "n10", "x"],
    ["network", "create", "--config-from", "base", "--internal", "inner"],
    ["network", "inspect", "inner"],
    ["network", "rm", "base"],
    ["run", "-d", "--name", "one", "-p", "8090:80", "-p", "5353:53/udp", "--expose", "99", "box"],
    ["network", "connect", "bridge", "one"],
    ["network", "connect", "none", "one"],
    ["network", "connect", "--alias", "x", "bridge", "one"],
    ["network", "connect", "--ip", "172.17.0.99", "bridge", "one"],
    ["network", "connect", "--ip", "172.29.0.9", "n10", "one"],
    ["network", "connect", "n10", "one"],
    ["network", "rm", "n10"],
    *(["ps", *filters, "--format", "{{.Names}}"] for filters in (
        ["-f", "expose=80"], ["-f", "expose=90-100/tcp"], ["-f", "publish=99"], ["-f", "publish=8090", "-f", "expose=12"], ["-f", "publish=5353"],
        ["-f", "publish=5353/udp"], ["-f", "publish=x"], ["-f", "expose=1:2"], ["-f", "network=bridge"], ["-f", "network=n10"], ["-f", "network=n2"])),
    *(["run", "-d", "--name", "wrong", *options, "box"] for options in (
        ["-p", "8090:80"], ["--network", "container:one", "-p", "80:80"], ["--network", "container:one", "--dns", "1.1.1.1"],
        ["--network", "container:one", "--add-host", "a:1.2.3.4"], ["--network", "container:one", "--link", "one:x"],
        ["--network", "container:one", "--expose", "80"], ["--network", "container:one", "-h", "x"], ["--network", "host", "--link", "one:x"])),
    ["rm", "wrong"],
    ["run", "-d", "--name", "wrong", "--network", "container:nowhere", "box"],
    ["rm", "wrong"],
    ["run", "-d", "--name", "inside", "--network", "container:one", "box"],
    ["network", "connect", "n2", "inside"],
    ["network", "disconnect", "n10", "inside"],
    ["run", "-d", "--name", "host", "--network", "host", "-p", "80:80", "box"],
    ["network", "connect", "n2", "host"],
    ["network", "disconnect", "host", "host"],
    ["run", "-d", "--name", "later", "--network", "n10", "--ip", "172.29.5.9", "--link", "nowhere:x", "-p", "8095:80", "box"],
    ["ps", "--format", "{{.Names}}|{{.Ports}}"],
    ["port", "host"],
    ["network", "create", "--subnet", "172.33.0.0/24", "gone"],
    ["stop", "-t", "0", "later"],
    ["network", "connect", "--alias", "a", "gone", "later"],
    ["start", "later"],
    ["inspect", "inside", "host", "later"],
    ["stop", "-t", "0", "later"],
    ["inspect", "later"],
    ["port", "later"],
    ["network", "rm", "gone"],
    ["network", "disconnect", "n2", "later"],
    ["network", "disconnect", "gone", "later"],
    ["start", "later"],
    ["inspect", "later"],
    ["network", "connect", "base", "one"],
    ["rm", "-f", "later", "inside", "host", "one"],
    ["network", "rm", "inner"],
    ["network", "prune"],
    ["network", "prune", "--filter", "until=1h", "-f"],
    ["network", "prune", "-f", "--filter", "label=a"],
    ["network", "prune", "--force"],
    ["network", "prune", "-f"],
    ["network", "rm", "base", "derived"],
    ["network", "ls", "--format", "{{.Name}}"],
]


def without_what_is_new_each_time(text):
    """Ids, times, numbers of processes and the hardware addresses that are made of nothing."""
    text = re.sub(r"\b[0-9a-f]{64}\b|\b[0-9a-f]{12}\b", "ID", text)
    text = re.sub(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( \+0000 UTC|Z)", "TIME", text)
    text = re.sub(r'"Pid": \d+', '"Pid": 1', text)
    # Addresses in the default network, and ports, are the daemon's choice.
    text = re.sub(r"\b172\.17\.0\.([2-9]|\d\d)\b", "172.17.0.N", text)
    text = re.sub(r"\b02:42:ac:11:00:(?!77)[0-9a-f]{2}\b", "02:42:ac:11:00:NN", text)
    return re.sub(r"\b(808[12]|3276[89]|327[7-9]\d|32[89]\d\d|3[3-9]\d{3}|4\d{4}|5\d{4}|60\d{3})\b", "PORT", text)


def without_empty_lists(details):
    """docker's versions differ in whether a client says that it wants none of these."""
    if "HostConfig" in details:
        for name in [name for name in details["HostConfig"] if name.startswith("Blkio") or name in ("Devices", "Ulimits")]:
            assert not details["HostConfig"].pop(name)
    return details


def as_berth_says_it(text):
    """Complaints: the program's name, and what docker says beside the daemon's words."""
    lines = [re.sub(r"^(docker|berth): ", "", line).replace("docker", "berth").rstrip(".") for line in text.strip().splitlines()]
    lines = [line for line in lines if line and not re.match(r"See '|Run '|exit status", line)]
    # Debian's docker has words of its own for what is not there.
    lines = [re.sub(r"^Error: No such (\w+): (.*)", r"Error response from daemon: No such \1: \2", line) for line in lines]
    lines = [re.sub(r"No such network: (.*)", r"network \1 not found", line) for line in lines]
    # Newer ones repeat a port as it was typed.
    lines = [re.sub(r"port '(\d+)'", r"port '\1/tcp'", line) for line in lines]
    return [re.sub(r"^Error: ", "", line).lower() for line in lines]


def play(program, docker, folder):
    """Types everything; what each line has answered, and what then was to be seen."""
    environment = {"PATH": "/usr/bin:/bin", "HOME": folder, "DOCKER_HOST": f"unix://{docker.socket}", "LC_ALL": "C.UTF-8", "TZ": "UTC",
                   "DOCKER_API_VERSION": "1.41"}
    answers = []
    for words in SCRIPT:
        done = subprocess.run([program, *words], env=environment, capture_output=True, text=True, input="n\n", timeout=60)
        # Debian's docker writes addresses and ports as nobody can read them.
        output = re.sub(r"(?<![0-9a-f])::(:(?=\d|PORT))", r"[::]\1", without_what_is_new_each_time(done.stdout))
        if "inspect" in words and "-f" not in words:
            output = [without_empty_lists(item) for item in json.loads(output)]
        elif "port" in words:
            output = sorted(output.splitlines())
        elif "wrong" in words:
            output = ""  # docker may have said the id before it came to nothing
        answers.append((" ".join(words), done.returncode, output, as_berth_says_it(without_what_is_new_each_time(done.stderr))))
    return answers


@pytest.fixture(scope="module")
def docker(busybox_tar):
    base = tempfile.mkdtemp(prefix="docker-networks-")
    docker = Docker(base, networks=True)
    docker.out("import", "--change", 'CMD ["sleep", "1000"]', busybox_tar, "box:latest")
    yield docker
    docker.stop()
    shutil.rmtree(base)


@pytest.fixture(scope="module")
def said(docker, tmp_path_factory):
    """What each client makes dockerd say."""
    return {name: play(program, docker, tmp_path_factory.mktemp(name)) for name, program in clients().items()}


@pytest.mark.parametrize("name", [name for name in clients() if name != "berth"])
def test_networks_as_docker_does_it(said, name):
    program, theirs, own = clients()[name], said[name], said["berth"]
    differences = []
    for other, mine in zip(theirs, own, strict=True):
        # A newer docker does not tell this version of the API which hardware address a container is to have; Debian's has words of its own for links.
        if mine != other and ("--link one:x" if program == DEBIAN else "addressed") not in mine[0]:
            differences += [f"$ {mine[0]}", *difflib.unified_diff(*(pprint.pformat(answer[1:]).splitlines() for answer in (other, mine)), "docker", "berth", n=1)]
    assert not differences, "\n".join(differences)


@pytest.mark.parametrize("words, offered", [
    (["network", ""], ["connect", "create", "disconnect", "exposure", "inspect", "ls", "prune", "rm"]), (["network", "rm", "b"], ["bridge"]),
    (["network", "inspect", "bridge", "h"], ["host"]), (["network", "connect", "--alias=x", "n"], ["none"]), (["network", "connect", "none", "d"], ["door"]),
    (["network", "disconnect", "none", "door", ""], []), (["run", "--network", "br"], ["bridge"]), (["port", "d"], ["door"]),
    (["network", "create", "--ip"], ["--ip-range", "--ipam-driver", "--ipam-opt", "--ipv4", "--ipv6"]),
])
def test_completion(docker, door, words, offered):
    environment = {"PATH": "/usr/bin:/bin", "DOCKER_HOST": f"unix://{docker.socket}"}
    done = subprocess.run([BIN / "berth", "__complete", *words], env=environment, capture_output=True, text=True, timeout=20)
    assert (sorted(done.stdout.split()), done.stderr) == (offered, "")


@pytest.fixture(scope="module")
def door(docker):
    docker.out("create", "--name", "door", "--network", "none", "box")
    yield
    docker.out("rm", "door")


def test_a_question_before_pruning(docker, tmp_path):
    berth = [BIN / "berth", "-H", f"unix://{docker.socket}"]
    docker.out("network", "create", "unused")
    for answer, names in (("n\n", ["unused"]), ("", ["unused"]), ("y\n", [])):
        done = subprocess.run([*berth, "network", "prune"], input=answer, capture_output=True, text=True, timeout=30)
        assert done.returncode == 0 and done.stdout.startswith("WARNING! This will remove all custom networks") and "[y/N] " in done.stdout
        assert docker.out("network", "ls", "-q", "--filter", "name=unused", "--format", "{{.Name}}").split() == names
    assert done.stdout.endswith("[y/N] Deleted Networks:\nunused\n\n")


class Apart(Daemon):
    """berthd with links of its own, as dockerd has: each chooses its subnets as if it were alone."""

    def arguments(self):
        return [*OWN_LINKS, *super().arguments()]


@pytest.fixture(scope="module")
def berthd(busybox_tar):
    base = tempfile.mkdtemp(prefix="berth-networks-")
    daemon = Apart(base).start()
    subprocess.run(
        [DEBIAN, "-H", f"unix://{daemon.socket}", "import", "--change", 'CMD ["sleep", "1000"]', busybox_tar, "box:latest"], check=True, capture_output=True)
    yield daemon
    daemon.stop()
    shutil.rmtree(base)


# Where our words are others on purpose: they say what to do.
OWN_WORDS = {
    "network create --subnet 172.29.8.0/24 overlapping": "pool overlaps with other one on this address space: 172.29.8.0/24 with 172.29.0.0/16",
    "network create --subnet nonsense x": "invalid subnet nonsense",
    "network create -d nonsense x": "could not find plugin nonsense: there are the drivers",
    "network create -d overlay x": "makes networks of several machines",
    # A name that is nobody's is told as such.
    "network disconnect -f n2 nowhere": "no such container: nowhere",
    "run -d --name wrong --network n10 --ip 10.0.0.1 box": "no configured subnet or ip-range contain the ip address 10.0.0.1",
    "network connect --ip 10.0.0.1 n2 old": "no configured subnet or ip-range contain the ip address 10.0.0.1",
    "network rm n2 derived nowhere": 'network n2 has active endpoints (name:"web"',
    "network rm n10": 'network n10 has active endpoints (name:"one"',
    "network create --config-from base --subnet 10.9.0.0/24 x": "user-specified configurations are not supported",
    "network connect --ip 172.29.0.9 n10 one": "address already in use: 172.29.0.9",
    # Words of younger ones of Docker's.
    "network connect host web": "cannot connect container to host network - container must be created in host network mode",
    "network disconnect host host": "cannot disconnect container from host network - container was created in host network mode",
    "network connect --alias x bridge one": "network-scoped alias is supported only for containers in user defined networks",
    "network connect --ip 172.17.0.99 bridge one": "user specified ip address is supported on user defined networks only",
    "run -d --name wrong --network container:nowhere box": "joining network namespace of container: no such container: nowhere",
    "run -d --name wrong -p 8090:80 box": "port is already allocated: container one has it",
    "ps -f publish=x --format {{.Names}}": "error while looking up for publish x: it must be as 80, 8000-8080 or 53/udp",
}

# Members of answers that are not there on one of the two sides, and why.
DELIBERATE = {
    "EnableIPv4": "younger than Debian's dockerd", "DNSNames": "younger than Debian's dockerd", "GwPriority": "younger than Debian's dockerd",
    "SandboxKey": "where each keeps its namespaces", "EndpointID": "of 'none', only dockerd has one",
    "com.docker.network.bridge.name": "the default bridge's name",
}


def of_networks(item):
    """What a container's or a network's details say of networks."""
    if "NetworkSettings" not in item:
        return item
    config = {name: item["Config"].get(name) for name in ("Hostname", "Domainname", "ExposedPorts", "MacAddress")}
    host = {name: item["HostConfig"].get(name) for name in (
        "NetworkMode", "PortBindings", "PublishAllPorts", "Dns", "DnsOptions", "DnsSearch", "ExtraHosts", "Links")}
    settings = dict(item["NetworkSettings"])
    if not item["State"]["Running"]:
        settings["SandboxID"] = ""  # Debian's dockerd tells that of the run before
    # dockerd keeps places that it could not give.
    settings["Networks"] = {name: place for name, place in settings["Networks"].items() if place["NetworkID"] or place["EndpointID"]}
    return {"Config": config, "HostConfig": host, "NetworkSettings": settings}


def unlike(theirs, ours, path=""):
    """Where two values differ, but for what differs on purpose."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for name in sorted(theirs.keys() | ours.keys()):
            if name not in DELIBERATE:
                if name == "Gateway" and name not in theirs and "/IPAM" in path:
                    continue  # since 28, docker tells one that it has chosen itself
                if name in ("Gateway", "IPv6Gateway") and path.endswith("/Networks/n2") and ours.get(name) == "":
                    continue  # and none of a network that leads nowhere
                if name in ("IPAMConfig", "DriverOpts") and not theirs.get(name) and not ours.get(name):
                    continue  # dockerd tells whether its client has said so that it wants nothing
                yield from unlike(theirs.get(name, "absent"), ours.get(name, "absent"), f"{path}/{name}")
    elif isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        for index, pair in enumerate(zip(theirs, ours)):
            yield from unlike(*pair, f"{path}[{index}]")
    elif theirs != ours:
        yield f"{path}: dockerd {theirs!r}, berthd {ours!r}"


@pytest.mark.parametrize("name", list(clients()))
def test_our_daemon_says_what_docker_says(said, berthd, name, tmp_path):
    differences = []
    for (line, *theirs), (_, *ours) in zip(said[name], play(clients()[name], berthd, tmp_path), strict=True):
        if line == "rm wrong":
            continue  # dockerd makes a container before it finds out that its network cannot be
        found = [] if theirs[0] == ours[0] else [f"ended with {theirs[0]} and {ours[0]}"]
        if isinstance(theirs[1], list) and theirs[1] and isinstance(theirs[1][0], dict):
            found += unlike([of_networks(item) for item in theirs[1]], [of_networks(item) for item in ours[1]])
        elif theirs[1] != ours[1]:
            found += difflib.unified_diff(str(theirs[1]).splitlines(), str(ours[1]).splitlines(), "dockerd", "berthd", n=0, lineterm="")
        if line in OWN_WORDS:
            found += [] if OWN_WORDS[line] in " ".join(ours[2]) else ours[2]
        else:
            found += unlike(theirs[2], ours[2], "complaint")
        if found:
            differences += [f"$ {line}", *(f"    {text}" for text in found)]
    assert not differences, "\n".join(differences)


def told(socket, *words):
    done = subprocess.run([DEBIAN, "-H", f"unix://{socket}", *words], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_a_restart_of_the_daemon_changes_nothing(berthd, end):
    def out(*words):
        return told(berthd.socket, *words)

    out("network", "create", "--subnet", "172.29.0.0/16", "--ip-range", "172.29.5.0/24", "-o", "com.docker.network.bridge.enable_icc=true", "n10")
    out("network", "create", "--config-only", "--subnet", "172.31.0.0/24", "base")
    out("network", "create", "--config-from", "base", "derived")
    out("run", "-d", "--name", "web", "--network", "n10", "--network-alias", "www", "--ip", "172.29.5.5", "-p", "8080:80", "-P", "--expose", "81", "box")
    out("network", "connect", "--alias", "api", "derived", "web")
    out("run", "-d", "--name", "old", "-p", "127.0.0.1:9000:9000/udp", "box")
    out("run", "-d", "--name", "linked", "--link", "old:older", "--add-host", "a:1.2.3.4", "box")
    out("run", "-d", "--name", "shared", "--network", "container:web", "box")
    out("create", "--name", "idle", "--network", "derived", "box")
    containers, networks = ("web", "old", "linked", "shared", "idle"), ("n10", "base", "derived", "bridge", "host", "none")
    try:
        before = json.loads(out("inspect", *containers)), json.loads(out("network", "inspect", *networks)), out("ps", "-a"), out("network", "ls")
        getattr(berthd, end)()
        berthd.start()
        after = json.loads(out("inspect", *containers)), json.loads(out("network", "inspect", *networks)), out("ps", "-a"), out("network", "ls")
        assert after[0] == before[0] and after[1] == before[1] and after[3] == before[3]
        assert [line.split()[-1] for line in after[2].splitlines()] == [line.split()[-1] for line in before[2].splitlines()]
        assert "172.29.5.5" in out("exec", "web", "nslookup", "www")
        # What was there is still in use: the next address is another one.
        out("start", "idle")
        addresses = [out("inspect", "-f", "{{.NetworkSettings.Networks.derived.IPAddress}}", name).strip() for name in ("web", "idle")]
        assert addresses == ["172.31.0.2", "172.31.0.3"]
    finally:
        out("rm", "-f", *containers)
        out("network", "rm", "n10", "derived")
        out("network", "rm", "base")


def test_variables_of_links(docker, berthd):
    """As docker has it, the order aside: also of a process that comes later, and not where there is another network."""
    answers = []
    for socket in (docker.socket, berthd.socket):
        def out(*words):
            return told(socket, *words)

        out("network", "create", "own")
        out("run", "-d", "--name", "my-db", "-e", "WORD=a=b", "--expose", "5432", "--expose", "53/udp", "--expose", "8080-8083", "box")
        out("run", "-d", "--name", "web", "--link", "my-db:the-store", "--link", "my-db", "-e", "THE_STORE_NAME=mine", "box")
        out("run", "-d", "--name", "far", "--network", "own", "box")
        try:
            address = out("inspect", "-f", "{{.NetworkSettings.IPAddress}}", "my-db").strip()
            lines = out("exec", "web", "env").replace(address, "ADDRESS").splitlines()
            first = out("exec", "web", "cat", "/proc/1/environ").replace(address, "ADDRESS").split("\0")
            assert "THE_STORE_PORT_5432_TCP=tcp://ADDRESS:5432" in lines
            named = [sorted(line for line in all if line.startswith(("THE_STORE_", "MY_DB_"))) for all in (lines, first)]
            answers.append((named, [line for line in out("exec", "far", "env").splitlines() if "STORE" in line]))
        finally:
            out("rm", "-f", "web", "my-db", "far")
            out("network", "rm", "own")
    assert answers[0] == answers[1]


EVENTFUL = [
    ["network", "create", "n1"], ["network", "create", "--subnet", "172.36.0.0/24", "n2"], ["network", "create", "--config-only", "base"],
    ["run", "-d", "--name", "aa", "--network", "n1", "box"], ["network", "connect", "n2", "aa"], ["network", "disconnect", "n1", "aa"],
    ["run", "-d", "--name", "bb", "--network", "container:aa", "box"], ["run", "-d", "--name", "cc", "--network", "none", "box"],
    ["run", "-d", "--name", "dd", "--network", "host", "box"], ["create", "--name", "ee", "box"], ["network", "connect", "n1", "ee"],
    *(["rm", "-f", name] for name in ("bb", "aa", "cc", "dd", "ee")), ["network", "rm", "n1", "base"], ["network", "prune", "-f"],
]


def test_events_of_networks(docker, berthd):
    heard = []
    for socket in (docker.socket, berthd.socket):
        begin = told(socket, "system", "info", "-f", "{{.SystemTime}}").strip()
        for words in EVENTFUL:
            told(socket, *words)
        end = told(socket, "system", "info", "-f", "{{.SystemTime}}").strip()
        lines = told(socket, "events", "--since", begin, "--until", end, "--filter", "type=network", "--format", "{{json .}}").splitlines()
        lines = [without_what_is_new_each_time(re.sub(r'"time(Nano)?":\d+', r'"time\1":0', line)) for line in lines]
        # Until 23, dockerd tells twice that a container was disconnected.
        heard.append([line for line, before in zip(lines, [""] + lines) if line != before])
    assert heard[0] == heard[1], "\n".join(difflib.unified_diff(*heard, "dockerd", "berthd"))
    assert len(heard[0]) == 14
