"""Other people's programs over our networks: nginx, curl, dnsmasq, dig, getent, iperf3 and a program of musl's, of Debian's packages; also while the
firewall is flushed and the daemon killed."""
import os
import re
import shutil
import subprocess
import tempfile

import pytest

from conftest import Client, Daemon, clients, wait_for

HOST, OUTSIDE = {4: "203.0.113.1", 6: "2001:db8:77::1"}, {4: "203.0.113.9", 6: "2001:db8:77::9"}

NGINX = ("nginx", "-g", "daemon off;")

# What a program linked with musl finds for each word: addresses, and the names of those.
LOOK = r"""
#include <netdb.h>
#include <stdio.h>
int main(int count, char **words) {
    for (int i = 1; i < count; i++) {
        struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
        int code = getaddrinfo(words[i], NULL, &hints, &found);
        if (code) { printf("%s: %s\n", words[i], gai_strerror(code)); continue; }
        for (; found; found = found->ai_next) {
            char text[64], name[256] = "?";
            getnameinfo(found->ai_addr, found->ai_addrlen, text, sizeof text, NULL, 0, NI_NUMERICHOST);
            getnameinfo(found->ai_addr, found->ai_addrlen, name, sizeof name, NULL, 0, NI_NAMEREQD);
            printf("%s: %s %s\n", words[i], text, name);
        }
    }
}
"""


def run(*command, status=0):
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=60)
    assert status is None or done.returncode == status, f"{command} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


class WorldDaemon(Daemon):
    flags = []

    def arguments(self):
        return super().arguments() + self.flags


