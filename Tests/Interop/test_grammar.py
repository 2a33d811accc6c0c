"""The same command line, read by docker and by berth: the daemon is told the same, or the same is said of the mistake."""
import json
import os
import pathlib
import re
import shutil
import socketserver
import subprocess
import tempfile
import threading

import pytest

from conftest import BIN, clients

# What is typed behind `docker`, word by word.
LINES = [
    ["run", "-idt", "box"],
    ["run", "-it", "-d", "box", "sh"],
    ["run", "-dit", "--name", "c", "box", "sh", "-c", "a  b"],
    ["run", "--rm=false", "-d", "box"],
    ["run", "--rm=true", "-d", "box"],
    ["run", "--rm", "--rm=false", "-d", "box"],
    ["run", "--rm", "-d=1", "box"],
    ["run", "-d", "--rm=T", "box"],
    ["run", "-d", "--sig-proxy=false", "box", "--sig-proxy=true"],
    ["run", "-d", "-eA=b", "-e", "B=1 2", "--env=C=", "--env", "-d=x", "-e=D=4", "box"],
    ["run", "-d", "-e", "FROM_OUTSIDE", "-e", "NOT_SET_ANYWHERE", "box"],
    ["run", "-d", "-m512m", "box"],
    ["run", "-d", "-m", "1.5g", "--memory-swap=-1", "--memory-reservation", "64MiB", "box"],
    ["run", "-d", "--cpus", "1.5", "-c", "512", "--cpuset-cpus=0-1", "--cpu-period=1000", "--cpu-quota", "500", "box"],
    ["run", "-d", "--cpus=.5", "--pids-limit", "-1", "--shm-size", "1k", "box"],
    ["run", "-d", "--init=true", "--group-add", "a", "--group-add=5", "--oom-score-adj", "-5", "--sysctl", "net.core.somaxconn=9", "box"],
    ["run", "-d", "--init=false", "box"],
    ["run", "-d", "--device", "/dev/null", "--device=/dev/zero:r", "--device", "/dev/full:/dev/x", "--device", "/dev/full:/dev/y:rw", "box"],
    ["run", "-d", "--device-cgroup-rule", "c 1:3 r", "--device-cgroup-rule=b *:* rwm", "box"],
    ["run", "-d", "--device-read-bps", "/dev/a:1mb", "--device-write-bps=/dev/a:5", "--device-read-iops", "/dev/a:7", "--device-write-iops", "/dev/b:8", "box"],
    ["run", "-d", "--blkio-weight", "100", "--blkio-weight-device", "/dev/a:200", "--memory-swappiness", "0", "box"],
    ["run", "-d", "--cpu-rt-period", "1000", "--cpu-rt-runtime=500", "--cgroup-parent", "/a/b", "--runtime", "runc", "--isolation=default", "box"],
    ["run", "-d", "--pid", "host", "--ipc=container:x", "--uts", "host", "--userns=host", "--cgroupns", "private", "box"],
    ["run", "-d", "--gpus", "all", "box"],
    ["run", "-d", "--gpus", "2", "box"],
    ["run", "-d", "--gpus", "device=GPU-1", "box"],
    ["run", "-d", "--security-opt", "systempaths=unconfined", "--security-opt", "label=disable", "--storage-opt", "size=1G", "box"],
    ["run", "-d", "--pids-limit=77", "--oom-kill-disable", "--stop-timeout", "3", "--stop-signal", "USR1", "box"],
    ["run", "-d", "-h", "here", "box"],
    ["run", "-d", "-hhere", "--domainname", "there.example", "box"],
    ["run", "-d", "--hostname=", "box"],
    ["run", "-d", "-u", "1:2", "-w/tmp", "box", "pwd"],
    ["run", "-d", "-w=/tmp", "--user=root", "box"],
    ["run", "-d", "--entrypoint", "/bin/sh", "box", "-c", "x"],
    ["run", "-d", "--entrypoint=", "box"],
    ["run", "-d", "--entrypoint", "", "box", "x"],
    ["run", "-d", "-l", "a=b", "-la.c=d", "--label", "alone", "-l", "a=2", "box"],
    ["run", "-d", "--net", "none", "box"],
    ["run", "-d", "--net=host", "box"],
    ["run", "-d", "--network", "container:other", "box"],
    ["run", "-d", "-p", "80:80", "box"],
    ["run", "-dp80:80", "-p", "81:80/tcp", "-p", "82:80/UDP", "--publish=80", "box"],
    ["run", "-d", "-p", "127.0.0.1::80", "-p", "127.0.0.1:1:80", "-p", "[::1]:1:80", "-p", "[::1]::80/sctp", "box"],
    ["run", "-d", "-p", "8080-8090:80", "-p", "8080-8081:90-91/udp", "-p", "100-102", "-p", "0080:0080", "box"],
    ["run", "-d", "-p", "target=8080", "-p", "published=80,target=8081,protocol=udp,mode=host", "box"],
    ["run", "-d", "-P", "--expose", "90", "--expose=100-102/udp", "--expose", "80", "-p", "80:80", "box"],
    ["run", "-d", "--dns", "1.1.1.1", "--dns=2001:DB8::0:1", "--dns-search", "a.b.", "--dns-search=.", "--dns-opt", "ndots:2", "--dns-option=use-vc", "box"],
    ["run", "-d", "--add-host", "a:1.2.3.4", "--add-host=d:host-gateway", "--add-host", "e:::1", "box"],
    ["run", "-d", "--add-host", "b=::1", "--add-host", "c=[::1]", "--add-host", "a:[::1]", "box"],
    ["run", "-d", "--link", "a", "--link=b:c", "--link", "/d:/e/f", "box"],
    ["run", "-d", "--network", "n", "--ip", "1.2.3.4", "--ip6", "2001:DB8::1", "--link-local-ip", "169.254.1.1", "--network-alias", "a", "--net-alias=b",
     "--link", "x:y", "box"],
    ["run", "-d", "--network", "n", "--mac-address", "02:42:ac:11:00:02", "box"],
    ["run", "-d", "--network", "name=n,alias=A,alias=b,ip=1.2.3.4,ip6=2001:DB8::1,driver-opt=K=V,link-local-ip=169.254.1.1", "box"],
    ["run", "-d", "--network", "name=n,mac-address=02:42:AC:11:00:02,gw-priority=5", "box"],
    ["run", "-d", "--network", 'name=n,"driver-opt=a=b,c=d"', "box"],
    ["run", "-d", "--network", "name=n", "box"],
    ["run", "-d", "--network", "name=n,ip=1.2.3.4", "--network-alias", "a", "box"],
    ["run", "-d", "--network", "n", "--network", "m", "box"],
    ["run", "-d", "--network", "bridge", "--network", "host", "box"],
    ["run", "-d", "--network", "none", "-p", "80:80", "box"],
    ["run", "-d", "--network", "container:x", "-h", "a", "box"],
    ["network", "create", "n"],
    ["network", "create", "-d", "bridge", "--subnet", "172.20.0.0/16", "--gateway=172.20.0.1", "--ip-range", "172.20.5.0/24", "--aux-address", "r=172.20.0.2",
     "--aux-address=s=172.20.0.3", "n"],
    ["network", "create", "--subnet", "172.20.0.0/16,2001:db8::/64", "--gateway", "2001:db8::1,172.20.0.1", "--ipv6", "n"],
    ["network", "create", "--internal", "--attachable", "--label", "a=b", "--label=c", "-o", "x=y", "--opt=z", "--ipam-driver", "d", "--ipam-opt", "e=f", "n"],
    ["network", "create", "--ingress", "--scope", "swarm", "--config-only", "--config-from", "base", "n"],
    ["network", "create", "--subnet", "x", "n"],
    ["network", "create", "--ipv4", "n"],
    ["network", "create", "--ipv6=false", "n"],
    ["network", "ls", "-q", "--no-trunc", "-f", "driver=bridge", "--filter=name=x"],
    ["network", "list"],
    ["network", "rm", "a", "b"],
    ["network", "remove", "a"],
    ["network", "rm", "-f", "a"],
    ["network", "inspect", "a", "b"],
    ["network", "inspect", "-v", "-f", "{{.Name}}", "a"],
    ["network", "prune", "-f", "--filter", "until=24h", "--filter=label=x"],
    ["network", "connect", "n", "c"],
    ["network", "connect", "--ip", "1.2.3.4", "--ip6=::1", "--alias", "a,b", "--alias=c", "--link", "x:y", "--link=z", "--link-local-ip", "169.254.1.1,169.254.1.2",
     "--driver-opt", "a=b", "--driver-opt=c=d", "n", "c"],
    ["network", "disconnect", "n", "c"],
    ["network", "disconnect", "-f", "n", "c"],
    ["inspect", "--type", "network", "n"],
    ["run", "-d", "--cap-add", "NET_ADMIN", "--cap-add=SYS_TIME", "--cap-drop", "ALL", "box"],
    ["run", "-d", "--privileged", "--read-only", "box"],
    ["run", "-d", "--security-opt", "no-new-privileges", "--security-opt=seccomp=unconfined", "box"],
    ["run", "-d", "--ulimit", "nofile=10:20", "--ulimit=core=0", "box"],
    ["run", "-d", "--ulimit", "nproc=-1", "box"],
    ["run", "-d", "-v", "/a:/b", "-v/c:/d:ro", "--volume=/e:/f:ro,rslave", "box"],
    ["run", "-d", "-v", "./here:/b", "box"],
    ["run", "-d", "--mount", "type=bind,source=/a,target=/b,readonly", "box"],
    ["run", "-d", "--mount", "type=bind,src=/a,dst=/b,bind-propagation=rslave", "box"],
    ["run", "-d", "--log-driver", "none", "box"],
    ["run", "-d", "--restart", "no", "box"],
    ["run", "-d", "--", "box", "-x", "--", "y"],
    ["run", "-d", "box", "--", "-x"],
    ["run", "-d", "box", "ls", "-l", "--rm", "-d", "--help"],
    ["run", "-d", "box", ""],
    ["run", "-i", "-a", "stdin", "-d=false", "-a", "stdout", "box"],
    ["run", "-a=stderr", "box"],
    ["run", "-t=false", "-i=0", "-d", "box"],
    ["run", "--interactive", "--detach", "--tty", "box"],
    ["run", "-d", "registry.example:5000/a/b:c@sha256:" + "0" * 64],
    ["create", "-it", "--name=c", "box", "sh"],
    ["create", "box"],
    ["container", "run", "-d", "box"],
    ["container", "create", "-e", "A=1", "box", "true"],
    ["exec", "-it", "-e", "A=1", "c", "sh", "-c", "-x"],
    ["exec", "-d", "-eA=1", "-w/x", "-u=me", "--privileged", "c", "true", "-d"],
    ["exec", "-di", "c", "--", "x"],
    ["exec", "c"],
    ["exec", "--detach-keys=x", "-d", "c", "true"],
    ["start", "-a", "-i", "c"],
    ["stop", "-t", "3", "c"],
    ["stop", "-t0", "c", "d"],
    ["kill", "-sUSR1", "c"],
    ["kill", "--signal=9", "c", "d"],
    ["rm", "-fv", "c", "d"],
    ["rm", "c", "-f"],
    ["rm", "c", "--", "-f"],
    ["wait", "c", "d"],
    ["logs", "-ft", "--tail=3", "c"],
    ["logs", "-n", "2", "--follow=false", "c"],
    ["ps", "-aq", "-f", "name=x", "--filter=name=y", "-f", "status=exited"],
    ["ps", "-n3"],
    ["ps", "-l", "--no-trunc"],
    ["ps", "-as"],
    ["images", "-a", "--filter", "dangling=true"],
    ["images", "name:tag"],
    ["inspect", "--type=container", "-s", "c"],
    ["inspect", "--type", "image", "i"],
    ["tag", "a", "b:c"],
    ["rmi", "-f", "--no-prune", "a", "b"],
    ["history", "-qH=false", "--no-trunc", "a"],
    ["image", "prune", "-af", "--filter", "until=24h", "--filter=label!=a=b"],
    ["image", "prune", "--force"],
    ["events", "--since", "5", "--until=6", "-f", "type=container"],
    ["attach", "--no-stdin", "--sig-proxy=false", "c"],
]

