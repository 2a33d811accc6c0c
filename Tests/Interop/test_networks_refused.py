"""What cannot be of networks is refused, by berthd as by Debian's dockerd where that can be asked, and nothing is made of it."""
import http.client
import json
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile

import pytest

from conftest import clients, wait_for
from test_confinement import Docker
from test_networks import DEBIAN, Apart, as_berth_says_it, without_what_is_new_each_time

# What there is when the lines below are typed. A process of the host's has port 8099, and the host a bridge "alien".
SCENE = [
    ["network", "create", "--subnet", "172.29.0.0/16", "--ip-range", "172.29.5.0/24", "--gateway", "172.29.0.9", "--aux-address", "r=172.29.0.7",
     "--ipv6", "--subnet", "fd00:29::/64", "--gateway", "fd00:29::9", "-o", "com.docker.network.bridge.name=br-n", "n10"],
    ["network", "create", "n2"],
    ["network", "create", "--config-only", "--subnet", "172.31.0.0/24", "base"],
    ["network", "create", "--config-from", "base", "derived"],
    ["run", "-d", "--name", "web", "--network", "n10", "--ip", "172.29.5.5", "--ip6", "fd00:29::5", "--network-alias", "www", "-p", "8080:80", "box"],
    ["run", "-d", "--name", "old", "box"],
    ["run", "-d", "--name", "shared", "--network", "container:web", "box"],
    ["run", "-d", "--name", "atHost", "--network", "host", "box"],
    ["run", "-d", "--name", "alone", "--network", "none", "box"],
    ["create", "--name", "idle", "box"],
]


def network(*options, name="x"):
    return ["network", "create", *options, name]


def option(name, value, *more):
    return network("-o", f"{name}={value}", *more)


def place(*options, of="n10", container="old"):
    return ["network", "connect", *options, of, container]


def run(*options):
    return ["run", "-d", "--name", "wrong", *options, "box"]


BRIDGE = "com.docker.network.bridge."

