"""Every option that a container meets its host with: Debian's docker on Debian's dockerd and berth on berthd side by side, one line an option."""
import json
import os
import re
import shutil
import subprocess
import tempfile

import pytest

from conftest import BIN, wait_for
from test_confinement import Docker

# A disk of the machine: block devices are limited by their numbers.
DISK = next((f"/dev/{name}" for name in sorted(os.listdir("/sys/block")) if name.startswith(("vd", "sd", "nvme", "xvd"))), "/dev/loop0")
NUMBERS = ":".join(map(str, (os.major(os.stat(DISK).st_rdev), os.minor(os.stat(DISK).st_rdev))))
CGROUP = "/sys/fs/cgroup"


def group(*files):
    """Files of the container's own groups, as it sees them."""
    return "; ".join(f"cat {CGROUP}/{file}" for file in files)


# name: (options, what is run inside). Outputs, errors and exit codes are equal, and so is what an inspection says.
OPTIONS = {
    "init": (["--init"], "tr '\\0' ' ' < /proc/1/cmdline; cat /proc/1/comm; echo $PPID"),
    "init reaps": (["--init"], "(sh -c 'sleep 0.2 & exec true' &); sleep 1; grep -h '^State' /proc/[0-9]*/status | grep -c Z"),
    "init: exit code": (["--init"], "exit 7"),
    "init: signal": (["--init"], "kill -9 $$"),
    "init forwards": (["--init"], "trap 'echo got; exit 3' USR1; kill -USR1 1; sleep 5 & wait"),
    "init as a user": (["--init", "-u", "user", "--security-opt", "no-new-privileges"], "id -u; grep -E 'Uid|CapEff|NoNewPrivs' /proc/1/status"),
    "group-add": (["--group-add", "extra", "--group-add", "777"], "id -G"),
    "group-add and a user": (["-u", "user:user", "--group-add", "extra"], "id -G"),
    "sysctl": (["--sysctl", "net.ipv4.ip_forward=1", "--sysctl", "net.ipv4.ping_group_range=7 8"],
               "cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/ping_group_range"),
    "sysctl of ipc": (["--sysctl", "kernel.msgmax=4096", "--sysctl", "fs.mqueue.msg_max=9"], "cat /proc/sys/kernel/msgmax /proc/sys/fs/mqueue/msg_max"),
    "oom-score-adj": (["--oom-score-adj", "123"], "cat /proc/1/oom_score_adj"),
    "device": (["--device", "/dev/null:/dev/other:r"], "stat -c '%t %T %a %u %g' /dev/other; cat /dev/other; echo x > /dev/other; echo $?"),
    "device is used": (["--device", "/dev/kmsg:rw"], "head -c 1 /dev/kmsg > /dev/null; echo $?"),
    "device: directory": (["--device", "/dev/net:/dev/nets"], "ls /dev/nets; stat -c '%t %T' /dev/nets/tun"),
    "device: block": (["--device", f"{DISK}:/dev/disk:r"], "test -b /dev/disk; echo $?; head -c 1 /dev/disk | wc -c; dd if=/dev/zero of=/dev/disk count=0 2>/dev/null; echo $?"),
    "device-cgroup-rule": (["--device-cgroup-rule", "c 1:11 r"], "mknod /tmp/kmsg c 1 11; head -c 1 /tmp/kmsg >/dev/null; echo $?"),
    "no rule": ([], "mknod /tmp/kmsg c 1 11; head -c 1 /tmp/kmsg >/dev/null 2>&1; echo $?"),
    "memory": (["-m", "64m"], group("memory/memory.limit_in_bytes", "memory/memory.memsw.limit_in_bytes")),
    "memory-swap": (["-m", "64m", "--memory-swap", "80m"], group("memory/memory.memsw.limit_in_bytes")),
    "memory-swap without end": (["-m", "64m", "--memory-swap", "-1"], group("memory/memory.memsw.limit_in_bytes")),
    "memory-reservation": (["--memory-reservation", "32m"], group("memory/memory.soft_limit_in_bytes")),
    "memory-swappiness": (["--memory-swappiness", "17"], group("memory/memory.swappiness")),
    "memory-swappiness 0": (["--memory-swappiness", "0"], group("memory/memory.swappiness")),
    "oom-kill-disable": (["-m", "64m", "--oom-kill-disable"], f"head -1 {CGROUP}/memory/memory.oom_control"),
    "oom-kill-disable without a limit": (["--oom-kill-disable"], f"head -1 {CGROUP}/memory/memory.oom_control"),
    "cpus": (["--cpus", "0.5"], group("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")),
    "cpu-quota": (["--cpu-quota", "20000", "--cpu-period", "50000"], group("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")),
    "cpu-shares": (["-c", "300"], group("cpu/cpu.shares")),
    "cpuset-cpus": (["--cpuset-cpus", "0"], group("cpuset/cpuset.cpus") + "; nproc"),
    "cpuset-mems": (["--cpuset-mems", "0"], group("cpuset/cpuset.mems")),
    "pids-limit": (["--pids-limit", "33"], group("pids/pids.max")),
    "pids-limit without end": (["--pids-limit", "-1"], group("pids/pids.max")),
    "device-read-bps": (["--device-read-bps", f"{DISK}:1mb"], group("blkio/blkio.throttle.read_bps_device")),
    "device-write-bps": (["--device-write-bps", f"{DISK}:2mb"], group("blkio/blkio.throttle.write_bps_device")),
    "device-read-iops": (["--device-read-iops", f"{DISK}:30"], group("blkio/blkio.throttle.read_iops_device")),
    "device-write-iops": (["--device-write-iops", f"{DISK}:40"], group("blkio/blkio.throttle.write_iops_device")),
    "ulimit": (["--ulimit", "nofile=100:200"], "ulimit -n; ulimit -H -n"),
    "read-only": (["--read-only"], "touch /x; echo $?; touch /dev/shm/x; echo $?"),
    "shm-size": (["--shm-size", "3m"], "df -k /dev/shm | tail -1 | tr -s ' ' | cut -d ' ' -f 2"),
    "privileged": (["--privileged"], "grep CapEff /proc/1/status; touch /proc/sys/kernel/hostname && echo written; ls /dev/kmsg"),
    "cap-add": (["--cap-add", "NET_ADMIN", "--cap-drop", "CHOWN"], "grep CapEff /proc/1/status"),
    "systempaths": (["--security-opt", "systempaths=unconfined"], "grep -c ' /proc/' /proc/self/mounts; test -w /proc/sys/kernel/domainname; echo $?; head -c 4 /proc/timer_list | wc -c"),
    "no-new-privileges": (["--security-opt", "no-new-privileges"], "grep NoNewPrivs /proc/self/status"),
    "seccomp=unconfined": (["--security-opt", "seccomp=unconfined"], "grep Seccomp: /proc/self/status"),
    "apparmor": (["--security-opt", "apparmor=unconfined"], "echo runs"),
    "label": (["--security-opt", "label=disable"], "echo runs"),
    "pid host": (["--pid", "host"], "test $$ -ne 1 && readlink /proc/self/ns/pid | md5sum | wc -c; cat /proc/1/comm"),
    "ipc none": (["--ipc", "none"], "test -e /dev/shm; echo $?; grep -c ' /dev/shm ' /proc/self/mounts"),
    "ipc private": (["--ipc", "private"], "grep ' /dev/shm ' /proc/self/mounts | cut -d ' ' -f 2,3"),
    "ipc shareable": (["--ipc", "shareable"], "grep ' /dev/shm ' /proc/self/mounts | cut -d ' ' -f 2,3"),
    "ipc host": (["--ipc", "host"], "grep -c ' /dev/shm ' /proc/self/mounts; stat -c %a /dev/shm"),
    "uts host": (["--uts", "host"], "cat /proc/sys/kernel/hostname; hostname"),
    "userns host": (["--userns", "host"], "cat /proc/self/uid_map | tr -s ' '"),
    "cgroupns private": (["--cgroupns", "private"], "cut -d : -f 3 /proc/self/cgroup | sort -u"),
    "cgroupns host": (["--cgroupns", "host"], f"grep -c '/[0-9a-f]\\{{64\\}}$' /proc/self/cgroup; cat {CGROUP}/pids/pids.current | wc -l"),
    "isolation": (["--isolation", "default"], "echo runs"),
    "runtime": (["--runtime", "runc"], "echo runs"),
    "stop-signal": (["--stop-signal", "USR1"], "echo runs"),
    "hostname and domain": (["-h", "here", "--domainname", "there"], "hostname; cat /proc/sys/kernel/domainname"),
    # Refused by both.
    "memory: too little": (["-m", "1m"], ""),
    "memory-swap: too little": (["-m", "64m", "--memory-swap", "32m"], ""),
    "memory-swap alone": (["--memory-swap", "64m"], ""),
    "memory-reservation: too much": (["-m", "16m", "--memory-reservation", "32m"], ""),
    "memory-swappiness: too much": (["--memory-swappiness", "101"], ""),
    "cpuset: not there": (["--cpuset-cpus", "4000"], ""),
    "cpuset-mems: not there": (["--cpuset-mems", "77"], ""),
    "cpu-period: too short": (["--cpu-period", "10"], ""),
    "cpu-quota: too short": (["--cpu-quota", "10"], ""),
    "cpus and period": (["--cpus", "1", "--cpu-period", "1000"], ""),
    "oom-score-adj: too much": (["--oom-score-adj", "1001"], ""),
    "blkio-weight: too much": (["--blkio-weight", "5"], ""),
    "pid: unknown": (["--pid", "odd"], ""),
    "uts: unknown": (["--uts", "odd"], ""),
    "ipc: unknown": (["--ipc", "odd"], ""),
    "userns: unknown": (["--userns", "odd"], ""),
    "cgroupns: unknown": (["--cgroupns", "odd"], ""),
    "hostname and uts": (["--uts", "host", "-h", "x"], ""),
    "device: not there": (["--device", "/dev/not-there"], ""),
    "device: none": (["--device", "/proc/version"], ""),
    "device: relative": (["--device", "/dev/null:x"], ""),
    "device: mode": (["--device", "/dev/null:/dev/x:q"], ""),
    "device-cgroup-rule: wrong": (["--device-cgroup-rule", "nonsense"], ""),
    "group-add: not there": (["--group-add", "nobody-here"], ""),
    "isolation: unknown": (["--isolation", "hyperv"], ""),
    "runtime: unknown": (["--runtime", "odd"], ""),
    "storage-opt": (["--storage-opt", "size=1G"], ""),
    "gpus": (["--gpus", "all"], ""),
    "pid of nobody": (["--pid", "container:nobody-here"], ""),
    "ipc of nobody": (["--ipc", "container:nobody-here"], ""),
    "sysctl of everybody's": (["--sysctl", "vm.swappiness=1"], ""),
    "device-read-bps: not there": (["--device-read-bps", "/dev/not-there:1mb"], ""),
    "cpu-rt-runtime": (["--cpu-rt-runtime", "1000"], ""),
}

