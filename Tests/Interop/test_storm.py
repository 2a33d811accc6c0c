"""Twenty-four clients do anything to fifty containers at once, while the daemon is killed and started again: everyone is answered, nothing but what the
API knows is said, and afterwards nothing is left and everything is true."""
import collections
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import tempfile
import threading
import time

import pytest

import storm
from conftest import Client, Daemon, clients, wait_for

IS_LONG = bool(os.environ.get("BERTH_LONG"))
SECONDS, BETWEEN_KILLS = (180, (10, 10)) if IS_LONG else (30, (4, 8))
SEED = int(os.environ.get("BERTH_STORM_SEED", "7"))
CLIENTS = 24


class StormDaemon(Daemon):
    """A daemon, and what there is of it on this machine."""

    def ask(self, method, target, *allowed, body=None):
        status, content = storm.ask(self.socket, method, target, body)
        assert status in allowed, f"{method} {target}: {status} {content}"
        return content

    @property
    def engine_id(self):
        return json.loads((self.base / "root" / "engine.json").read_text())["id"]

    def control_groups(self):
        found = set()
        for folder in pathlib.Path("/sys/fs/cgroup").glob(f"*/berth-{self.engine_id}"):
            found.update(str(path.relative_to(folder.parent)) for path in folder.rglob("*") if path.is_dir())
        return {path for path in found if re.search(r"/[0-9a-f]{64}", path)}

    def processes(self):
        """By their numbers, what they are and to which container they belong. The nursery stays as long as the daemon."""
        found = {}
        for entry in os.scandir("/proc"):
            if not entry.name.isdigit():
                continue
            try:
                groups = pathlib.Path(entry.path, "cgroup").read_text()
                name = pathlib.Path(entry.path, "comm").read_text().strip()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if f"berth-{self.engine_id}/" in groups and name != "berth-nursery":
                container = re.search(r"/([0-9a-f]{64})", groups)
                found[int(entry.name)] = (name, container and container[1])
        return found

    def descriptors(self):
        """How many of which kind. Timers and what they wake are Swift's own, made when they are first needed."""
        kinds = collections.Counter()
        folder = f"/proc/{self.process.pid}/fd"
        for number in os.listdir(folder):
            try:
                target = os.readlink(f"{folder}/{number}")
            except FileNotFoundError:
                continue
            if not re.search(r"\[(timerfd|eventpoll|eventfd)\]$", target):
                kinds[re.sub(r":.*", "", target)] += 1
        return dict(kinds)

    def names(self, *parts):
        folder = self.base.joinpath(*parts)
        return {path.name for path in folder.iterdir()} - {"lock"} if folder.is_dir() else set()

    def left(self):
        """What containers and networks are made of, outside of any document."""
        def lines(*command):
            return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines())

        return {
            "processes": self.processes(),
            "control groups": self.control_groups(),
            "links": {line.split()[0].split("@")[0] for line in lines("ip", "-br", "link")},
            "rules": lines("nft", "list", "ruleset"),
            "sockets": {line.split()[4] for line in lines("ss", "-Hlntu")},
            "mounts": set(pathlib.Path("/proc/self/mountinfo").read_text().splitlines()),
            "containers": self.names("root", "containers"),
            "running": self.names("run", "containers"),
            "sandboxes": self.names("root", "sandboxes") | self.names("run", "sandboxes"),
            "layers": self.names("root", "overlay2"),
            "links of layers": self.names("root", "overlay2", "l"),
            "volumes": self.names("root", "volumes"),
            "descriptors": self.descriptors(),
        }


def difference(now, base):
    """What there is more of, in words. What is gone was somebody else's."""
    found = {}
    for kind, value in now.items():
        if isinstance(value, set):
            if value - base[kind]:
                found[kind] = sorted(value - base[kind])
        elif value != base[kind]:
            found[kind] = {"now": value, "before": base[kind]}
    return found


def expect_nothing_left(daemon, base):
    """Monitors, and what the kernel takes down by itself, follow the answers."""
    end = time.monotonic() + 30
    while found := difference(daemon.left(), base):
        assert time.monotonic() < end, json.dumps(found, indent=1)
        time.sleep(0.1)


@pytest.fixture
def daemon():
    base = tempfile.mkdtemp(prefix="berth-storm-")
    daemon = StormDaemon(base).start()
    yield daemon
    if daemon.process.poll() is not None:
        daemon.start()
    remove_all(daemon)
    daemon.stop()
    shutil.rmtree(base)


def remove_all(daemon):
    for container in daemon.ask("GET", "/containers/json?all=1", 200):
        daemon.ask("DELETE", f"/containers/{container['Id']}?force=1&v=1", 204, 404, 409)
    for name in storm.NETWORKS:
        daemon.ask("DELETE", f"/networks/{name}", 204, 404)
    for volume in daemon.ask("GET", "/volumes", 200)["Volumes"] or []:
        daemon.ask("DELETE", f"/volumes/{volume['Name']}", 204, 404)