REFUSED = [
    # Subnets and what is in them.
    network("--subnet", "172.29.8.0/24"), network("--subnet", "fd00:29::/80", "--ipv6"), network("--subnet", "172.16.0.0/12"),
    network("--subnet", "10.9.0.5/24"), network("--subnet", "10.9.0.0/33"), network("--subnet", "10.9.0.0"), network("--subnet", "nonsense"),
    network("--subnet", ""), network("--subnet", "fd00:9::/129", "--ipv6"), network("--subnet", "10.9.0.0/24", "--subnet", "10.10.0.0/24"),
    network("--subnet", "10.9.0.0/24", "--subnet", "10.9.0.0/25"),
    network("--subnet", "10.9.0.0/24", "--gateway", "10.8.0.1"), network("--subnet", "10.9.0.0/24", "--gateway", "nonsense"),
    network("--subnet", "10.9.0.0/24", "--gateway", "10.9.0.1", "--gateway", "10.9.0.2"), network("--gateway", "10.9.0.1"),
    network("--subnet", "10.9.0.0/24", "--gateway", "10.9.0.0"), network("--subnet", "10.9.0.0/24", "--gateway", "10.9.0.255"),
    network("--subnet", "10.9.0.0/24", "--ip-range", "10.8.0.0/25"), network("--subnet", "10.9.0.0/24", "--ip-range", "10.9.0.0/16"),
    network("--subnet", "10.9.0.0/24", "--ip-range", "nonsense"), network("--ip-range", "10.9.0.0/25"),
    network("--subnet", "10.9.0.0/24", "--ip-range", "10.9.0.5/25"),
    network("--subnet", "10.9.0.0/24", "--aux-address", "a=10.8.0.1"), network("--subnet", "10.9.0.0/24", "--aux-address", "a=nonsense"),
    network("--subnet", "10.9.0.0/24", "--aux-address", "nonsense"), network("--aux-address", "a=10.9.0.1"),
    network("--subnet", "10.9.0.0/24", "--gateway", "10.9.0.1", "--aux-address", "a=10.9.0.1"),
    network("--ipam-driver", "nonsense"),
    # Names, drivers, options.
    network(name=""), network(name="a/b"), network(name="n10"), network(name="bridge"), network(name="host"), network(name="none"),
    network(name="default"), network(name="a b"), network(name="-a"),
    network("-d", "nonsense"), network("-d", "overlay"), network("-d", "host"), network("-d", "null"), network("-d", "bridge", "--scope", "swarm"),
    network("--ingress"), network("--config-from", "nowhere"), network("--config-from", "n10"), network("--config-from", "base", "--ipv6"),
    network("-d", "macvlan", "-o", "parent=nobody"), network("-d", "macvlan", "-o", "parent=nobody.5"), network("-d", "macvlan", "-o", "parent=lo"),
    network("-d", "macvlan", "-o", "parent=alien", "-o", "macvlan_mode=odd"), network("-d", "macvlan", "-o", "parent=alien.5000"),
    network("-d", "ipvlan", "-o", "parent=alien"), network("-d", "ipvlan", "-o", "ipvlan_mode=odd"),
    option(BRIDGE + "name", "alien"), option(BRIDGE + "name", "lo"), option(BRIDGE + "name", "br-n"), option(BRIDGE + "name", "a23456789012345678"),
    option(BRIDGE + "name", "a/b"), option(BRIDGE + "name", "a b"),
    option("com.docker.network.driver.mtu", "nonsense"), option("com.docker.network.driver.mtu", "-1"), option(BRIDGE + "enable_icc", "maybe"),
    option(BRIDGE + "enable_ip_masquerade", "maybe"), option(BRIDGE + "host_binding_ipv4", "nonsense"),
    option(BRIDGE + "gateway_mode_ipv4", "odd"), option(BRIDGE + "gateway_mode_ipv4", "isolated"), option(BRIDGE + "nonsense", "x"),
    option("com.docker.network.container_iface_prefix", "a/b"), network("--opt", "nonsense"), network("--label", "=x"),
    # Removed.
    *(["network", "rm", name] for name in ("bridge", "host", "none", "nowhere", "n10", "base")), ["network", "rm"],
    # Connected and disconnected.
    place(container="web"), place(container="atHost"), place(container="alone"), place(container="shared"), place(container="nowhere"),
    place(of="host"), place(of="none"), place(of="nowhere"), place(of="base"), place(of="bridge"),
    place("--ip", "10.0.0.1"), place("--ip", "172.29.5.5"), place("--ip", "172.29.0.9"), place("--ip", "172.29.0.7"), place("--ip", "172.29.255.255"),
    place("--ip", "nonsense"), place("--ip", "fd00:29::77"), place("--ip", "0.0.0.0"), place("--ip", "172.29.5.99", of="n2"),
    place("--ip6", "fd00::1"), place("--ip6", "fd00:29::5"), place("--ip6", "fd00:29::9"), place("--ip6", "nonsense"), place("--ip6", "172.29.5.77"),
    place("--ip6", "fd00:29::77", of="n2"), place("--link-local-ip", "nonsense"), place("--alias", "x", of="bridge", container="alone"),
    place("--link", "nowhere:x"), place("--ip", "172.29.5.5", container="idle"),
    ["network", "disconnect", "n2", "web"], ["network", "disconnect", "nowhere", "web"], ["network", "disconnect", "n10", "nowhere"],
    ["network", "disconnect", "host", "atHost"], ["network", "disconnect", "n10", "shared"], ["network", "disconnect", "host", "web"],
    # Made.
    run("--network", "nowhere"), run("--network", ""), run("--network", "base"), run("--network", "n10", "--name", "web"),
    run("--ip", "172.17.0.99"), run("--network", "n2", "--ip", "172.30.0.99"), run("--network", "host", "--ip", "10.0.0.1"),
    *(run("--network", "n10", "--ip", address) for address in ("10.0.0.1", "172.29.5.5", "172.29.0.9", "172.29.0.7", "172.29.0.0", "nonsense", "fd00:29::77")),
    *(run("--network", "n10", "--ip6", address) for address in ("fd00::1", "fd00:29::5", "fd00:29::9", "nonsense", "172.29.5.77")),
    run("--network", "n2", "--ip6", "fd00:29::77"),
    run("--mac-address", "nonsense"), run("--mac-address", "01:00:5e:00:00:01"), run("--mac-address", "02:42:ac:11"),
    run("--network", "host", "--mac-address", "02:42:ac:11:00:77"), run("--network", "container:web", "--mac-address", "02:42:ac:11:00:77"),
    *(run("-p", port) for port in (
        "80:0", "80:65536", "65536:80", "x:80", "80:x", "9010-9000:9010-9000", "9000-9001:80-82", "9000-9002:80", "80:80/icmp", "80/", "", "80:80:80:80", "80:",
        "1.2.3:80:80", "192.0.2.77:80:80", "8080:81", "8099:80", "127.0.0.1:8099:80", "0.0.0.0:8080:80", "8079-8080:80-81", "[::1]:8080:80", "[fd00::77]:80:80")),
    run("-p", "80:80/sctp"), run("-p", "8095:80", "-p", "8095:81"), run("-p", "8095:80", "-p", "8080:81"),
    *(run("--expose", port) for port in ("x", "70000", "80/icmp", "9-8", "0")),
    *(run("--network", "container:" + name) for name in ("nowhere", "idle", "", "wrong")),
    *(run("--network", "container:web", *options) for options in (
        ["-p", "80:80"], ["-P"], ["-h", "x"], ["--dns", "1.1.1.1"], ["--add-host", "a:1.2.3.4"], ["--link", "old:x"], ["--expose", "80"],
        ["--network-alias", "x"], ["--ip", "172.29.5.77"], ["--network", "n2"])),
    run("--network", "host", "-p", "80:80"), run("--network", "host", "--link", "old:x"), run("--network", "host", "--network-alias", "x"),
    run("--network", "none", "--network-alias", "x"), run("--network-alias", "x"), run("--link", "atHost:x"),
    *(run("--network", "none", "--link", text) for text in ("old:x", "idle:x", "nowhere:x", "atHost:x")),
    run("--dns", "nonsense"), run("--dns", "1.1.1"), run("--dns-search", "a b"), run("--dns-search", "a..b"),
    *(run("--add-host", text) for text in ("a", "a:b", "a:1.2.3", ":1.2.3.4", "a:")),
    run("--link", "nowhere:x"), run("--link", "idle:x"), run("--link", "old:x:y"), run("--link", "old:"), run("--network", "n2", "--link", "nowhere:x"),
    run("-h", "a b"), run("-h", "-a"), run("-h", "a" * 64), run("--domainname", "a b"),
    run("--network", "name=n10,nonsense=1"), run("--network", "name=n10,ip=nonsense"), run("--network", "name=nowhere"), run("--network", "ip=10.0.0.1"),
    run("--network", "n10", "--network", "n10"), run("--network", "n10", "--network", "nowhere"), run("--network", "n10", "--network", "host"),
    run("--network", "n10", "--network", "none"),
    ["port", "nowhere"], ["port", "web", "90"], ["port", "web", "x"], ["port", "web", "80/icmp"],
    ["network", "inspect", "nowhere"], ["network", "ls", "--filter", "nonsense=x"], ["network", "prune", "-f", "--filter", "nonsense=x"],
]