@pytest.fixture(scope="module")
def outside():
    """A machine elsewhere: a network namespace, as the words by which a command runs in it."""
    holder = subprocess.Popen(["unshare", "--net", "sh", "-c", "echo made; exec cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout.readline() == b"made\n"
    within = ["nsenter", f"--net=/proc/{holder.pid}/ns/net", "--"]
    run("ip", "link", "add", "world0", "type", "veth", "peer", "name", "eth0", "netns", holder.pid)
    for prefix, link, addresses in (([], "world0", HOST), (within, "eth0", OUTSIDE)):
        run(*prefix, "ip", "link", "set", "lo", "up")
        run(*prefix, "ip", "address", "add", f"{addresses[4]}/24", "dev", link)
        run(*prefix, "ip", "address", "add", f"{addresses[6]}/64", "dev", link, "nodad")
        run(*prefix, "ip", "link", "set", link, "up")
    yield within
    run("ip", "link", "del", "world0")
    holder.stdin.close()
    holder.wait()


@pytest.fixture(scope="module")
def daemon(outside):
    daemon = WorldDaemon(tempfile.mkdtemp(prefix="berth-world-")).start()
    yield daemon
    daemon.stop()
    shutil.rmtree(daemon.base)


@pytest.fixture(scope="module")
def docker(daemon, tmp_path_factory):
    """Debian's docker, an image of Debian's programs, a network, and in it a web server and one who asks."""
    docker = Client("docker-debian", clients()["docker-debian"], daemon)
    docker("import", os.environ["BERTH_WORLD_TAR"], "debian")
    folder = tmp_path_factory.mktemp("look")
    (folder / "look.c").write_text(LOOK)
    run("musl-gcc", "-static", "-o", folder / "look", folder / "look.c")
    docker("run", "--name", "made", "-v", f"{folder}:/made", "debian", "cp", "/made/look", "/usr/bin/look")
    docker("commit", "made", "world")
    docker("rm", "made")
    docker("network", "create", "--ipv6", "front")
    docker("run", "-d", "--name", "web", "--hostname", "pluto", "--network", "front", "--network-alias", "www", "-p", "8080:80", "world", *NGINX)
    docker("run", "-d", "--name", "asking", "--network", "front", "world", "sleep", "1000")
    yield docker
    docker("rm", "-f", *docker.out("ps", "-aq").split())
    docker("network", "rm", "front")
    docker.check_answers()


def address(docker, container, version, network="front"):
    member = {4: "IPAddress", 6: "GlobalIPv6Address"}[version]
    return docker.out("inspect", "-f", f"{{{{.NetworkSettings.Networks.{network}.{member}}}}}", container)


def url(address, port=80, path=""):
    return f"http://{f'[{address}]' if ':' in address else address}:{port}/{path}"


CURL = ("curl", "--fail", "--silent", "--show-error", "--max-time", "20")
SERVED = "<title>Welcome to nginx!</title>"


def test_a_web_server_is_served_to_everybody(docker, outside):
    wait_for(lambda: ":0050 " in docker.out("exec", "web", "cat", "/proc/net/tcp"), "nginx to listen")
    # From the host's loopback and from elsewhere.
    for where, to in (((), "127.0.0.1"), ((), "::1"), (outside, HOST[4]), (outside, HOST[6])):
        assert SERVED in run(*where, *CURL, url(to, 8080, f"?to={to}")), to
    # From a container: by the name, and by the host's address.
    for version in (4, 6):
        assert SERVED in docker.out("exec", "asking", *CURL, f"-{version}", url("web", path=f"?by-name-{version}"))
        assert SERVED in docker.out("exec", "asking", *CURL, url(HOST[version], 8080))
    log = docker.out("exec", "web", "cat", "/var/log/nginx/access.log").splitlines()
    asked_by = {line.split()[6]: line.split()[0] for line in log}
    for version in (4, 6):
        assert asked_by[f"/?to={HOST[version]}"] == OUTSIDE[version]
        assert asked_by[f"/?by-name-{version}"] == address(docker, "asking", version)


def test_a_web_server_in_the_default_network(docker, outside):
    docker("run", "-d", "--name", "plain", "-p", "8081:80", "world", *NGINX)
    docker("run", "-d", "--name", "beside", "world", "sleep", "1000")
    wait_for(lambda: ":0050 " in docker.out("exec", "plain", "cat", "/proc/net/tcp"), "nginx to listen")
    for where, to in (((), "127.0.0.1"), ((), "::1"), (outside, HOST[4]), (outside, HOST[6])):
        assert SERVED in run(*where, *CURL, url(to, 8081, f"?to={to}")), to
    for to in (url(address(docker, "plain", 4, "bridge")), url(HOST[4], 8081)):
        assert SERVED in docker.out("exec", "beside", *CURL, to)
    log = docker.out("exec", "plain", "cat", "/var/log/nginx/access.log").splitlines()
    assert {line.split()[6]: line.split()[0] for line in log}[f"/?to={HOST[4]}"] == OUTSIDE[4]
    docker("rm", "-f", "plain", "beside")


def dig(docker, container, *words):
    """The status, and what was found."""
    text = docker.out("exec", container, "dig", *words)
    found = re.findall(r"^[^;\s]\S*\s+\d+\s+IN\s+\S+\s+(\S+)$", text, re.MULTILINE)
    return re.search(r"status: (\w+)", text)[1], sorted(found)


@pytest.fixture(scope="module")
def dnsmasq(docker):
    docker("run", "-d", "--name", "dns", "--network", "front", "world", "dnsmasq", "--keep-in-foreground", "--log-facility=-", "--no-resolv", "--no-hosts",
           "--local=/example/", "--host-record=dns.example,192.0.2.77,2001:db8::77")
    wait_for(lambda: "00000000:0035 " in docker.out("exec", "dns", "cat", "/proc/net/udp"), "dnsmasq to listen")
    return "dns"


def test_a_name_server_of_a_containers_own(docker, dnsmasq):
    assert "00000000:0035 " in docker.out("exec", dnsmasq, "cat", "/proc/net/tcp")
    web = address(docker, "web", 4)
    for transport in ("+notcp", "+tcp"):
        for server in ("dns", address(docker, dnsmasq, 4), address(docker, dnsmasq, 6)):
            assert dig(docker, "asking", transport, f"@{server}", "dns.example") == ("NOERROR", ["192.0.2.77"])
            assert dig(docker, "asking", transport, f"@{server}", "dns.example", "AAAA") == ("NOERROR", ["2001:db8::77"])
        # In its own container it has every address but the one that is ours.
        assert dig(docker, dnsmasq, transport, "@127.0.0.1", "dns.example") == ("NOERROR", ["192.0.2.77"])
        assert dig(docker, dnsmasq, transport, "@127.0.0.11", "web") == ("NOERROR", [web])
        assert dig(docker, dnsmasq, transport, "web") == ("NOERROR", [web])


def test_names_as_dig_and_two_libraries_see_them(docker, dnsmasq):
    # One who asks dnsmasq for what we do not know; and one without an address of version 6.
    docker("network", "create", "four")
    docker("run", "-d", "--name", "old", "--network", "four", "world", "sleep", "1000")
    docker("run", "-d", "--name", "curious", "--network", "front", "--dns", address(docker, dnsmasq, 4), "world", "sleep", "1000")
    docker("network", "connect", "four", "curious")
    identity, v4, v6 = docker.out("inspect", "-f", "{{.Id}}", "web"), address(docker, "web", 4), address(docker, "web", 6)
    names = ["web", identity[:12], "www", "pluto", "web.front"]
    for name in names:
        for transport in ("+notcp", "+tcp"):
            assert dig(docker, "curious", transport, name) == ("NOERROR", [v4]), name
            assert dig(docker, "curious", transport, name, "AAAA") == ("NOERROR", [v6]), name
        assert {line.split()[0] for line in docker.out("exec", "curious", "getent", "ahosts", name).splitlines()} == {v4, v6}
    seen = docker.out("exec", "curious", "look", *names, "old", "dns.example", "nothing.example").splitlines()
    old = address(docker, "old", 4, "four")
    assert sorted(seen) == sorted(
        [f"{name}: {known} web.front" for name in names for known in (v4, v6)]
        + [f"old: {old} old.four", "dns.example: 192.0.2.77 dns.example", "dns.example: 2001:db8::77 dns.example", "nothing.example: Name does not resolve"])
    for known in (v4, v6):
        assert dig(docker, "curious", "-x", known) == ("NOERROR", ["web.front."])
        assert docker.out("exec", "curious", "getent", "hosts", known).split() == [known, "web.front"]
    # No such name, and nothing of that kind: of our own names, and of those that another server knows.
    assert dig(docker, "curious", "old", "AAAA") == ("NOERROR", [])
    assert dig(docker, "curious", "web", "MX") == ("NOERROR", [])
    assert dig(docker, "curious", "dns.example", "MX") == ("NOERROR", [])
    assert dig(docker, "curious", "nothing.example") == ("NXDOMAIN", [])
    assert dig(docker, "curious", "-x", v4.rsplit(".", 1)[0] + ".250") == ("NXDOMAIN", [])
    assert docker("exec", "curious", "getent", "ahosts", "nothing.example", status=None).returncode == 2
    docker("rm", "-f", "old", "curious")
    docker("network", "rm", "four")


# Asks for the page again and again, over one connection that it keeps and over new ones, and says so. What is not answered within so many seconds,
# however often it is asked for, ends it.
LOAD = f"""
import http.client, sys, time
host, port, patience = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
def ask(connection):
    began = time.monotonic()
    while True:
        try:
            connection.request("GET", "/")
            answer = connection.getresponse()
            assert answer.status == 200 and {SERVED!r} in answer.read().decode()
            return
        except (OSError, http.client.HTTPException):
            if time.monotonic() - began >= patience:
                raise
            connection.close()
kept = http.client.HTTPConnection(host, port, timeout=20)
while True:
    new = http.client.HTTPConnection(host, port, timeout=20)
    ask(kept)
    ask(new)
    new.close()
    print("answered", flush=True)
"""

# Asks for a name as glibc, musl and dig do, with as many tries as they make by themselves, and says what came of it.
ASKING = """
while :; do
    getent ahosts server >/dev/null && look server | grep -q ' server.front$' && dig server | grep -q 'status: NOERROR' && echo answered || echo lost
done >/shared/names
"""

TRANSFER = ("iperf3", "-t", "20", "-b", "200M", "--forceflush")


class Storm:
    """Traffic of every kind, each with a file that grows as it goes on."""

    def __init__(self, docker, folder):
        self.docker, self.folder, self.processes = docker, folder, {}
        docker("run", "-d", "--name", "server", "--network", "front", "-p", "5201:5201", "world", "sh", "-c",
               "iperf3 -s --forceflush & exec iperf3 -s -p 5202 --forceflush")
        wait_for(lambda: docker.out("logs", "server").count("Server listening") == 2, "iperf3 to listen")
        for name, script in (("names", ASKING), ("between", f"exec {' '.join(TRANSFER)} -c server -p 5202 >/shared/between 2>&1")):
            docker("run", "-d", "--name", name, "--network", "front", "-v", f"{folder}:/shared", "world", "sh", "-c", script)

    def begin(self, name, *command):
        output = open(self.folder / name, "wb")
        self.processes[name] = subprocess.Popen([*map(str, command)], stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)

    def text(self, name):
        return (self.folder / name).read_text()

    def check(self):
        for name, process in self.processes.items():
            assert process.poll() is None, f"{name} has ended:\n{self.text(name)[-1000:]}"
        assert "lost" not in self.text("names")

    def goes_on(self, but=()):
        """Until each has gone on by something, which for iperf3 is a second."""
        names = {*self.processes, "between", "names"} - {*but}
        before = {name: len(self.text(name)) for name in names}
        wait_for(lambda: self.check() or all(len(self.text(name)) > before[name] for name in names), f"{names} to go on")

    def intervals(self, name):
        """How much was transferred, second by second."""
        return [float(count) for count in re.findall(r"sec +([\d.]+) [KMG]?Bytes .*\d+ +[\d.]+ [KMG]?Bytes", self.text(name))]

    def end(self):
        for process in self.processes.values():
            process.kill()
            process.wait()
        self.docker("rm", "-f", "server", "names", "between")


@pytest.fixture
def storm(docker, tmp_path):
    storm = Storm(docker, tmp_path)
    yield storm
    storm.end()


@pytest.mark.parametrize("protection", ["owned", "watched"])
def test_traffic_goes_on(storm, docker, daemon, outside, protection):
    """An owned table is not lost. A watched one comes back, and until then the kernel breaks connections to published ports: who asks again is served."""
    daemon.stop()
    daemon.flags = ["--firewall-protect", protection]
    daemon.start()
    told = run(clients()["berth"], "-H", f"unix://{daemon.socket}", "system", "firewall", "--format", "{{.protection}}")
    assert told == f"{protection}\n"
    table, is_owned = "berth-" + docker.out("info", "-f", "{{.ID}}"), protection == "owned"

    def rules():
        text = run("nft", "list", "table", "inet", table, status=None)
        return sorted(line for line in text.splitlines() if "table" not in line and "flags owner" not in line)

    patience = 0 if is_owned else 1
    load = ["/usr/bin/python3", "-c", LOAD]
    transfer = ["published", *outside, *TRANSFER, "-c", HOST[4]]
    storm.begin("from-outside", *outside, *load, HOST[4], 8080, patience)
    storm.begin("from-outside6", *outside, *load, HOST[6], 8080, patience)
    storm.begin("from-loopback", *load, "::1", 8080, 0)
    if is_owned:
        storm.begin(*transfer)
    storm.goes_on()
    before = rules()
    assert any("tcp . 8080" in line for line in before)
    for command in (["nft", "flush", "ruleset"], ["iptables", "-F"]):
        run(*command)
        wait_for(lambda: rules() == before, "the rules to be there")
        storm.goes_on()
    if not is_owned:
        storm.begin(*transfer)
        storm.goes_on()
    daemon.kill()
    # A name that is asked for now waits for the next daemon.
    storm.goes_on(but=["names"])
    daemon.start()
    storm.goes_on()
    assert rules() == before
    assert storm.processes["published"].wait(60) == 0, storm.text("published")
    assert docker.out("wait", "between") == "0", storm.text("between")
    for name in ("published", "between"):
        counts = storm.intervals(name)
        assert len(counts) >= 20 and all(count > 0 for count in counts), storm.text(name)
    del storm.processes["published"]
    storm.check()