# What is refused before anything is sent: the same exit code and, where the words are Docker's own library's, the same words.
MISTAKES = [
    ["run", "--nonsense", "box"],
    ["run", "-Z", "box"],
    ["run", "-idZ", "box"],
    ["run", "--no-rm", "box"],
    ["run", "--no-sig-proxy", "box"],
    ["run", "--rm=maybe", "box"],
    ["run", "-m", "lots", "box"],
    ["run", "-m"],
    ["run", "--env"],
    ["run", "--cpus", "x", "box"],
    ["run", "--pids-limit", "x", "box"],
    ["run", "--device-cgroup-rule", "nonsense", "box"],
    ["run", "--device", "/dev/null:x", "box"],
    ["run", "--device", "/dev/null:/dev/x:q", "box"],
    ["run", "--device-read-bps", "x", "box"],
    ["run", "--device-read-bps", "/dev/a:x", "box"],
    ["run", "--device-write-iops", "/dev/a:x", "box"],
    ["run", "--blkio-weight-device", "/dev/a:5", "box"],
    ["run", "--memory-swappiness", "101", "box"],
    ["run", "--pid", "odd", "box"],
    ["run", "--gpus", "x=y", "box"],
    ["run", "--ulimit", "nofile", "box"],
    ["run", "--ulimit", "nofile=3:2", "box"],
    ["run", "--mount", "type=bind,source=/a", "box"],
    ["run", "--mount", "typo=bind", "box"],
    ["run", "--=x", "box"],
    ["run", "-d", "-a", "stdout", "box"],
    ["run", "-e", "=x", "box"],
    ["run", "--env-file", "/nonexistent", "box"],
    ["run", "-p", "80:80/x", "box"],
    ["run", "-p", "80:x", "box"],
    ["run", "-p", "x:80", "box"],
    ["run", "-p", "70000:80", "box"],
    ["run", "-p", "80-81:80-82", "box"],
    ["run", "-p", "82-81:80", "box"],
    ["run", "-p", "1.2.3:80:80", "box"],
    ["run", "-p", "[::1:80:80", "box"],
    ["run", "-p", ":", "box"],
    ["run", "-p", "80:", "box"],
    ["run", "-p", "", "box"],
    ["run", "-p", "published=80", "box"],
    ["run", "-p", "x=80,foo", "box"],
    ["run", "--expose", "x", "box"],
    ["run", "--expose", "80:80", "box"],
    ["run", "--expose", "70000", "box"],
    ["run", "--expose", "/tcp", "box"],
    ["run", "--expose", "", "box"],
    ["run", "--dns-search", "ex_ample", "box"],
    ["run", "--dns-search", "--", "box"],
    ["run", "--dns-search", "", "box"],
    ["run", "--add-host", "a", "box"],
    ["run", "--add-host", "a:", "box"],
    ["run", "--add-host", "a:x", "box"],
    ["run", "--add-host", ":1.2.3.4", "box"],
    ["run", "--link", "a:b:c", "box"],
    ["run", "--link", "", "box"],
    ["run", "--mac-address", "x", "box"],
    ["run", "--network", "name=n,foo=bar", "box"],
    ["run", "--network", "alias=x", "box"],
    ["run", "--network", "name=n,alias", "box"],
    ["run", "--network", "name=n,driver-opt=x", "box"],
    ["run", "--network", "name=n,alias=x", "--network-alias", "y", "box"],
    ["run", "--network", "name=n,ip=1.2.3.4", "--ip", "1.2.3.5", "box"],
    ["run", "--network", "name=host,alias=x", "box"],
    ["run", "--network", "n", "--network", "n", "box"],
    ["run", "--network", "n", "--network", "host", "box"],
    ["run", "--network", "", "box"],
    ["run", "--network", " ", "box"],
    ["run", "--network", "bridge", "--network-alias", "x", "box"],
    ["network", "create"],
    ["network", "create", "a", "b"],
    ["network", "create", "--subnet", "172.20.0.0/16", "--subnet", "172.20.1.0/24", "n"],
    ["network", "create", "--gateway", "172.20.0.1", "n"],
    ["network", "create", "--subnet", "172.20.0.0/16", "--gateway", "x", "n"],
    ["network", "create", "--subnet", "172.20.0.0/16", "--gateway", "1.2.3.4", "n"],
    ["network", "create", "--subnet", "172.20.0.0/16", "--subnet", "172.21.0.0/16", "--gateway", "172.20.0.1", "--gateway", "172.20.0.2", "n"],
    ["network", "create", "--subnet", "172.20.0.0/16", "--ip-range", "1.2.3.0/24", "n"],
    ["network", "create", "--subnet", "172.20.0.0/16", "--ip-range", "x/24", "n"],
    ["network", "create", "--subnet", "172.20.0.0/16", "--subnet", "172.21.0.0/16", "--ip-range", "172.20.1.0/24", "--ip-range", "172.20.2.0/24", "n"],
    ["network", "create", "--subnet", "172.20.0.0/16", "--aux-address", "r=1.2.3.4", "n"],
    ["network", "create", "--subnet", "172.20.0.0/16", "--aux-address", "r", "n"],
    ["network", "create", "--label", "=x", "n"],
    ["network", "create", "--label", "a b=c", "n"],
    ["network", "ls", "a"],
    ["network", "ls", "-f", "x"],
    ["network", "rm"],
    ["network", "inspect"],
    ["network", "prune", "x"],
    ["network", "connect", "n"],
    ["network", "connect", "--driver-opt", "x", "n", "c"],
    ["network", "connect", "--link", "a:b:c", "n", "c"],
    ["network", "disconnect", "n"],
    ["port"],
    ["port", "a", "b", "c"],
    ["run"],
    ["run", "-d"],
    ["create"],
    ["exec", "c"],
    ["stop"],
    ["stop", "-t", "x", "c"],
    ["rm"],
    ["rm", "-x", "c"],
    ["tag", "a"],
    ["tag", "a", "b", "c"],
    ["logs"],
    ["logs", "a", "b"],
    ["ps", "a"],
    ["ps", "-f", "nonsense"],
    ["images", "a", "b"],
    ["attach"],
    ["wait"],
    ["events", "x"],
    ["version", "x"],
    ["--nonsense", "ps"],
    ["-Z", "ps"],
    ["nonsense"],
    ["container", "nonsense"],
]