# Where the two differ on purpose, and why: what ours says then.
DELIBERATE = {
    # Through BFQ there are weights where the kernel has no other ones; Docker does not look for them.
    "blkio-weight: too much": ([], ["range of blkio weight is from 10 to 1000"], 125),
    # The words of later daemons, which do not name what they were not told.
    "runtime: unknown": ([], ["unknown or invalid runtime name: odd"], 125),
}
# Where Docker's answer is its runtime's, and names files of that: what begins ours.
OWN_WORDS = {
    "cpu-rt-runtime": "cannot write '/sys/fs/cgroup/cpu/",
}
# Where this machine gives root fewer capabilities than Docker's privileged containers are to have, Docker's do not start.
NEEDS_ALL_CAPABILITIES = {"privileged"}


class Side:
    def __init__(self, command, image):
        self.command, self.image = command, image

    def __call__(self, *arguments, timeout=120):
        return subprocess.run([*self.command, *map(str, arguments)], capture_output=True, text=True, timeout=timeout, env=dict(os.environ, LC_ALL="C.UTF-8", DOCKER_CONTENT_TRUST="0"))

    def told(self, options, script):
        """What an option makes of a container, from inside, and what is said of it outside."""
        done = self("run", "--rm", "--network", "none", *options, self.image, "sh", "-c", script)
        return words(done.stdout), words(done.stderr), done.returncode

    def inspected(self, options):
        made = self("create", "--network", "none", *options, self.image, "true")
        if made.returncode != 0:
            return {}
        identity = made.stdout.strip()
        try:
            host = json.loads(self("inspect", identity).stdout)[0]["HostConfig"]
        finally:
            assert self("rm", identity).returncode == 0
        return {name: host.get(name) or None for name in FIELDS}


