"""Process 1 of a container, as it sees itself: Debian's Docker and berthd side by side, one script in both, line by line."""
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import pytest

from conftest import Daemon, wait_for

FOLDER = pathlib.Path(__file__).parent.parent / "Confinement"
SCRIPT = (FOLDER / "report.sh").read_text()

# Where the two differ on purpose: lines that only Docker's container reports (-) and only ours (+), and why.
DELIBERATE = {
    # The folder of the v1 hierarchies can be written by nobody; runc leaves it writable, in a file system of the container's own.
    "mounts - /sys/fs/cgroup tmpfs / rw,nosuid,nodev,noexec,relatime | rw,mode=755",
    "mounts + /sys/fs/cgroup tmpfs / ro,nosuid,nodev,noexec,relatime | ro,mode=755",
    "refused - write /sys/fs/cgroup/x 1 succeeds",
    "refused + write /sys/fs/cgroup/x 1 fails",
    # ::1 is there, as it is with Docker since version 27.
    "network + 1: lo inet6 ::1/128 scope host \\ valid_lft forever preferred_lft forever",
}


# Masked by Docker since version 28: what tells of the load of others.
MASKED_SINCE = re.compile(r"mounts \+ (/proc/interrupts|/sys/devices/system/cpu/cpu\d+/thermal_throttle) tmpfs ")


def without_tunnels(line):
    """runc 1.1 lets every container open /dev/net/tun; later ones do not, nor do we."""
    return line.replace("c 10:200 rwm;", "") if line.startswith("devices/devices.list") else line


OWN_LINKS = ["unshare", "--net", "--", "sh", "-c", 'ip link set lo up; exec "$@"', "sh"]