# Flags of Docker's that are read and then refused by name.
ABSENT = [
    (["update", "--kernel-memory=4m", "x"], "kernel-memory"),
]


IDENTITY = "c" * 64
DEBIAN = "/usr/bin/docker"


class Handler(socketserver.StreamRequestHandler):
    """Answers the ping, and refuses everything else after having kept it."""

    def handle(self):
        while line := self.rfile.readline():
            method, target, _ = line.decode().split()
            headers = {}
            while (line := self.rfile.readline().strip()):
                name, _, value = line.decode().partition(":")
                headers[name.lower()] = value.strip()
            body = self.rfile.read(int(headers.get("content-length", 0)))
            if target.endswith("/_ping"):
                self.answer(200, "OK", b"OK", "text/plain", method)
                continue
            self.server.asked.append((method, target, body))
            if re.search(r"/containers/[^/]+/json$|/exec/[^/]+/json$", target.split("?")[0]) and "c/json" in target:
                answer = {"Id": IDENTITY, "Config": {"Tty": False, "OpenStdin": True}, "State": {"Running": True, "Status": "running"}}
                self.answer(200, "OK", json.dumps(answer).encode(), "application/json", method)
            else:
                self.answer(500, "Internal Server Error", b'{"message":"kept"}', "application/json", method)

    def answer(self, status, reason, body, kind, method):
        head = f"HTTP/1.1 {status} {reason}\r\nApi-Version: 1.41\r\nOstype: linux\r\nServer: Docker/20\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
        self.wfile.write(head.encode() + (b"" if method == "HEAD" else body))


