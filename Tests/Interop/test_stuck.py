"""A monitor that is stopped, a file system that does not answer, clients that do not read: whoever has nothing to do with them does not notice."""
import json
import os
import pathlib
import shutil
import signal
import struct
import subprocess
import tempfile
import threading

import pytest

import storm
from conftest import Client, Daemon, clients, wait_for

YES = ["sh", "-c", "while :; do echo 0123456789abcdef0123456789abcdef; done"]


class HangingFileSystem:
    """A FUSE file system whose root is there and nothing else: whoever looks for a file in it waits in the kernel, and no signal ends that."""

    def __init__(self, path):
        self.path, self.waiting = path, 0
        path.mkdir()
        self.device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        options = f"fd={self.device},rootmode=40000,user_id=0,group_id=0,allow_other"
        subprocess.run(["mount", "-i", "-t", "fuse.hang", "-o", options, "hang", path], check=True, pass_fds=[self.device])
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                request = os.read(self.device, 1 << 20)
            except OSError:
                return  # the file system has ended
            _, operation, unique, node = struct.unpack_from("<IIQQ", request)
            if operation == 26:  # INIT: version 7.31
                self.answer(unique, struct.pack("<IIIIHHIIHHI28x", 7, 31, 65536, 1 << 18, 16, 12, 65536, 1, 0, 0, 0))
            elif operation == 3 and node == 1:  # GETATTR of the root: a directory, mode 0755
                self.answer(unique, struct.pack("<QII", 1, 0, 0) + struct.pack("<QQQQQQIIIIIIIIII", 1, 0, 0, 0, 0, 0, 0, 0, 0, 0o40755, 2, 0, 0, 0, 4096, 0))
            elif operation == 34 and node == 1:  # ACCESS
                self.answer(unique, b"")
            else:
                self.waiting += 1

    def answer(self, unique, body):
        os.write(self.device, struct.pack("<IiQ", 16 + len(body), 0, unique) + body)

    def end(self):
        """The server goes: whatever waits gets an error. Repeating is fine."""
        if self.device is None:
            return
        subprocess.run(["umount", "-f", self.path], capture_output=True)
        os.close(self.device)
        self.device = None
        subprocess.run(["umount", "-l", self.path], capture_output=True)


@pytest.fixture
def daemon():
    base = tempfile.mkdtemp(prefix="berth-stuck-")
    daemon = Daemon(base).start()
    yield daemon
    for container in ask(daemon, "GET", "/containers/json?all=1", 200):
        ask(daemon, "DELETE", f"/containers/{container['Id']}?force=1", 204, 404)
    daemon.stop()
    shutil.rmtree(base)


def ask(daemon, method, target, *allowed, body=None):
    """A request that is answered within a bound far beyond anything usual."""
    status, content = storm.ask(daemon.socket, method, target, body)
    assert status in allowed, f"{method} {target}: {status} {content}"
    return content


def begin(daemon, name, command, **host):
    made = ask(daemon, "POST", f"/containers/create?name={name}", 201, body={"Image": "box", "Cmd": command, "HostConfig": {"NetworkMode": "none"} | host})
    ask(daemon, "POST", f"/containers/{name}/start", 204)
    return made["Id"]


def open_stream(daemon, method, target, upgrade=False):
    """A stream that is begun and never read on."""
    connection = storm.Connection(daemon.socket)
    connection.request(method, target, headers={"Connection": "Upgrade", "Upgrade": "tcp"} if upgrade else {})
    answer = connection.getresponse()
    assert answer.status in (101, 200)
    return connection, answer


def monitor_of(daemon, identity):
    return json.loads((daemon.base / "run" / "containers" / identity / "run.json").read_text())["monitor"]["id"]


def expect_no_delay(daemon, stuck):
    """A whole life beside what is stuck, seen by who lists and by who follows the events."""
    events = open_stream(daemon, "GET", "/events")
    for number in range(3):
        name = f"beside{number}"
        begin(daemon, name, ["sh", "-c", "echo said; exec sleep 1000"])
        listed = {container["Id"]: container["State"] for container in ask(daemon, "GET", "/containers/json?all=1", 200)}
        assert all(listed[identity] == "running" for identity in stuck)
        for identity in stuck:
            assert ask(daemon, "GET", f"/containers/{identity}/json", 200)["State"]["Running"]
        made = ask(daemon, "POST", f"/containers/{name}/exec", 201, body={"Cmd": ["echo", "hi"], "AttachStdout": True})
        wait_for(lambda: b"said" in ask(daemon, "GET", f"/containers/{name}/logs?stdout=1", 200), "its log")
        assert b"hi" in storm.ask(daemon.socket, "POST", f"/exec/{made['Id']}/start", {"Detach": False})[1]
        ask(daemon, "POST", f"/containers/{name}/stop?t=0", 204)
        identity = ask(daemon, "GET", f"/containers/{name}/json", 200)["Id"]
        ask(daemon, "DELETE", f"/containers/{name}", 204)
        seen = None
        while seen != (identity, "destroy"):
            event = json.loads(events[1].readline())
            seen = (event["Actor"]["ID"], event["Action"])
    events[0].close()


def test_what_is_stuck_delays_nobody_else(daemon, busybox_tar):
    berth = Client("stuck", clients()["berth"], daemon)
    berth("import", busybox_tar, "box")
    hanging = HangingFileSystem(daemon.base / "hanging")
    try:
        waiting = begin(daemon, "waiting", ["cat", "/hanging/file"], Binds=[f"{hanging.path}:/hanging"])
        wait_for(lambda: hanging.waiting, "it to wait in the kernel")
        stopped = begin(daemon, "stopped", ["sleep", "1000"])
        monitor = monitor_of(daemon, stopped)
        os.kill(monitor, signal.SIGSTOP)
        chatty = begin(daemon, "chatty", YES)
        silent = begin(daemon, "silent", YES, LogConfig={"Type": "none"})
        unread = [
            open_stream(daemon, "GET", "/events"),
            open_stream(daemon, "GET", f"/containers/{chatty}/logs?follow=1&stdout=1"),
            open_stream(daemon, "POST", f"/containers/{chatty}/attach?stream=1&stdout=1", upgrade=True),
            open_stream(daemon, "POST", f"/containers/{silent}/attach?stream=1&stdout=1", upgrade=True),
        ]
        # What is asked of the stuck waits, in vain, and in its own place.
        askers = [
            threading.Thread(target=storm.ask, args=(daemon.socket, method, f"/containers/{identity}/{what}"))
            for identity in (waiting, stopped) for method, what in (("POST", "kill"), ("GET", "top"), ("GET", "logs?stdout=1"), ("GET", "stats?stream=0"))
        ]
        for asker in askers:
            asker.start()
        expect_no_delay(daemon, [waiting, stopped, chatty, silent])
        os.kill(monitor, signal.SIGCONT)
        hanging.end()
        for asker in askers:
            asker.join(storm.PATIENCE)
            assert not asker.is_alive()
        for connection, _ in unread:
            connection.close()
        assert ask(daemon, "POST", f"/containers/{waiting}/wait", 200)["StatusCode"] == 137
        assert ask(daemon, "POST", f"/containers/{stopped}/wait", 200)["StatusCode"] == 137
    finally:
        hanging.end()