# Where our words are others than those of that dockerd, by what is typed: younger ones of Docker's, or such as say what to do. Some of it that dockerd takes.
OWN_WORDS = [
    (r"--subnet (172.29.8|fd00:29|172.16)", "pool overlaps with other one on this address space: "),
    (r"--subnet 10.9.0.5/24", "invalid network config: invalid subnet 10.9.0.5/24: it should be 10.9.0.0/24"),
    (r"--subnet (10.9.0.0(/33)?|nonsense|fd00:9::/129) ", "invalid cidr block notation: it must be an address and the length of its prefix"),
    (r"--ip-range 10.9.0.0/16", "invalid network config: invalid ip-range 10.9.0.0/16: cidr block is bigger than its parent subnet 10.9.0.0/24"),
    (r"--ip-range 10.9.0.5/25", "invalid network config: invalid ip-range 10.9.0.5/25: it should be 10.9.0.0/25"),
    (r"--ipam-driver", "could not find plugin nonsense: addresses are given by the driver 'default' alone"),
    (r"^network create $", "invalid name: name is empty"), (r"^network create a[/ ]b$", "invalid network name"),
    (r"-d nonsense", "could not find plugin nonsense: there are the drivers"), (r"-d overlay", "makes networks of several machines"),
    (r"--scope swarm", "not supported here: networks of the scope 'swarm'"), (r"--ingress", "not supported here: ingress networks"),
    (r"--config-from base", "user-specified configurations are not supported if the network depends on a configuration network"),
    (r"parent=nobody", "-o parent interface was not found on the host: nobody"), (r"ipvlan -o parent", "its module ipvlan is missing"),
    (r"bridge.name=(alien|lo)", "exists already, and is not this engine's: give the bridge another name"),
    (r"bridge.name=br-n", "cannot create network (br-n): conflicts with network id (br-n): networks have same bridge name"),
    (r"bridge.name=a", "(it must be 1 to 15 characters without spaces, slashes and colons)"),
    (r"mtu=", "(it must be 68 to 65535)"), (r"=maybe", "value: maybe (it must be true or false)"),
    (r"host_binding_ipv4=", "value: nonsense (it must be an address of version 4)"), (r"mode_ipv4=odd", "(it must be nat, nat-unprotected, routed or isolated)"),
    (r"mode_ipv4=isolated", "(only an internal network can be isolated)"), (r"bridge.nonsense=", "not supported here: the option"),
    (r"iface_prefix=", "(it must be at most 13 characters of a name)"),
    (r"network rm n10", 'error while removing network: network n10 has active endpoints (name:"web" id:"id")'),
    (r"network connect host", "cannot connect container to host network - container must be created in host network mode"),
    (r"disconnect host", "cannot disconnect container from host network - container was created in host network mode"),
    (r"connect --alias x bridge alone", "with one of the networks in private (none) mode"),
    (r"n10 .*--ip6? (10.0.0.1|0.0.0.0|fd00::1)|--ip6? (10.0.0.1|0.0.0.0|fd00::1) n10",
     "invalid endpoint settings: no configured subnet or ip-range contain the ip address "),
    (r"--ip6? (172.29.5.5|172.29.0.\d|172.29.255.255|fd00:29::[59]) ", "address already in use: "),
    (r"ip=nonsense|--ip (nonsense|fd00)|--ip6 (nonsense|172)", "invalid endpoint settings: invalid ipv"),
    (r"--link-local-ip", "invalid endpoint settings: invalid link-local ip address: nonsense"),
    (r"--ip 172.17.0.99|host --ip", "invalid endpoint settings: user specified ip address is supported on user defined networks only"),
    (r"n2.*--ip|--ip.* n2", "invalid endpoint settings: user specified ip address is supported only when connecting to networks with user configured subnets"),
    (r"--mac-address 01", "invalid mac address 01:00:5e:00:00:01: it must be six bytes"), (r"-p 80:0 ", "invalid containerport: 0"),
    (r"-p (192|\[fd)", ":80/tcp: cannot assign requested address: this host has no such address"),
    (r"8099", ":80/tcp: address already in use: process n (python3) has it"), (r"-p.*8080", "failed: port is already allocated: container web has it"),
    (r"-p 8095:80 -p 8095", "bind for 0.0.0.0:8095 failed: port is already allocated: it is to lead to 80/tcp as well"),
    (r"sctp", "this kernel does not speak sctp"), (r"--expose 80/icmp", 'invalid port specification: "80/icmp"'),
    (r"container:(nowhere|wrong)", "joining network namespace of container: no such container: "),
    (r"container:idle", "cannot join network namespace of a non running container: container idle is created"),
    (r"container:web --ip", "conflicting options: cannot attach both user-defined and non-user-defined network-modes"),
    (r"-h a", "invalid hostname: "),
    (r"n10 --network nowhere", "container cannot be created with multiple network endpoints: n10, nowhere"),
]