class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True

    def __init__(self, path):
        super().__init__(path, Handler)
        self.asked = []
        threading.Thread(target=self.serve_forever, daemon=True).start()


@pytest.fixture(scope="module")
def place():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="berth-grammar-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def server(place):
    server = Server(str(place / "api.sock"))
    yield server
    server.shutdown()


@pytest.fixture(scope="module", params=[name for name in clients() if name != "berth"])
def docker(request):
    return clients()[request.param]


def typed(program, words, server, place):
    """Runs a line. Returns its exit code, its complaint, and what the daemon was asked."""
    server.asked.clear()
    environment = {"PATH": os.environ["PATH"], "HOME": str(place), "DOCKER_HOST": f"unix://{place}/api.sock", "FROM_OUTSIDE": "yes", "LC_ALL": "C.UTF-8"}
    master, terminal = os.openpty()  # -it asks for one
    try:
        done = subprocess.run([program, *words], env=environment, capture_output=True, text=True, stdin=terminal, cwd=place, timeout=20)
    finally:
        os.close(master)
        os.close(terminal)
    return done.returncode, done.stderr, list(server.asked)


def meaning(value):
    """A JSON value without what says nothing. Docker's versions differ in which defaults they spell out, in the order of what has none, and in
    whether the client or the daemon completes the name of a capability."""
    if isinstance(value, dict):
        kept = {key: meaning(item) for key, item in value.items() if key != "OnBuild"}
        # Sets, whose members say nothing but that they are there; of the network that there is anyway, newer clients say so.
        if kept.get("ExposedPorts") == {} and value["ExposedPorts"]:
            kept["ExposedPorts"] = sorted(value["ExposedPorts"])
        if "EndpointsConfig" in kept:
            kept["Networks"] = sorted(name for name in value["EndpointsConfig"] if name != "default")
        if "Config" in kept and isinstance(value["Config"], list):
            kept["Config"].sort(key=lambda subnet: subnet.get("Subnet", ""))
        for name in ("CapAdd", "CapDrop"):
            if kept.get(name):
                kept[name] = [item.removeprefix("CAP_") for item in kept[name]]
        if kept.get("MemorySwappiness") == -1:
            del kept["MemorySwappiness"]
        if kept.get("RestartPolicy") == {"Name": "no"}:
            del kept["RestartPolicy"]
        for name in ("Env", "Binds"):
            if kept.get(name):
                kept[name].sort()
        if kept.get("Ulimits"):
            kept["Ulimits"].sort(key=lambda limit: limit["Name"])
        return {key: item for key, item in kept.items() if item not in (None, "", 0, False, [], {}, [0, 0])}
    return [meaning(item) for item in value] if isinstance(value, list) else value


