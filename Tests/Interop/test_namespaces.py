"""Containers that share what is theirs: a pod of three, processes, the host's namespaces; through the death of the daemon and of the owner."""
import json
import os
import pathlib
import shutil
import subprocess
import tempfile

import pexpect
import pytest

from conftest import BIN, Daemon, wait_for

NONE = ("--network", "none")


class Command:
    """The command, with an image of busybox at hand."""

    def __init__(self, daemon, tar):
        self.daemon = daemon
        assert self("import", tar, "box:latest").returncode == 0

    def words(self, *arguments):
        return [str(BIN / "berth"), "-H", f"unix://{self.daemon.socket}", *map(str, arguments)]

    def __call__(self, *arguments):
        return subprocess.run(self.words(*arguments), capture_output=True, text=True, timeout=60)

    def out(self, *arguments):
        done = self(*arguments)
        assert done.returncode == 0, f"{arguments}: {done.stderr}"
        return done.stdout.strip()


@pytest.fixture
def berth(busybox_tar):
    base = tempfile.mkdtemp(prefix="berth-namespaces-")
    daemon = Daemon(base).start()
    command = Command(daemon, busybox_tar)
    yield command
    for identity in command.out("ps", "-aq").split():
        command.out("rm", "-f", identity)
    daemon.stop()
    shutil.rmtree(base)


def spaces(berth, name, kinds=("net", "ipc", "uts")):
    return berth.out("exec", name, "sh", "-c", "; ".join(f"readlink /proc/self/ns/{kind}" for kind in kinds)).split()


def test_a_pod_of_three(berth):
    berth.out("run", "-d", "--name", "owner", "--hostname", "pod", "--ipc", "shareable", *NONE, "box", "sleep", "1000")
    for name in ("one", "two"):
        shared = [f"--{kind}=container:owner" for kind in ("network", "ipc", "uts")]
        berth.out("run", "-d", "--name", name, *shared, "box", "sleep", "1000")
    theirs = spaces(berth, "owner")
    assert spaces(berth, "one") == spaces(berth, "two") == theirs
    assert [berth.out("exec", name, "hostname") for name in ("one", "two")] == ["pod", "pod"]
    # What is in shared memory is everybody's, and what is listened to on the loopback interface.
    berth.out("exec", "one", "sh", "-c", "echo shared > /dev/shm/note")
    assert berth.out("exec", "two", "cat", "/dev/shm/note") == "shared" == berth.out("exec", "owner", "cat", "/dev/shm/note")
    berth.out("exec", "-d", "one", "sh", "-c", "while :; do echo heard | nc -l -p 7777; done")
    wait_for(lambda: berth("exec", "two", "sh", "-c", "sleep 0.1 | nc 127.0.0.1 7777").stdout == "heard\n", "the neighbour")
    # Each has its own processes.
    assert berth.out("exec", "one", "cat", "/proc/1/cmdline").split("\0")[0] == "sleep"
    assert len({spaces(berth, name, ("pid", "mnt"))[0] for name in ("owner", "one", "two")}) == 3
    mode = json.loads(berth.out("inspect", "one"))[0]["HostConfig"]
    owner = berth.out("inspect", "-f", "{{.Id}}", "owner")
    assert [mode[kind] for kind in ("NetworkMode", "IpcMode", "UTSMode")] == [f"container:{owner}"] * 3

    berth.daemon.kill()
    berth.daemon.start()
    assert spaces(berth, "one") == spaces(berth, "two") == spaces(berth, "owner") == theirs
    # The owner goes, as with Docker, and what is shared stays while somebody has it.
    berth.out("rm", "-f", "owner")
    assert spaces(berth, "one") == spaces(berth, "two") == theirs
    assert berth.out("exec", "two", "cat", "/dev/shm/note") == "shared"
    refused = berth("start", "one") if berth("stop", "-t", "0", "one").returncode == 0 else None
    assert refused.returncode == 1 and "is gone" in refused.stderr


@pytest.mark.parametrize("mode", [[], ["--ipc", "private"], ["--ipc", "none"]])
def test_not_everybody_shares(berth, mode):
    berth.out("run", "-d", "--name", "owner", *mode, *NONE, "box", "sleep", "1000")
    refused = berth("run", "--rm", "--ipc", "container:owner", *NONE, "box", "true")
    assert refused.returncode == 125 and "non-shareable IPC (hint: use IpcMode:shareable for the donor container)" in refused.stderr