# What is asked in ways that dockerd of that age does not know yet, and what is said then.
YOUNGER = [
    (run("--network", "name=n10,gw-priority=text"), "invalid gw-priority (text): invalid syntax"),
    (run("--network", "name=n10,mac-address=nonsense"), "nonsense is not a valid mac address"),
    (run("--network", "name=n10,driver-opt=com.docker.network.endpoint.sysctls=nonsense"), "not supported here: the option"),
    (run("--network", "name=n10,driver-opt=com.docker.network.endpoint.ifname=a/b"), "not supported here: the option"),
    (run("--network", "n10", "--network", "name=n2,ip=172.30.0.99"),
     "invalid endpoint settings: user specified ip address is supported only when connecting to networks with user configured subnets"),
    (run("--network", "n10", "--network", "name=bridge,alias=x"), "network-scoped aliases are only supported for user-defined networks"),
    (run("--network", "host", "--mac-address", "02:42:ac:11:00:77"), "conflicting options: mac-address and the network mode"),
    (run("--mac-address", "01:00:5e:00:00:01"), "invalid mac address 01:00:5e:00:00:01: it must be six bytes"),
    (place("--gw-priority", "text"), 'invalid argument "text" for "--gw-priority" flag'),
    (place("--driver-opt", "com.docker.network.endpoint.sysctls=nonsense"), "not supported here: the option"),
    (network("--ipv4=false"), "ipv4 or ipv6 must be enabled"), (network("-d", "macvlan", "--ipv4=false"), "ipv4 or ipv6 must be enabled"),
]