def effects(asked):
    """What the daemon was asked, in a form that can be compared.

    Several objects are asked for side by side, so there is no order; what a client looks up first, and whether it goes on by name or by id, is its own
    affair as long as the last question is the same."""
    found = []
    for method, target, body in asked:
        path, _, query = re.sub(r"^/v[0-9.]+", "", target).replace(IDENTITY, "c").replace("docker.io%2Flibrary%2F", "").partition("?")
        if len(asked) > 1 and (method, path) in (("GET", "/containers/c/json"), ("POST", "/containers/c/wait")):
            continue
        found.append((method, path, sorted(word for word in query.split("&") if word not in ("", "condition=")),
                      meaning(json.loads(body)) if body else None))
    return sorted(found, key=repr)


# What came later to docker than Debian's.
LATER = ("./here:/b", "b=::1", "--ipv4", "name=n,mac-address=02:42:AC:11:00:02,gw-priority=5",
         "name=n,alias=A,alias=b,ip=1.2.3.4,ip6=2001:DB8::1,driver-opt=K=V,link-local-ip=169.254.1.1")

# What newer ones leave to the daemons of their own time.
EARLIER = ("--mac-address", "name=n,mac-address=02:42:AC:11:00:02,gw-priority=5")


@pytest.mark.parametrize("words", LINES, ids=" ".join)
def test_read_as_docker_reads_it(docker, server, place, words):
    if docker == DEBIAN and (set(LATER) & set(words) or words == ["network", "rm", "-f", "a"]):
        pytest.skip("this came later to docker")
    if docker != DEBIAN and set(EARLIER) & set(words):
        pytest.skip("this server speaks an older version of the API")
    status, complaint, asked = typed(docker, words, server, place)
    own_status, own_complaint, own_asked = typed(str(BIN / "berth"), words, server, place)
    assert effects(own_asked) == effects(asked), own_complaint + complaint
    assert own_status == status, own_complaint + complaint


