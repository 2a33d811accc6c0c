"""A machine that loses its power under PostgreSQL and Redis: after the next boot they run again by their policy, and no write that they acknowledged is lost."""
import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest

from conftest import Daemon, wait_for
from test_databases import check_nothing_is_lost, databases, databases_tar, make_images, wait_for_writes  # noqa: F401, one is a fixture
from test_registry import Plain

CUTS = 10 if os.environ.get("BERTH_LONG") else 2


class Disk:
    """A disk with a cache: what nobody has flushed is lost with its power."""

    def __init__(self, base):
        self.base, self.file, self.servers, self.device = base, base / "disk.img", [], None
        (base / "nbd").mkdir()
        self.file.touch()
        os.truncate(self.file, 4 << 30)
        subprocess.run(["mkfs.ext4", "-q", "-F", self.file], check=True)

    def power_on(self):
        socket = self.base / "nbd.sock"
        self.start("nbdkit", "-f", "-U", socket, "--filter=cache", "file", self.file, "cache=writeback")
        wait_for(socket.exists, "the disk's server")
        self.start("nbdfuse", self.base / "nbd/disk", "--unix", socket)
        wait_for((self.base / "nbd/disk").exists, "the disk")
        self.device = subprocess.run(["losetup", "--show", "-f", self.base / "nbd/disk"], check=True, capture_output=True, text=True).stdout.strip()

    def start(self, *command):
        self.servers.append(subprocess.Popen(command, stdin=subprocess.DEVNULL))

    def power_off(self):
        """Nothing is written from here on; the machine does not know it yet."""
        for server in self.servers:
            server.kill()
            server.wait()
        self.servers = []

    def take_out(self):
        subprocess.run(["losetup", "-d", self.device], check=True)
        # The last that has it mounted lets it go.
        wait_for(lambda: not pathlib.Path("/sys/block", pathlib.Path(self.device).name, "loop").exists(), "nobody to have the disk")
        subprocess.run(["umount", "-l", self.base / "nbd"], check=True)
        (self.base / "nbd.sock").unlink()


class Machine(Daemon):
    """berthd in namespaces of processes, mounts and networks of its own, on a disk: they end together, as a machine does."""

    BOOT = """
disk=$1 place=$2 run=$3
shift 3
mount -o commit=300 "$disk" "$place"
mkdir -p "$run"
mount -t tmpfs run "$run"
mount -t proc proc /proc
ip link set lo up
"$@" &
wait
"""

    def __init__(self, base):
        super().__init__(base)
        self.disk = Disk(self.base)
        (self.base / "root").mkdir()

    def arguments(self):
        return ["unshare", "--pid", "--fork", "--kill-child", "--mount", "--net", "--uts", "--ipc", "--", "sh", "-euc", self.BOOT, "sh",
                self.disk.device, self.base / "root", self.base / "run", *super().arguments()]

    def boot(self):
        self.disk.power_on()
        self.start()

    def lose_power(self):
        self.disk.power_off()
        self.kill()
        self.disk.take_out()


@pytest.fixture
def machine():
    base = pathlib.Path(tempfile.mkdtemp(prefix="berth-power-"))
    machine = Machine(base)
    machine.boot()
    yield machine
    machine.lose_power()
    shutil.rmtree(base)


def test_no_acknowledged_write_is_lost(machine, databases_tar, tmp_path):  # noqa: F811
    berth, them = Plain("berth", machine), databases("10.87.1")
    make_images(berth, databases_tar, them)
    berth("network", "create", "--subnet", "10.87.1.0/24", "data")
    for one in them:
        one.begin(berth, tmp_path)
    for _ in range(CUTS):
        wait_for_writes(them, tmp_path)
        # Nobody has this one flushed: it shows that what is not is lost.
        berth("exec", "redis", "sh", "-c", "echo careless >/var/lib/redis/unflushed")
        machine.lose_power()
        machine.boot()
        for one in them:
            wait_for(lambda: one.is_healthy(berth), f"{one.name} to be healthy again", seconds=60)
        assert berth.out("exec", "redis", "sh", "-c", "cat /var/lib/redis/unflushed || :") == ""
    wait_for_writes(them, tmp_path)
    for one in them:
        one.end_writers(berth)
        check_nothing_is_lost(berth, one, tmp_path / one.name)
    berth("rm", "-f", *(one.name for one in them))
    assert berth.out("system", "check", "-q") == ""