def blow(daemon, seed):
    """The storm itself: to its end, with every client come back."""
    weather = storm.Storm(daemon.socket, seed)
    sailors = [threading.Thread(target=storm.Sailor(weather, number).sail, daemon=True) for number in range(CLIENTS)]
    for sailor in sailors:
        sailor.start()
    pause, end = random.Random(seed), time.monotonic() + SECONDS
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(left, pause.uniform(*BETWEEN_KILLS)))
        weather.is_away = True
        weather.kills += 1
        daemon.kill()
        daemon.start()
        weather.is_away = False
    weather.is_over.set()
    end = time.monotonic() + 2 * storm.PATIENCE
    for sailor in sailors:
        sailor.join(max(0, end - time.monotonic()))
    assert not weather.doing, f"these do not come back: {weather.doing}"
    for (operation, status), count in sorted(weather.answers.items(), key=str):
        print(f"{operation:30} {status}: {count}")
    for fault, count in collections.Counter(weather.faults).most_common():
        print(f"FAULT {count} x {fault}")
    return weather


def expect_allowed(weather):
    """Everyone was told only what the API knows, and everything was managed by somebody."""
    assert not weather.faults, weather.faults[:40]
    done = {operation for (operation, status), _ in weather.answers.items() if status == "away" or status is None or status < 300}
    missing = {operation for operation, _ in weather.answers} - done - {"inspect the removed", "inspect what removed itself"}
    assert not missing, f"nobody has ever managed to {missing}"


def is_at_rest(details):
    """Whether it stays as it is when nobody asks for anything."""
    status, command = details["State"]["Status"], details["Config"]["Cmd"]
    lasts = command in storm.LASTING or command == ["cat"] and (details["Config"]["OpenStdin"] or details["Config"]["Tty"])
    return status in ("created", "exited", "paused") or status == "running" and lasts


def settle(daemon):
    """Nobody asks for anything any more, and nothing ends or begins by itself: what is said from here on stays true."""

    def everything_rests():
        rests = True
        for container in daemon.ask("GET", "/containers/json?all=1", 200):
            target = f"/containers/{container['Id']}"
            details = daemon.ask("GET", f"{target}/json", 200, 404)
            if "Id" not in details:
                rests = False
            elif details["HostConfig"]["AutoRemove"]:
                daemon.ask("DELETE", f"{target}?force=1", 204, 404, 409)
                rests = False
            elif details["HostConfig"]["RestartPolicy"]["Name"] not in ("", "no"):
                # 409: it is just being started.
                daemon.ask("POST", f"{target}/update", 200, 409, body={"RestartPolicy": {"Name": "no"}})
                rests = False
            else:
                rests = rests and is_at_rest(details)
        return rests

    wait_for(everything_rests, "everything to be at rest")


def what_is_said(daemon):
    """Of every container: its name, and how it is."""
    said = {}
    for container in daemon.ask("GET", "/containers/json?all=1", 200):
        details = daemon.ask("GET", f"/containers/{container['Id']}/json", 200)
        assert container["Names"][0] == details["Name"]
        assert container["State"] == details["State"]["Status"], details
        said[container["Id"]] = details
    return said


def expect_truth(daemon):
    said = what_is_said(daemon)
    names = [details["Name"] for details in said.values()]
    assert len(set(names)) == len(names)
    for name in storm.NAMES:
        found = daemon.ask("GET", f"/containers/{name}/json", 200, 404)
        assert ("Id" in found) == (f"/{name}" in names) and found.get("Name", f"/{name}") == f"/{name}", found
    # One document, one layer, for each; nothing for anybody else.
    assert daemon.names("root", "containers") == set(said)
    layers = {name for name in daemon.names("root", "overlay2") if (daemon.base / "root/overlay2" / name / "work").is_dir()}
    assert layers == set(said)
    # A process is there if one is said to be, and then only.
    processes = daemon.processes()
    running = {identity for identity, details in said.items() if details["State"]["Running"]}
    assert {container for _, container in processes.values() if container} == running
    for identity in running:
        assert processes[said[identity]["State"]["Pid"]][1] == identity
    # An address is one container's.
    addresses = collections.Counter()
    for identity, details in said.items():
        for endpoint in details["NetworkSettings"]["Networks"].values():
            if endpoint["IPAddress"]:
                assert identity in running, details
                addresses[endpoint["IPAddress"]] += 1
    assert not [address for address, count in addresses.items() if count > 1]
    assert {volume["Name"] for volume in daemon.ask("GET", "/volumes", 200)["Volumes"] or []} == {
        name for name in daemon.names("root", "volumes") if (daemon.base / "root/volumes" / name).is_dir()}
    return said


def test_twenty_four_clients_in_a_storm(daemon, busybox_tar):
    print(f"BERTH_STORM_SEED={SEED}")
    berth = Client("storm", clients()["berth"], daemon)
    berth("import", busybox_tar, "box")
    # What is made once, such as the default network, is made by the first; then it is as when a daemon has just been started.
    berth("run", "--rm", "box", "true")
    wait_for(lambda: not daemon.processes(), "the first to be gone")
    daemon.kill()
    daemon.start()
    base = daemon.left()

    weather = blow(daemon, SEED)

    settle(daemon)
    before = expect_truth(daemon)
    daemon.kill()
    daemon.start()
    after = expect_truth(daemon)
    assert {identity: details["Name"] for identity, details in after.items()} == {identity: details["Name"] for identity, details in before.items()}
    assert berth.out("system", "check", "--quiet") == ""
    remove_all(daemon)
    # Every name is free again.
    for name in storm.NAMES:
        daemon.ask("POST", f"/containers/create?name={name}", 201, body={"Image": "box", "Cmd": ["true"]})
    remove_all(daemon)
    assert berth.out("system", "check", "--quiet") == ""
    expect_nothing_left(daemon, base)
    expect_allowed(weather)