def test_who_does_not_run_shares_nothing(berth):
    berth.out("create", "--name", "owner", "--ipc", "shareable", *NONE, "box", "sleep", "1000")
    for kind, word in (("ipc", "IPC"), ("pid", "PID"), ("uts", "UTS")):
        refused = berth("run", "--rm", f"--{kind}", "container:owner", *NONE, "box", "true")
        assert refused.returncode == 125 and f"can't join {word} of container" in refused.stderr and "is not running" in refused.stderr
    assert berth.out("ps", "-aq", "--no-trunc").split() == [berth.out("inspect", "-f", "{{.Id}}", "owner")]


def test_processes_are_shared(berth):
    berth.out("run", "-d", "--name", "owner", *NONE, "box", "sleep", "1234")
    berth.out("run", "-d", "--name", "guest", "--pid", "container:owner", "--init", *NONE, "box", "sh", "-c", "sleep 4321 & sleep 5678")
    assert spaces(berth, "guest", ("pid",)) == spaces(berth, "owner", ("pid",))
    # Neither has an init that the other would have to know of.
    assert "sleep 1234" in berth.out("exec", "guest", "ps") and "docker-init" not in berth.out("exec", "guest", "ps")
    berth.daemon.kill()
    berth.daemon.start()
    assert "sleep 4321" in berth.out("exec", "owner", "ps")
    # With the guest's end all that it began has ended, and nothing of the owner's.
    berth.out("stop", "-t", "0", "guest")
    seen = berth.out("exec", "owner", "ps")
    assert "sleep 4321" not in seen and "sleep 5678" not in seen and "sleep 1234" in seen
    berth.out("start", "guest")
    # Without process 1 there are no processes.
    berth.out("rm", "-f", "owner")
    wait_for(lambda: berth.out("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "guest") == "exited 137", "the guest to end")


def test_nothing_is_left_among_the_hosts_processes(berth):
    marker = f"1{os.getpid()}"
    seen = berth.out("run", "--name", "guest", "--pid", "host", *NONE, "box", "sh", "-c", f"sleep {marker} & sleep 0.3; ps -o args | grep -c '^sleep {marker}$'")
    assert seen == "1"
    def processes(seconds):
        return subprocess.run(["pgrep", "-xf", f"sleep {seconds}"], capture_output=True, text=True).stdout.split()

    assert processes(marker) == []
    # Nor if nobody was there when the first one ended.
    berth.out("rm", "guest")
    berth.out("run", "-d", "--name", "guest", "--pid", "host", *NONE, "box", "sh", "-c", f"sleep {marker} & exec sleep 2{marker}")
    wait_for(lambda: processes(marker) and processes(f"2{marker}"), "both processes")
    berth.daemon.kill()
    os.kill(int(processes(f"2{marker}")[0]), 9)
    berth.daemon.start()
    assert berth.out("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "guest") == "exited 137"
    assert processes(marker) == []


def test_an_init_and_a_terminal(berth):
    terminal = pexpect.spawn(str(BIN / "berth"), berth.words("run", "--rm", "-it", "--init", *NONE, "box", "sh")[1:], timeout=20, encoding="utf-8", dimensions=(24, 200))
    terminal.expect("# ")
    terminal.sendline("echo $$-$PPID; ps -o pid,pgid,args | grep -c docker-init")
    terminal.expect(r"\d+-1\r\n")
    terminal.sendline("sh -c 'echo go$((1 + 1)); exec sleep 100'")
    terminal.expect("go2\r\n")
    terminal.sendcontrol("c")
    terminal.expect("# ")
    terminal.sendline("echo status $?; exit 9")
    terminal.expect("status 130")
    terminal.expect(pexpect.EOF)
    terminal.wait()
    assert terminal.exitstatus == 9


def test_an_init_through_a_stop_and_the_death_of_the_daemon(berth):
    berth.out("run", "-d", "--name", "held", "--init", *NONE, "box", "sh", "-c", "trap 'echo bye; exit 5' TERM; echo up; while :; do sleep 0.1; done")
    wait_for(lambda: berth.out("logs", "held") == "up", "the first line")
    berth.daemon.kill()
    berth.daemon.start()
    berth.out("stop", "held")
    assert berth.out("inspect", "-f", "{{.State.ExitCode}}", "held") == "5"
    assert berth.out("logs", "held").splitlines() == ["up", "bye"]
    missing = berth("run", "--rm", "--init", *NONE, "box", "nothing-there")
    assert missing.returncode == 127 and "nothing-there" in missing.stderr
    assert berth.out("inspect", "-f", "{{.Path}} {{.HostConfig.Init}}", "held") == "sh true"


def test_another_parent_for_the_control_groups(berth):
    name = f"berth-parent-{os.getpid()}"
    try:
        identity = berth.out("run", "-d", "--name", "placed", "--cgroup-parent", f"/{name}/inner", "-m", "64m", *NONE, "box", "sleep", "1000")
        group = pathlib.Path(f"/sys/fs/cgroup/memory/{name}/inner/{identity}")
        assert (group / "memory.limit_in_bytes").read_text().strip() == str(64 << 20)
        berth.daemon.kill()
        berth.daemon.start()
        assert berth.out("exec", "placed", "cat", "/sys/fs/cgroup/memory/memory.limit_in_bytes") == str(64 << 20)
        berth.out("rm", "-f", "placed")
        assert not group.exists()
    finally:
        for path in sorted(pathlib.Path("/sys/fs/cgroup").glob(f"*/{name}/inner")) + sorted(pathlib.Path("/sys/fs/cgroup").glob(f"*/{name}")):
            path.rmdir()
    for wrong in ("/", "../x", "/a/./b"):
        assert "invalid cgroup parent" in berth("create", "--cgroup-parent", wrong, *NONE, "box", "true").stderr


class Described(Daemon):
    """berthd where devices are described."""

    def __init__(self, base, folder):
        super().__init__(base)
        self.folder = folder

    def arguments(self):
        place = 'mount -t tmpfs descriptions /run && mkdir /run/cdi && cp "$0"/* /run/cdi && exec "$@"'
        return ["unshare", "--mount", "sh", "-c", place, self.folder, *super().arguments()]


def test_devices_that_are_described(busybox_tar, tmp_path):
    (tmp_path / "thing.yaml").write_text("""\
cdiVersion: 0.6.0
kind: vendor.com/thing
containerEdits:
  env:
  - THING=yes
devices:
- name: zero
  containerEdits:
    deviceNodes:
    - path: /dev/thing
      hostPath: /dev/zero
      permissions: r
    mounts:
    - hostPath: /etc/hostname
      containerPath: /etc/thing
      options: 
      - ro
    additionalGids:
    - 77
""")
    (tmp_path / "gpu.json").write_text(json.dumps({"cdiVersion": "0.5.0", "kind": "nvidia.com/gpu", "devices": [
        {"name": name, "containerEdits": {"env": [f"GPU={name}"], "deviceNodes": [{"path": "/dev/nvidia0", "hostPath": "/dev/null"}]}} for name in ("0", "all")]}))
    base = tempfile.mkdtemp(prefix="berth-described-")
    daemon = Described(base, str(tmp_path)).start()
    try:
        berth = Command(daemon, busybox_tar)
        told = berth.out("run", "--rm", "--device", "vendor.com/thing=zero", *NONE, "box", "sh", "-c",
                         "echo $THING; stat -c '%t %T' /dev/thing; head -c 3 /dev/thing | wc -c; echo x > /dev/thing; id -G; test -s /etc/thing; echo $?; touch /etc/thing; echo $?")
        assert told.splitlines() == ["yes", "1 5", "3", "0 77", "0", "1"]
        assert berth.out("run", "--rm", "--gpus", "all", *NONE, "box", "sh", "-c", "echo $GPU; ls /dev/nvidia0") == "all\n/dev/nvidia0"
        found = json.loads(berth.out("info", "--format", "{{json .DiscoveredDevices}}"))
        assert {(device["Source"], device["ID"]) for device in found} >= {("cdi", "vendor.com/thing=zero"), ("cdi", "nvidia.com/gpu=all")}, found
        refused = berth("run", "--rm", "--device", "vendor.com/thing=one", *NONE, "box", "true")
        assert refused.returncode == 125 and "unresolvable CDI devices vendor.com/thing=one" in refused.stderr
        for identity in berth.out("ps", "-aq").split():
            berth.out("rm", "-f", identity)
    finally:
        daemon.stop()
        shutil.rmtree(base)
