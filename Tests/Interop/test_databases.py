"""PostgreSQL and Redis of Debian's packages, on named volumes: whatever happens to them and to the daemon, no write that they acknowledged is lost."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

import pytest

from conftest import Daemon, wait_for
from test_registry import Plain

NONE = ("--network", "none")
KILLS = 100 if os.environ.get("BERTH_LONG") else 20
WRITERS = 4
POSTGRES = "/usr/lib/postgresql/15/bin"

# Each writes one number after the other, keeps at it until it is acknowledged, and only then notes it. One that is started again goes on there.
WRITING = """
writer() {
    touch /acknowledged/$1
    number=$(($(wc -l </acknowledged/$1) + 1))
    while :; do
        until write $1-$number; do sleep 0.05; done
        echo $1-$number >>/acknowledged/$1
        number=$((number + 1))
    done
}
for one in $(seq %d); do writer $one & done
wait
""" % WRITERS


class Database:
    """One of the two: its image, how it is asked to keep a number, and what it has kept."""

    def __init__(self, name, volume, changes, flags, write, read, prepares=()):
        self.name, self.volume, self.changes, self.flags, self.write, self.read, self.prepares = name, volume, changes, flags, write, read, prepares

    def run(self, berth):
        berth("run", "-d", "--name", self.name, "--restart", "always", "-v", f"{self.name}-data:{self.volume}", *self.flags, self.name)

    def is_healthy(self, berth):
        # Before it has run it has none.
        return json.loads(berth.out("inspect", self.name))[0]["State"].get("Health", {}).get("Status") == "healthy"

    def pid(self, berth):
        return int(berth.out("inspect", "-f", "{{.State.Pid}}", self.name))

    def begin(self, berth, folder):
        """It runs, and is written to: what it acknowledges is noted below the folder."""
        self.run(berth)
        wait_for(lambda: self.is_healthy(berth), f"{self.name} to be healthy", seconds=60)
        if self.prepares:
            berth("exec", self.name, *self.prepares)
        (folder / self.name).mkdir()
        berth("run", "-d", "--name", f"{self.name}-writers", "--restart", "always", "--user", "root", "--no-healthcheck", "--network", "data",
              "-v", f"{folder / self.name}:/acknowledged", self.name, "sh", "-c", f"write() {{ {self.write}; }}\n{WRITING}")

    def end_writers(self, berth):
        berth("rm", "-f", f"{self.name}-writers")

    def stored(self, berth):
        return set(berth.out("exec", self.name, *self.read).split())


def databases(network):
    """The clients find the one by its name and the other by its address, which both outlive the container."""
    psql = [f"{POSTGRES}/psql", "-h", "127.0.0.1", "-U", "postgres", "-qAtc"]
    return [
        Database(
            "redis", "/var/lib/redis",
            ["USER redis", "VOLUME /var/lib/redis", "HEALTHCHECK --interval=1s CMD redis-cli ping | grep PONG",
             'CMD ["redis-server", "--dir", "/var/lib/redis", "--appendonly", "yes", "--appendfsync", "always", "--protected-mode", "no"]'],
            ("--network", "data", "--ip", f"{network}.10"),
            f'case $(timeout 5 redis-cli -h {network}.10 sadd numbers $1) in 0 | 1) ;; *) false ;; esac', ["redis-cli", "smembers", "numbers"]),
        Database(
            "postgres", "/var/lib/postgresql/15/main",
            ["USER postgres", "VOLUME /var/lib/postgresql/15/main", f"HEALTHCHECK --interval=1s CMD {POSTGRES}/pg_isready -h 127.0.0.1",
             f'CMD ["{POSTGRES}/postgres", "-D", "/var/lib/postgresql/15/main", "-c", "config_file=/etc/postgresql/15/main/postgresql.conf",'
             ' "-c", "listen_addresses=*", "-c", "unix_socket_directories=/tmp"]'],
            ("--network", "data"),
            f"timeout 5 {POSTGRES}/psql -h postgres -U postgres -c \"insert into numbers values ('$1') on conflict do nothing\"",
            [*psql, "select * from numbers"], [*psql, "create table numbers (number text primary key)"]),
    ]


def make_images(berth, tar, them):
    """Two images of one Debian, which differ in what their containers are to be."""
    berth("import", tar, "both", timeout=120)
    berth("run", "--name", "both", *NONE, "both", "sh", "-c", "echo 'host all all all trust' >/etc/postgresql/15/main/pg_hba.conf")
    for one in them:
        berth("commit", *(word for change in one.changes for word in ("-c", change)), "both", one.name)
    berth("rm", "both")


def noted(folder):
    """What each writer has seen acknowledged."""
    return [(folder / str(writer)).read_text().split() if (folder / str(writer)).exists() else [] for writer in range(1, WRITERS + 1)]


def wait_for_writes(them, folder):
    """Each writer comes further."""
    for one in them:
        before = noted(folder / one.name)
        wait_for(lambda: all(len(now) > len(then) for now, then in zip(noted(folder / one.name), before)), f"every writer of {one.name} to go on", seconds=60)


def check_nothing_is_lost(berth, one, folder):
    stored, seen = one.stored(berth), noted(folder)
    for writer, numbers in enumerate(seen, 1):
        assert numbers == [f"{writer}-{number}" for number in range(1, len(numbers) + 1)]
        assert not (lost := [number for number in numbers if number not in stored]), f"{one.name} has lost {len(lost)} of {len(numbers)}: {lost[:5]}"
    # The last of each may be there, and nobody was told.
    assert len(stored) - sum(map(len, seen)) <= WRITERS


@pytest.fixture
def databases_tar():
    """A Debian with both of them."""
    return pathlib.Path(os.environ["BERTH_DATABASES_TAR"])


@pytest.fixture
def own_daemon():
    """A daemon that may be killed, on a disk in a file: all that it keeps goes with that at once."""
    base = pathlib.Path(tempfile.mkdtemp(prefix="berth-databases-"))
    (base / "root").mkdir()
    (base / "disk.img").touch()
    os.truncate(base / "disk.img", 4 << 30)
    subprocess.run(["mkfs.ext4", "-q", "-F", base / "disk.img"], check=True)
    subprocess.run(["mount", "-o", "loop", base / "disk.img", base / "root"], check=True)
    daemon = Daemon(base).start()
    yield daemon
    daemon.stop()
    subprocess.run(["umount", base / "root"], check=True)
    shutil.rmtree(base)


@pytest.fixture
def scene(own_daemon, databases_tar, tmp_path):
    """Both run, and are written to."""
    berth, them = Plain("berth", own_daemon), databases("10.87.0")
    make_images(berth, databases_tar, them)
    berth("network", "create", "--subnet", "10.87.0.0/24", "data")
    for one in them:
        one.begin(berth, tmp_path)
    yield berth, them
    if own_daemon.process.poll() is not None:
        own_daemon.start()
    left = berth.out("ps", "-aq").split()
    if left:
        berth("rm", "-f", *left)
    berth("network", "rm", "data")


def test_no_acknowledged_write_is_lost(scene, own_daemon, tmp_path):
    (berth, them), daemon = scene, own_daemon
    for turn in range(KILLS):
        one = them[turn // 4 % 2]
        kills_process, makes_again = turn % 4 == 1, turn % 4 == 3
        wait_for_writes(them, tmp_path)
        pids = {each.name: each.pid(berth) for each in them}
        daemon.kill()
        if kills_process:
            os.kill(pids[one.name], signal.SIGKILL)
        daemon.start()
        if kills_process:
            wait_for(lambda: one.pid(berth) not in (0, pids[one.name]), f"{one.name} to be started by its policy")
            del pids[one.name]
        # Nobody else has noticed.
        assert all(each.pid(berth) == pids[each.name] for each in them if each.name in pids)
        if makes_again:
            berth("rm", "-f", one.name)
            one.run(berth)
    wait_for_writes(them, tmp_path)
    for each in them:
        wait_for(lambda: each.is_healthy(berth), f"{each.name} to be healthy")
        each.end_writers(berth)
        berth("rm", "-f", each.name)
        each.run(berth)
        wait_for(lambda: each.is_healthy(berth), f"{each.name} to be healthy again")
        check_nothing_is_lost(berth, each, tmp_path / each.name)
