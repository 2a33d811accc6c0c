"""The daemon is killed under everything that runs, and started again: nobody's container notices."""
import json
import os
import shutil
import signal
import subprocess
import tempfile

import pytest

from conftest import Client, Daemon, clients, wait_for

NONE = ("--network", "none")
WRITER = "i=0; while :; do i=$((i+1)); echo line $i; sleep 0.01; done"


@pytest.fixture
def own_daemon():
    """A daemon of the test's own, which it may kill. Whatever is left of its containers goes with it."""
    base = tempfile.mkdtemp(prefix="berth-recovery-")
    daemon = Daemon(base).start()
    yield daemon
    if daemon.process.poll() is not None:
        daemon.start()
    client = Client("cleaning", clients()["berth"], daemon)
    ids = client.out("ps", "-aq").split()
    if ids:
        client("rm", "-f", *ids)
    daemon.stop()
    shutil.rmtree(base)


@pytest.fixture(params=clients())
def own_client(request, own_daemon, busybox_tar):
    client = Client(request.param, clients()[request.param], own_daemon)
    client("import", busybox_tar, "box")
    return client


def monitor_of(daemon, identity):
    return json.loads((daemon.base / "run" / "containers" / identity / "run.json").read_text())["monitor"]["id"]


def test_twenty_containers_live_through_the_death_of_the_daemon(own_daemon, own_client, tmp_path):
    daemon, client = own_daemon, own_client
    writers = [client.out("run", "-d", *NONE, "box", "sh", "-c", WRITER) for _ in range(18)]
    ending = client.out("run", "-d", *NONE, "-v", f"{tmp_path}:/shared", "box", "sh", "-c",
                        "until [ -e /shared/go ]; do sleep 0.02; done; echo last words; exit 42")
    cat = client.start("run", "-i", "--name", "cat", *NONE, "box", "cat", stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    cat.stdin.write(b"before\n")
    cat.stdin.flush()
    assert cat.stdout.readline() == b"before\n"
    pids = {identity: client.out("inspect", "-f", "{{.State.Pid}}", identity) for identity in writers}
    gone = client.out("run", "-d", *NONE, "box", "sleep", "1000")

    daemon.kill()
    cat.communicate(timeout=20)  # the client loses its daemon, and says so
    assert cat.returncode != 0
    (tmp_path / "go").touch()
    wait_for(lambda: (daemon.base / "root" / "containers" / ending / "exit.json").stat().st_size > 0, "one to end meanwhile")
    os.kill(monitor_of(daemon, gone), signal.SIGKILL)
    daemon.start()

    running = client.out("ps", "-q", "--no-trunc").split()
    assert set(writers) < set(running) and len(running) == 19 and ending not in running and gone not in running
    assert {identity: client.out("inspect", "-f", "{{.State.Pid}}", identity) for identity in writers} == pids
    assert client.out("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", ending) == "exited 42"
    assert client.out("logs", ending) == "last words" and client.out("wait", ending) == "42"
    state = json.loads(client.out("inspect", gone))[0]["State"]
    assert (state["Status"], state["ExitCode"]) == ("exited", 137) and "monitor lost" in state["Error"]

    again = client.start("attach", "cat", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    again.stdin.write(b"after\n")
    again.stdin.flush()
    assert again.stdout.readline() == b"after\n"
    again.stdin.close()
    assert again.wait(20) == 0
    assert client.out("logs", "cat").splitlines() == ["before", "after"]

    for identity in writers:
        known = len(client.out("logs", identity).splitlines())
        wait_for(lambda: len(client.out("logs", identity).splitlines()) > known, "more lines")
        client("stop", "-t", "0", identity)
        lines = client.out("logs", identity).splitlines()
        assert lines == [f"line {number}" for number in range(1, len(lines) + 1)] and len(lines) > known
    client("start", writers[0])
    assert client.out("inspect", "-f", "{{.State.Running}}", writers[0]) == "true"
    client("rm", "-f", *writers, ending, gone, "cat")
    assert client.out("ps", "-aq") == ""
    client.check_answers()


def test_a_killed_monitor_says_why(own_daemon, own_client):
    client = own_client
    identity = client.out("run", "-d", *NONE, "box", "sleep", "1000")
    waiting = client.start("wait", identity, stdout=subprocess.PIPE, text=True)
    os.kill(monitor_of(own_daemon, identity), signal.SIGKILL)
    assert waiting.communicate(timeout=20)[0].strip() == "137"
    assert "monitor lost" in client.out("inspect", "-f", "{{.State.Error}}", identity)
    client("rm", identity)


def resident_kibibytes(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))


def test_a_gibibyte_is_complete_and_memory_stays_flat(own_daemon, own_client):
    """At an attached client and in the log; neither the daemon nor the monitor grows."""
    client, total = own_client, 1 << 30
    client.environment["DOCKER_HOST"] = f"unix://{own_daemon.socket}"  # past the recorder, which keeps what it hears
    line = b"0123456789abcdef0123456789abcde\n"
    command = f"yes 0123456789abcdef0123456789abcde | head -c {total}"
    client("create", "--name", "much", "--log-opt", "max-size=2g", *NONE, "box", "sh", "-c", command)
    before = resident_kibibytes(own_daemon.process.pid)
    reading = client.start("start", "-a", "much", stdout=subprocess.PIPE)
    expected, count, most, monitor = line * (1 << 15), 0, {"daemon": 0, "monitor": 0}, None
    while piece := reading.stdout.read(1 << 20):
        assert piece == expected[:len(piece)]
        count += len(piece)
        monitor = monitor or monitor_of(own_daemon, client.out("inspect", "-f", "{{.Id}}", "much"))
        most["daemon"] = max(most["daemon"], resident_kibibytes(own_daemon.process.pid))
        if os.path.exists(f"/proc/{monitor}/status"):
            try:
                most["monitor"] = max(most["monitor"], resident_kibibytes(monitor))
            except (FileNotFoundError, ProcessLookupError, StopIteration):
                pass  # it has just ended
    assert count == total and reading.wait(20) == 0
    assert most["monitor"] < 32 << 10 and most["daemon"] - before < 64 << 10, most
    logs = client.start("logs", "much", stdout=subprocess.PIPE)
    count = 0
    while piece := logs.stdout.read(1 << 20):
        assert piece == expected[:len(piece)]
        count += len(piece)
    assert count == total and logs.wait(20) == 0
    assert resident_kibibytes(own_daemon.process.pid) - before < 64 << 10
    client("rm", "-f", "much")