class Docker:
    """Debian's dockerd on a root of its own, without networks unless asked for; with them it has links of its own, where nobody else's subnets are."""

    def __init__(self, base, networks=False, launcher=(), told=()):
        self.base = pathlib.Path(base)
        self.socket = self.base / "docker.sock"
        self.log = self.base / "dockerd.log"
        self.process = subprocess.Popen(
            [*(OWN_LINKS if networks else ()), *launcher, "/usr/sbin/dockerd", "--data-root", self.base / "root", "--exec-root", self.base / "exec", "--pidfile", self.base / "pid",
             "-H", f"unix://{self.socket}", "--cgroup-parent", f"/{self.base.name}",
             *told, *(() if networks else ("--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false"))],
            stdin=subprocess.DEVNULL, stdout=open(self.log, "wb"), stderr=subprocess.STDOUT)
        wait_for(self.answers, f"dockerd to answer; its log: {self.log}", seconds=60)

    def answers(self):
        assert self.process.poll() is None, self.log.read_text()
        return subprocess.run(self.command("version"), capture_output=True).returncode == 0

    def command(self, *arguments):
        return ["/usr/bin/docker", "-H", f"unix://{self.socket}", *map(str, arguments)]

    def out(self, *arguments):
        done = subprocess.run(self.command(*arguments), capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def stop(self):
        self.process.terminate()
        assert self.process.wait(60) == 0, self.log.read_text()
        # Where the root is a part of a file system, as in a chroot, dockerd does not know its own mount again. The host's network namespace it leaves mounted.
        for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
            if (place := line.split()[4]) in (str(self.base / "root"), str(self.base / "exec/netns/default")):
                subprocess.run(["umount", place], check=True)
        for path in pathlib.Path("/sys/fs/cgroup").glob(f"**/{self.base.name}"):
            path.rmdir()


@pytest.fixture(scope="module")
def probe_tar(busybox_tar, tmp_path_factory):
    """The busybox image with the probe in it."""
    tree = tmp_path_factory.mktemp("probe")
    subprocess.run(["tar", "-C", tree, "-xf", busybox_tar], check=True)
    subprocess.run(["gcc", "-O1", "-static", "-o", tree / "bin/probe", FOLDER / "probe.c"], check=True)
    tar = tmp_path_factory.mktemp("probe-tar") / "probe.tar"
    subprocess.run(["tar", "-C", tree, "-cf", tar, "."], check=True)
    return tar


@pytest.fixture(scope="module")
def docker(probe_tar):
    base = tempfile.mkdtemp(prefix="docker-interop-")
    docker = Docker(base)
    docker.out("import", probe_tar, "probe:latest")
    yield docker
    docker.stop()
    shutil.rmtree(base)


@pytest.fixture(scope="module")
def berth(daemon, probe_tar):
    """berthd, through the same stock client."""
    def out(*arguments):
        arguments = [argument for argument in arguments if argument not in ("--cgroupns", "private")]
        done = subprocess.run(["/usr/bin/docker", "-H", f"unix://{daemon.socket}", *map(str, arguments)], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    out("import", probe_tar, "probe:latest")
    yield out
    assert out("ps", "-a", "--format", "{{.Names}} {{.Status}} {{.Command}}") == ""
    out("rmi", "probe:latest")


def sections(text):
    found, name = {}, ""
    for line in text.splitlines():
        if line.startswith("== "):
            name = line[3:]
        elif line:
            found.setdefault(name, []).append(without_tunnels(line))
    found["namespaces"] = [owner(line) for line in found["namespaces"]]
    return found


def owner(namespace):
    """Whose a namespace is, for its number differs from one container to the next."""
    kind = namespace.split(":")[0]
    return f"{kind}: {'the host' if os.readlink(f'/proc/self/ns/{kind}') == namespace else 'its own'}"


def differences(theirs, ours):
    found = []
    for name in sorted(theirs.keys() | ours.keys()):
        mine, other = ours.get(name, []), theirs.get(name, [])
        found += [f"{name} - {line}" for line in other if line not in mine] + [f"{name} + {line}" for line in mine if line not in other]
        if not found and mine != other:
            found.append(f"{name}: in another order")
    return found


CONTAINERS = {
    "default": [],
    "limited": ["-m", "64m", "--memory-swap", "96m", "--memory-reservation", "32m", "--pids-limit", "50", "--cpu-shares", "512",
                "--cpu-quota", "50000", "--cpu-period", "100000", "--cpuset-cpus", "0"],
    "capabilities": ["--cap-add", "NET_ADMIN", "--cap-drop", "CHOWN", "--cap-drop", "mknod"],
    "nothing": ["--cap-drop", "ALL", "--security-opt", "no-new-privileges"],
    "read-only": ["--read-only"],
    "user": ["-u", "user"],
    "user and group": ["-u", "1000:2000"],
    "number": ["-u", "4242"],
    "unconfined": ["--security-opt", "seccomp=unconfined"],
    "limits": ["--ulimit", "nofile=100:200", "--ulimit", "core=0"],
    "input": ["-i"],
    "shared memory": ["--shm-size", "1m"],
    "names": ["--hostname", "some-name", "--domainname", "domain"],
    # One variable each: Docker's client of that age sends several in a random order.
    "elsewhere": ["-w", "/made/by/it", "-e", "HOME=/x"],
    "environment": ["-e", "A=b"],
}


@pytest.mark.parametrize("kind", CONTAINERS)
def test_process_1_reports_what_it_does_in_dockers_container(docker, berth, kind):
    command = ["run", "--rm", "--network", "none", "--cgroupns", "private", *CONTAINERS[kind], "probe:latest", "sh", "-c", SCRIPT]
    theirs, ours = sections(docker.out(*command)), sections(berth(*command))
    # The same addresses, as Docker has written them since version 27.
    theirs["names"] = [re.sub(r"^(f[ef]00)::0\b", r"\1::", line) for line in theirs["names"]]
    assert len(ours["status"]) > 15 and len(ours["mounts"]) > 10
    assert [line for line in differences(theirs, ours) if line not in DELIBERATE and not MASKED_SINCE.match(line)] == []
    assert any("/proc/interrupts " in line for line in ours["mounts"])


@pytest.mark.parametrize("arguments", [
    ["escape"],
    ["devices", *"c 1 3 c 1 5 c 1 8 c 1 1 c 1 11 c 10 229 b 7 0 b 259 0 b 254 0".split()],
    ["identity"],
])
def test_a_probe_finds_what_it_does_in_dockers_container(docker, berth, arguments):
    command = ["run", "--rm", "--network", "none", "--cgroupns", "private", "probe:latest", "probe", *arguments]
    # Docker 20.10 refuses name_to_handle_at(2) as well, which its later tables allow.
    theirs = docker.out(*command).replace("a handle: Operation not permitted\n", "")
    assert berth(*command) == theirs


def test_the_session_keyring_is_named_and_shared_as_dockers(docker, berth):
    command = ["run", "--rm", "--network", "none", "--cgroupns", "private", "--security-opt", "seccomp=unconfined", "probe:latest", "probe", "keyring"]
    nameless = lambda text: re.sub(r"[0-9a-f]{64}", "ID", text)
    assert nameless(berth(*command)) == nameless(docker.out(*command)) == "keyring;0;0;3f1b0000;_ses.ID\n"


def test_privileged_containers_are_as_free_as_dockers(docker, berth):
    script = "grep -E '^(Cap|Seccomp:|NoNewPrivs)' /proc/self/status; ls /dev | sort; grep -c . /proc/keys >/dev/null && echo keys; mount -t tmpfs x /tmp && echo mounted"
    command = ["run", "--rm", "--network", "none", "--cgroupns", "private", "--privileged", "probe:latest", "sh", "-c", script]
    try:
        theirs = docker.out(*command)
    except AssertionError as error:
        if "unable to apply caps" in str(error):
            pytest.skip("Docker asks for capabilities that this machine's root does not have")
        raise
    assert berth(*command) == theirs


def test_an_execution_is_confined_as_dockers(docker, berth):
    script = "ls /proc/self/fd | wc -l; grep -E '^(Umask|Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp|SigBlk)' /proc/self/status; env | grep -v HOSTNAME | sort; pwd; cat /proc/self/cgroup | sed 's/^[0-9]*//' | sort; cat /proc/self/oom_score_adj"
    found = []
    for out in (docker.out, berth):
        name = f"confined-{os.urandom(3).hex()}"
        out("run", "-d", "--name", name, "--network", "none", "--cgroupns", "private", "-e", "A=1", "-w", "/tmp", "probe:latest", "sleep", "1000")
        found.append([out("exec", *options, name, "sh", "-c", script) for options in ([], ["-u", "user"], ["-e", "B=2", "-w", "/etc"])])
        out("rm", "-f", name)
    assert found[0] == found[1]


FILES = ["prlimit", "--nofile=1000:4000", "--"]


class Limited(Daemon):
    """berthd that may have some thousand files open."""

    def arguments(self):
        return [*FILES, *super().arguments()]


def test_the_daemon_raises_its_limit_of_files_and_does_not_hand_it_on(probe_tar):
    base = tempfile.mkdtemp(prefix="berth-limits-")
    docker = Docker(tempfile.mkdtemp(prefix="docker-limits-"), launcher=FILES)
    berthd = Limited(base).start()
    try:
        limits, own = [], []
        for socket, process in ((docker.socket, docker.process), (berthd.socket, berthd.process)):
            def out(*words):
                done = subprocess.run(["/usr/bin/docker", "-H", f"unix://{socket}", *map(str, words)], capture_output=True, text=True, timeout=120)
                assert done.returncode == 0, done.stderr
                return done.stdout.split()

            out("import", probe_tar, "probe:latest")
            script = "ulimit -n; ulimit -Hn"
            own.append(re.search(r"Max open files +(\d+) +(\d+)", pathlib.Path(f"/proc/{process.pid}/limits").read_text()).groups())
            out("run", "-d", "--name", "files", "--network", "none", "probe:latest", "sh", "-c", f"({script}) >/limits; sleep 1000")
            limits.append([out("exec", "files", "cat", "/limits"), out("exec", "files", "sh", "-c", script)])
            out("rm", "-f", "files")
        assert own == [("4000", "4000")] * 2
        assert limits[1] == [["1000", "4000"]] * 2
        # As dockerd of today, by what Go does since 1.21; Debian's still hands on what it has raised.
        assert [hard for _, hard in limits[0]] == ["4000"] * 2
    finally:
        docker.stop()
        berthd.stop()
        shutil.rmtree(docker.base)
        shutil.rmtree(base)
