"""What containers get that say nothing of it: dockerd's flags and its configuration file, beside Debian's dockerd."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import pytest

from conftest import BIN, Daemon, wait_for
from test_confinement import Docker
from test_life import Side

NONE = ("--network", "none")


class Told(Daemon):
    """berthd that is told more."""

    def __init__(self, base, *told):
        super().__init__(base)
        self.told = told

    def arguments(self):
        return [*super().arguments(), *self.told]


@pytest.fixture
def base():
    base = tempfile.mkdtemp(prefix="berth-defaults-")
    yield base
    shutil.rmtree(base)


def log_of(side, *options):
    id = side.out("create", *NONE, *options, "box", "true")
    found = json.loads(side.inspect(id, "{{json .HostConfig.LogConfig}}"))
    side.out("rm", id)
    return found["Type"], found["Config"]


@pytest.mark.parametrize("by_file", [False, True])
def test_logs(base, busybox_tar, by_file):
    if by_file:
        with open(f"{base}/daemon.json", "w") as file:
            json.dump({"log-driver": "local", "log-opts": {"max-size": "1m", "max-file": "2"}}, file)
        told = ["--config-file", f"{base}/daemon.json"]
    else:
        told = ["--log-driver", "local", "--log-opt", "max-size=1m", "--log-opt", "max-file=2"]
    daemon = Told(base, *told).start()
    side = Side("berthd", BIN / "berth", daemon.socket)
    assert side.out("info", "-f", "{{.LoggingDriver}}") == "local"
    side.out("import", busybox_tar, "box:latest")
    options = {"max-size": "1m", "max-file": "2"}
    assert log_of(side) == ("local", options)
    # What is said otherwise counts, and another driver has none of these.
    assert log_of(side, "--log-opt", "max-file=3") == ("local", options | {"max-file": "3"})
    assert log_of(side, "--log-driver", "json-file") == ("json-file", {})
    kept = side.out("create", "--name", "kept", *NONE, "box", "echo", "hi")
    daemon.stop()
    # What was in force when a container was made stays.
    daemon.told = []
    daemon.start()
    assert side.out("info", "-f", "{{.LoggingDriver}}") == "json-file"
    assert log_of(side) == ("json-file", {}) and side.inspect(kept, "{{.HostConfig.LogConfig.Type}}") == "local"
    assert side.out("start", "-a", "kept") == "hi" and side.out("logs", "kept") == "hi"
    daemon.stop()


@pytest.mark.parametrize("told, words", [
    (["--log-driver", "nope"], "logger: no log driver named 'nope' is registered"), (["--log-opt", "nope=1"], "failed to set log opts: unknown log opt 'nope' for json-file log driver"),
    (["--log-opt", "nope"], "invalid --log-opt 'nope'"), (["--log-opt", "max-size=x"], "failed to set log opts: invalid size: 'x'"),
])
def test_defaults_that_cannot_be(base, told, words):
    done = subprocess.run([*map(str, Told(base, *told).arguments())], capture_output=True, text=True, timeout=20)
    assert done.returncode != 0 and words in done.stderr


def test_what_is_said_twice_is_refused(base):
    with open(f"{base}/daemon.json", "w") as file:
        json.dump({"log-driver": "local"}, file)
    done = subprocess.run(
        [*map(str, Told(base, "--config-file", f"{base}/daemon.json", "--log-driver", "local").arguments())], capture_output=True, text=True, timeout=20)
    assert done.returncode != 0 and "specified both as a flag and in the configuration file: log-driver: (from flag: " in done.stderr


PROFILE = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]}
FLAGS = ["--default-ulimit", "nofile=123:456", "--default-ulimit", "nproc=789", "--default-shm-size", "8m", "--default-ipc-mode", "shareable", "--init",
         "--default-cgroupns-mode", "host", "--no-new-privileges", "--dns", "192.0.2.53", "--dns-search", "example.test", "--dns-opt", "ndots:3",
         "--label", "of=mine"]
KEYS = {"default-ulimits": {"nofile": {"Name": "nofile", "Soft": 123, "Hard": 456}, "nproc": {"Name": "nproc", "Soft": 789, "Hard": 789}},
        "default-shm-size": "8m", "default-ipc-mode": "shareable", "init": True, "default-cgroupns-mode": "host", "no-new-privileges": True,
        "dns": ["192.0.2.53"], "dns-search": ["example.test"], "dns-opts": ["ndots:3"], "labels": ["of=mine"], "live-restore": True}
LOOK = """ulimit -n; ulimit -Hn; ulimit -u; stat -f -c '%b %S' /dev/shm; cat /proc/1/comm; grep -E 'NoNewPrivs' /proc/self/status
mkdir /tmp/x && echo made; grep '^[a-z]' /etc/resolv.conf | sort; readlink /proc/self/ns/cgroup"""
SAID = ("IpcMode", "CgroupnsMode", "ShmSize", "Ulimits", "Init", "SecurityOpt", "Dns", "DnsSearch", "DnsOptions")


def looked_at(side, *options):
    """What containers see, and what is said of them."""
    id = side.out("run", "-d", *options, "box", "sh", "-c", LOOK)
    side.out("wait", id)
    status, out, errors = side("logs", id)
    seen = re.sub(r"cgroup:\[\d+\]", lambda found: "the host's" if found[0] == os.readlink("/proc/self/ns/cgroup") else "its own", out + errors).splitlines()
    host = json.loads(side.inspect(id, "{{json .HostConfig}}"))
    said = {name: host.get(name) or [] for name in SAID}
    # In which order Docker tells them is chance.
    said["Ulimits"] = sorted(said["Ulimits"], key=lambda limit: limit["Name"])
    side.out("rm", id)
    return seen, said


@pytest.fixture
def theirs(busybox_tar, base):
    docker = Docker(tempfile.mkdtemp(prefix="docker-defaults-"), networks=True, told=[*FLAGS, "--seccomp-profile", f"{base}/profile.json"])
    docker.out("import", busybox_tar, "box:latest")
    yield Side("dockerd", "/usr/bin/docker", docker.socket)
    docker.stop()
    shutil.rmtree(docker.base)


def written(base, text, name="daemon.json"):
    path = pathlib.Path(base, name)
    path.write_text(json.dumps(text))
    return str(path)


def test_containers(base, busybox_tar, request):
    """By flags and by keys, as Docker has it, and what a container says for itself counts."""
    profile = written(base, PROFILE, "profile.json")
    theirs = request.getfixturevalue("theirs")
    file = written(base, {**KEYS, "seccomp-profile": profile})
    others = {
        "nothing": (), "limits": ("--ulimit", "nofile=77:88"), "memory": ("--shm-size", "16m"), "modes": ("--ipc", "private", "--cgroupns", "private"),
        "no init": ("--init=false",), "privileges": ("--security-opt", "no-new-privileges=false"), "filter": ("--security-opt", "seccomp=unconfined"),
        "names": ("--dns", "192.0.2.54", "--dns-search", "other.test", "--dns-option", "ndots:5"),
    }
    expected = {name: looked_at(theirs, *options) for name, options in others.items()}
    assert expected["nothing"][0][:3] == ["123", "456", "789"] and "made" not in expected["nothing"][0] and "made" in expected["filter"][0]
    for told in ([*FLAGS, "--seccomp-profile", profile], ["--config-file", file]):
        daemon = Told(base, *told).start()
        side = Side("berthd", BIN / "berth", daemon.socket)
        side.out("import", busybox_tar, "box:latest")
        for name, options in others.items():
            assert looked_at(side, *options) == expected[name], name
        # An execution has what its container has.
        id = side.out("run", "-d", *NONE, "box", "sleep", "100000")
        assert side.out("exec", id, "sh", "-c", "ulimit -n; grep NoNewPrivs /proc/self/status; mkdir /tmp/x || true").split() == ["123", "NoNewPrivs:", "1"]
        assert side.out("info", "-f", "{{json .Labels}}") == theirs.out("info", "-f", "{{json .Labels}}") == '["of=mine"]'
        assert "name=seccomp,profile=builtin" not in side.out("info", "-f", "{{json .SecurityOptions}}")
        side.out("rm", "-f", id)
        # What is kept stays; the rest is the engine's that starts it.
        id = side.out("create", *NONE, "box", "sh", "-c", "ulimit -n; stat -f -c %b /dev/shm; mkdir /tmp/y && echo made")
        assert side("start", "-a", id)[1].split() == ["123", "2048"]
        daemon.stop()
        daemon.told = ["--default-ulimit", "nofile=321"]
        daemon.start()
        assert side("start", "-a", id)[1].split() == ["321", "2048", "made"]
        side.out("rm", id)
        daemon.stop()


def test_control_groups_and_devices(base, busybox_tar):
    devices = pathlib.Path(base, "devices")
    devices.mkdir()
    written(devices, {"cdiVersion": "0.6.0", "kind": "vendor.com/thing", "devices": [{"name": "one", "containerEdits": {"env": ["THING=one"]}}]}, "thing.json")
    parent = f"/berth-defaults-{pathlib.Path(base).name}"
    daemon = Told(base, "--cgroup-parent", parent, "--cdi-spec-dir", devices).start()
    side = Side("berthd", BIN / "berth", daemon.socket)
    side.out("import", busybox_tar, "box:latest")
    assert side.out("run", "--rm", *NONE, "--cgroupns", "host", "--device", "vendor.com/thing=one", "box", "sh", "-c", "echo $THING; grep pids /proc/self/cgroup").split("\n")[0] == "one"
    id = side.out("run", "-d", *NONE, "--cgroupns", "host", "box", "cat", "/proc/self/cgroup")
    side.out("wait", id)
    assert f"{parent}/{id}" in side.out("logs", id) and side.inspect(id, "{{.HostConfig.CgroupParent}}") == parent
    assert json.loads(side.out("info", "-f", "{{json .CDISpecDirs}}")) == [str(devices)]
    side.out("rm", id)
    daemon.stop()
    for path in pathlib.Path("/sys/fs/cgroup").glob(f"*{parent}"):
        path.rmdir()


NETWORK_FLAGS = ["--bip", "10.77.1.5/24", "--fixed-cidr", "10.77.1.128/25", "--mtu", "1400", "--icc=false", "--ip", "127.0.0.1",
                 "--default-address-pool", "base=10.78.0.0/16,size=24"]
NETWORK_KEYS = {"bip": "10.77.1.5/24", "fixed-cidr": "10.77.1.128/25", "mtu": 1400, "icc": False, "ip": "127.0.0.1",
                "default-address-pools": [{"base": "10.78.0.0/16", "size": 24}]}


def networks(side):
    """What the default network is, what a container has in it, and where another is."""
    bridge = json.loads(side.out("network", "inspect", "bridge"))[0]
    id = side.out("run", "-d", "-p", "18080:80", "box", "sh", "-c", "ip -4 -o addr show eth0 | awk '{print $4}'; cat /sys/class/net/eth0/mtu; ip route | head -n 1; sleep 100000")
    wait_for(lambda: side("logs", id)[1].count("\n") == 3, "the container to look")
    said = side("logs", id)[1], json.loads(side.inspect(id, "{{json .HostConfig.PortBindings}}")), json.loads(side.inspect(id, "{{json .NetworkSettings.Ports}}"))
    side.out("network", "create", "another")
    another = json.loads(side.out("network", "inspect", "another"))[0]["IPAM"]["Config"]
    side.out("rm", "-f", id)
    side.out("network", "rm", "another")
    return bridge["IPAM"]["Config"], bridge["Options"] | {"com.docker.network.bridge.name": ""}, said, another, side.out("info", "-f", "{{json .DefaultAddressPools}}")


def test_networks(base, busybox_tar):
    """By flags and by keys, as Docker has them."""
    docker = Docker(tempfile.mkdtemp(prefix="docker-networks-"), networks=True, told=NETWORK_FLAGS)
    docker.out("import", busybox_tar, "box:latest")
    expected = networks(Side("dockerd", "/usr/bin/docker", docker.socket))
    docker.stop()
    shutil.rmtree(docker.base)
    assert expected[2][0].startswith("10.77.1.128/24\n1400\n") and expected[3] == [{"Subnet": "10.78.0.0/24", "Gateway": "10.78.0.1"}], expected
    for told in (NETWORK_FLAGS, ["--config-file", written(base, NETWORK_KEYS)]):
        daemon = Told(base, *told).start()
        side = Side("berthd", BIN / "berth", daemon.socket)
        side.out("import", busybox_tar, "box:latest")
        assert networks(side) == expected
        daemon.stop()


def test_the_default_network_changes_when_nobody_is_in_it(base, busybox_tar):
    daemon = Told(base).start()
    side = Side("berthd", BIN / "berth", daemon.socket)
    side.out("import", busybox_tar, "box:latest")
    subnets = lambda: [part["Subnet"] for part in json.loads(side.out("network", "inspect", "bridge"))[0]["IPAM"]["Config"]]
    id = side.out("run", "-d", "--init", "box", "sleep", "100000")
    before = subnets()
    daemon.stop()
    daemon.told = ["--bip", "10.77.2.1/24", "--ipv6", "--fixed-cidr-v6", "fd77::/64"]
    daemon.start()
    assert subnets() == before and side.inspect(id, "{{.State.Running}}") == "true"
    other = side.out("run", "--rm", "box", "sh", "-c", "ip -4 -o addr show eth0")
    assert before[0].split(".")[1] in other
    wait_for(lambda: "the default network stays as it was" in daemon.log.read_text(), "it to be told")
    side.out("rm", "-f", id)
    daemon.stop()
    daemon.start()
    assert subnets() == ["10.77.2.0/24", "fd77::/64"]
    told = side.out("run", "--rm", "box", "sh", "-c", "ip -o addr show eth0")
    assert "10.77.2.2/24" in told and "fd77::2/64" in told
    daemon.stop()


def test_the_daemon_by_its_file(base):
    file = written(base, {"hosts": [f"unix://{base}/by-file.sock"], "data-root": f"{base}/root", "exec-root": f"{base}/run", "pidfile": f"{base}/pid",
                          "debug": True, "log-level": "warn", "group": "root"})
    daemon = Daemon(base)
    daemon.socket = f"{base}/by-file.sock"
    daemon.arguments = lambda: [BIN / "berthd", "--config-file", file]
    daemon.start()
    side = Side("berthd", BIN / "berth", daemon.socket)
    assert side.out("info", "-f", "{{.DockerRootDir}} {{.Debug}}") == f"{base}/root true"
    assert pathlib.Path(base, "pid").read_text().strip() == str(daemon.process.pid)
    daemon.stop()


@pytest.mark.parametrize("told, words", [
    ({"live-restore": False}, "live-restore cannot be false here: containers run on"), ({"default-ipc-mode": "host"}, 'IPC mode "host" is not supported as default value'),
    ({"default-ipc-mode": "nope"}, "default IPC mode setting (nope) is invalid"), ({"default-cgroupns-mode": "nope"}, "default cgroup namespace mode (nope) is invalid"),
    ({"default-ulimits": {"nope": {"Soft": 1, "Hard": 1}}}, "invalid ulimit type: nope"), ({"default-ulimits": {"nofile": {"Soft": 2, "Hard": 1}}}, "ulimit soft limit must be less"),
    ({"default-shm-size": "x"}, "invalid default-shm-size: invalid size: 'x'"), ({"default-shm-size": 0}, "containers need some shared memory"),
    ({"seccomp-profile": "/no/profile"}, "opening seccomp profile (/no/profile) failed: No such file"), ({"seccomp-profile": "/dev/null"}, "Decoding seccomp profile failed"),
    ({"dns": ["x"]}, "invalid dns 'x': it is no IP address"), ({"labels": ["x"]}, "bad attribute format: x"), ({"cgroup-parent": "../x"}, "invalid cgroup parent: '../x'"),
    ({"cdi-spec-dirs": ["x"]}, "invalid cdi-spec-dir 'x': it must be an absolute path"), ({"init": "yes"}, "init is of another kind than it must be"),
    ({"bridge": "br0"}, "the following directives don't match any configuration option: bridge"), ({"bip": "10.0.0.0/24"}, "it must be an address in 10.0.0.0/24, for the bridge"),
    ({"bip": "x"}, "invalid bip 'x': it must be an address of IPv4 and the length"), ({"bip": "10.0.0.1/24", "fixed-cidr": "10.1.0.0/16"}, "CIDR block is bigger than its parent subnet"),
    ({"bip6": "fd00::1/64"}, "which the default network has with --ipv6 alone"), ({"mtu": -1}, "com.docker.network.driver.mtu"), ({"ip": "x"}, "host_binding_ipv4 value: x"),
    ({"default-address-pools": [{"base": "10.0.0.0/16", "size": 8}]}, "invalid default-address-pool 'base=10.0.0.0/16,size=8'"),
    ({"fixed-cidr": "fd00::/64"}, "'fd00::/64' is no range of IPv4"), ({"ipv6": True, "fixed-cidr-v6": "10.0.0.0/24"}, "'10.0.0.0/24' is no range of IPv6"),
    ({"fixed-cidr": "10.0.0.1/24"}, "invalid subnet 10.0.0.1/24: it should be 10.0.0.0/24"),
])
def test_what_cannot_be(base, told, words):
    done = subprocess.run([*map(str, Told(base, "--config-file", written(base, told)).arguments())], capture_output=True, text=True, timeout=20)
    assert done.returncode != 0 and words in done.stderr, done.stderr