FIELDS = [
    "Binds", "CapAdd", "CapDrop", "GroupAdd", "IpcMode", "OomScoreAdj", "PidMode", "Privileged", "ReadonlyRootfs", "SecurityOpt", "UTSMode",
    "UsernsMode", "ShmSize", "CpuShares", "Memory", "NanoCpus", "BlkioWeight", "BlkioWeightDevice", "BlkioDeviceReadBps",
    "BlkioDeviceWriteBps", "BlkioDeviceReadIOps", "BlkioDeviceWriteIOps", "CpuPeriod", "CpuQuota", "CpuRealtimePeriod", "CpuRealtimeRuntime",
    "CpusetCpus", "CpusetMems", "Devices", "DeviceCgroupRules", "DeviceRequests", "MemoryReservation", "MemorySwap", "MemorySwappiness",
    "OomKillDisable", "PidsLimit", "Ulimits", "Init", "Sysctls", "StorageOpt",
]


def words(text):
    """Without what names the program or the container, and without hints of where help is."""
    lines = []
    for line in text.splitlines():
        line = re.sub(r"^(docker|berth): ", "", line)
        line = re.sub(r"^Error response from daemon: ", "", line)
        # Later clients say "allowed", and later daemons begin without a capital.
        line = (line[:1].lower() + line[1:]).replace("is not whitelisted", "is not allowed")
        if line and not re.match(r"see '.*--help'|run '.*--help'|time=", line):
            lines.append(re.sub(r"[0-9a-f]{64}", "ID", line).rstrip("."))
    return lines