class Host:
    """The host of a daemon: its interfaces, rules and sockets, and what the daemon keeps."""

    def __init__(self, daemon, folders=()):
        self.into = ["nsenter", f"--net=/proc/{daemon.process.pid}/ns/net", "--"]
        self.folders = folders
        self.run("ip", "link", "add", "alien", "up", "type", "bridge")
        self.holder = subprocess.Popen(
            [*self.into, "/usr/bin/python3", "-c", "import socket; s = socket.create_server(('', 8099)); print(flush=True); input()"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.holder.stdout.readline()

    def run(self, *words):
        return subprocess.run([*self.into, *words], check=True, capture_output=True, text=True).stdout

    def close(self):
        self.holder.communicate(b"\n", timeout=20)
        self.run("ip", "link", "del", "alien")

    def inventory(self):
        links = json.loads(self.run("ip", "-j", "address"))
        return {
            "links": {f"{link['ifname']} in {link.get('master')}" for link in links},
            "addresses": {f"{link['ifname']} {address['local']}" for link in links for address in link["addr_info"]},
            "rules": set(re.sub(r"counter packets \d+ bytes \d+", "", self.run("nft", "list", "ruleset")).splitlines()),
            "sockets": {line.split()[4] for line in self.run("ss", "-Hlntu").splitlines()},
            "files": {str(path) for folder in self.folders for path in folder.rglob("*")},
        }


class Typist:
    """A client at a daemon, and what is seen there."""

    def __init__(self, program, address, folder, version="1.41"):
        self.program, self.address = program, address
        self.environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "DOCKER_HOST": f"unix://{address}", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
        if version:
            self.environment["DOCKER_API_VERSION"] = version

    def told(self, method, path):
        connection = http.client.HTTPConnection("docker")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(str(self.address))
        connection.request(method, "/v1.41" + path)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        assert answer.status < 300, (path, body)
        return json.loads(body) if body else None

    def objects(self):
        found = {network["Id"]: network["Name"] for network in self.told("GET", "/networks")}
        for container in self.told("GET", "/containers/json?all=1"):
            found[container["Id"]] = f"{container['State']} container"
        return found

    def type(self, words):
        """What a line has said, and what there is since, which is taken away again."""
        before = self.objects()
        done = subprocess.run([self.program, *words], env=self.environment, capture_output=True, text=True, input="n\n", timeout=60)
        left = []
        for key, what in self.objects().items():
            if key not in before:
                left.append(what)
                self.told("DELETE", f"/containers/{key}?force=1" if what.endswith(" container") else f"/networks/{key}")
        if words[:2] == ["network", "connect"] and done.returncode == 0:
            subprocess.run([DEBIAN, "-H", f"unix://{self.address}", "network", "disconnect", *words[-2:]], check=True, capture_output=True)
        text = without_what_is_new_each_time(done.stderr)
        text = re.sub(r"\b172\.\d+\.0\.\d+(?=:\d+/)", "ADDRESS", re.sub(r"process \d+", "process N", text))
        return done.returncode, [line for line in as_berth_says_it(text) if not line.startswith("usage:")], left


def set_up(address, busybox_tar):
    for words in [["import", "--change", 'CMD ["sleep", "1000"]', str(busybox_tar), "box:latest"], *SCENE]:
        done = subprocess.run([DEBIAN, "-H", f"unix://{address}", *words], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, f"{words}: {done.stderr}"


def take_down(address):
    names = [words[words.index("--name") + 1] for words in SCENE if "--name" in words]
    networks = [words[-1] for words in SCENE if "--name" not in words]
    for words in (["rm", "-f", *names], ["network", "rm", *networks[::-1]]):
        subprocess.run([DEBIAN, "-H", f"unix://{address}", *words], check=True, capture_output=True, timeout=120)


@pytest.fixture(scope="module")
def theirs(busybox_tar, tmp_path_factory):
    """What dockerd says to the stock clients."""
    base = tempfile.mkdtemp(prefix="docker-refused-")
    docker = Docker(base, networks=True)
    host = Host(docker)
    set_up(docker.socket, busybox_tar)
    folder = tmp_path_factory.mktemp("docker")
    yield {name: [Typist(program, docker.socket, folder).type(words) for words in REFUSED] for name, program in clients().items() if name != "berth"}
    take_down(docker.socket)
    host.close()
    docker.stop()
    shutil.rmtree(base)


@pytest.fixture(scope="module")
def berthd(busybox_tar):
    base = tempfile.mkdtemp(prefix="berth-refused-")
    daemon = Apart(base).start()
    daemon.host = Host(daemon, [pathlib.Path(base) / name for name in ("root/containers", "root/networks", "root/sandboxes", "run")])
    set_up(daemon.socket, busybox_tar)
    yield daemon
    take_down(daemon.socket)
    daemon.host.close()
    daemon.stop()
    shutil.rmtree(base)


def typed(berthd, typist, words):
    """What a line has said, after which everything is as before."""
    answer = typist.type(words)
    wait_for(lambda: berthd.host.inventory() == berthd.inventory, f"everything to be as before: {words}")
    return answer


@pytest.fixture(scope="module")
def ours(berthd, tmp_path_factory):
    berthd.inventory = berthd.host.inventory()
    folder = tmp_path_factory.mktemp("berth")
    return {name: [typed(berthd, Typist(program, berthd.socket, folder), words) for words in REFUSED] for name, program in clients().items()}


@pytest.mark.parametrize("name", [name for name in clients() if name != "berth"])
def test_refused_as_docker_does_it(theirs, ours, name):
    differences = []
    for words, (status, said, left), (own_status, own_said, own_left) in zip(REFUSED, theirs[name], ours[name], strict=True):
        line = " ".join(words)
        own = next((text for pattern, text in OWN_WORDS if re.search(pattern, line)), None)
        is_own = own is not None and own in " ".join(own_said) and own_status == (status or (125 if "run" in words else 1))
        # What is refused by berthd before anything is made, dockerd refuses when it starts what it has made.
        if ((status, said) != (own_status, own_said) and not is_own) or not set(own_left) <= set(left):
            differences.append(f"$ {line}\n    dockerd {status} {said} {left}\n    berthd {own_status} {own_said} {own_left}")
    assert not differences, "\n".join(differences)


def test_our_client_says_what_dockers_do(ours):
    # docker leaves this one to the daemon.
    other = {"run -d --name wrong --expose 80/icmp box": [125, ["invalid range format for --expose: 80/icmp, error: invalid proto: icmp"], []]}
    differences = []
    for index, words in enumerate(REFUSED):
        line, said = " ".join(words), {name: list(answers[index]) for name, answers in ours.items()}
        own = said.pop("berth")
        if own not in [*said.values(), other.get(line)]:
            differences.append(f"$ {line}\n    docker {said}\n    berth {own}")
    assert not differences, "\n".join(differences)


def test_words_of_our_own_are_needed(theirs, ours):
    differing = [" ".join(words) for index, words in enumerate(REFUSED) if any(theirs[name][index][:2] != ours[name][index][:2] for name in theirs)]
    unused = [pattern for pattern, _ in OWN_WORDS if not any(re.search(pattern, line) for line in differing)]
    assert [pattern for pattern in unused if pattern not in ("ipvlan -o parent", "sctp")] == []  # not every kernel lacks these


@pytest.mark.parametrize("name", [name for name in clients() if name != "docker-debian"])
@pytest.mark.parametrize("words, expected", YOUNGER, ids=[" ".join(words) for words, _ in YOUNGER])
def test_what_is_younger_is_refused(berthd, ours, tmp_path, name, words, expected):
    status, said, left = typed(berthd, Typist(clients()[name], berthd.socket, tmp_path, None), words)
    assert status in (1, 125) and expected in " ".join(said) and left == []