def first_line(text):
    line = re.sub(r"^(docker|berth): ", "", text.strip().splitlines()[0]).replace("docker", "berth")
    return re.sub(r" \(E[A-Z]+\)", "", line).rstrip(".").lower()


@pytest.mark.parametrize("words", MISTAKES, ids=" ".join)
def test_mistakes(docker, server, place, words):
    status, complaint, asked = typed(docker, words, server, place)
    own_status, own_complaint, own_asked = typed(str(BIN / "berth"), words, server, place)
    assert not own_asked and not asked
    assert own_status == status, own_complaint + complaint
    assert own_complaint
    if docker == DEBIAN and not complaint.strip().startswith("Usage"):  # newer ones have other words
        assert first_line(own_complaint) == first_line(complaint)


@pytest.mark.parametrize("words, flag", ABSENT, ids=lambda value: value if isinstance(value, str) else " ".join(value))
def test_absent_flags_are_read_and_then_refused_by_name(docker, server, place, words, flag):
    _, complaint, asked = typed(docker, words, server, place)
    assert asked, complaint
    own_status, own_complaint, own_asked = typed(str(BIN / "berth"), words, server, place)
    assert own_status == 125 and not own_asked
    assert own_complaint.startswith(f"--{flag} is not available: ")


@pytest.mark.parametrize("words", [
    ["network", "create", "--ipv4=false", "n"], ["network", "connect", "--gw-priority", "5", "n", "c"], ["run", "--network", "name=n,gw-priority=5", "box"],
    ["run", "--network", "n", "--network", "name=m,mac-address=02:42:ac:11:00:02", "box"],
], ids=" ".join)
def test_what_an_older_daemon_would_pass_over_is_refused(server, place, words):
    status, complaint, asked = typed(str(BIN / "berth"), words, server, place)
    assert status == 125 and not asked
    assert re.search(r'" requires API version 1\.4[48], but the Docker daemon API version is 1\.41', complaint)


def test_mistakes_are_found_without_a_daemon():
    for words in (["run", "-p", "x", "box"], ["create", "--network", "alias=x", "box"], ["network", "create", "--gateway", "1.2.3.4", "n"],
                  ["network", "connect", "--alias", 'a"', "n", "c"]):
        done = subprocess.run([BIN / "berth", "-H", "unix:///nonexistent/api.sock", *words], capture_output=True, text=True, timeout=20)
        assert done.returncode in (1, 125) and "Cannot connect" not in done.stderr