@pytest.fixture(scope="module")
def docker(busybox_tar):
    base = tempfile.mkdtemp(prefix="docker-options-")
    docker = Docker(base)
    docker.out("import", busybox_tar, "box:latest")
    yield Side(docker.command(), "box:latest")
    docker.stop()
    shutil.rmtree(base)


@pytest.fixture(scope="module")
def berth(daemon, busybox_tar):
    side = Side([BIN / "berth", "-H", f"unix://{daemon.socket}"], "options:latest")
    assert side("import", busybox_tar, side.image).returncode == 0
    yield side
    assert side("rmi", side.image).returncode == 0


@pytest.mark.parametrize("name", OPTIONS)
def test_an_option_means_the_same(docker, berth, name):
    options, script = OPTIONS[name]
    theirs, ours = docker.told(options, script), berth.told(options, script)
    if name in DELIBERATE:
        assert ours == DELIBERATE[name] and theirs != ours
    elif name in OWN_WORDS:
        assert theirs[0] == ours[0] == [] and theirs[2] == ours[2] == 125
        assert OWN_WORDS[name] in ours[1][0]
    elif name in NEEDS_ALL_CAPABILITIES and "unable to apply caps" in str(theirs[1]):
        assert ours[2] == 0
    else:
        assert ours == theirs
    if theirs[2] == ours[2] == 0:
        assert berth.inspected(options) == docker.inspected(options)
