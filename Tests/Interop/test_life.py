"""What becomes of containers: the same lines in Debian's Docker and in berthd, through docker's client and ours, and the same words come back."""
import json
import os
import re
import shutil
import subprocess
import tempfile

import pytest

from conftest import BIN, wait_for
from test_confinement import Docker

NONE = ("--network", "none")


class Side:
    """One client at one daemon."""

    def __init__(self, name, program, socket):
        self.name, self.program, self.socket = name, str(program), socket

    def __call__(self, *arguments, timeout=60):
        done = subprocess.run(
            [self.program, "-H", f"unix://{self.socket}", *map(str, arguments)], capture_output=True, text=True, timeout=timeout,
            env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LC_ALL": "C.UTF-8"})
        return done.returncode, done.stdout, done.stderr

    def out(self, *arguments):
        status, out, errors = self(*arguments)
        assert status == 0, (arguments, errors)
        return out.strip()

    def inspect(self, name, template):
        return self.out("inspect", "-f", template, name)


@pytest.fixture(scope="module")
def docker(busybox_tar):
    base = tempfile.mkdtemp(prefix="docker-life-")
    docker = Docker(base)
    docker.out("import", busybox_tar, "box:latest")
    yield Side("dockerd", "/usr/bin/docker", docker.socket)
    docker.stop()
    shutil.rmtree(base)


@pytest.fixture(scope="module", params=["docker", "berth"])
def ours(request, daemon, busybox_tar):
    side = Side(f"berthd-{request.param}", "/usr/bin/docker" if request.param == "docker" else BIN / "berth", daemon.socket)
    side.out("import", busybox_tar, "box:latest")
    yield side
    left = side.out("ps", "-aq").split()
    if left:
        side.out("rm", "-f", *left)
    side.out("rmi", "box:latest")


@pytest.fixture(autouse=True)
def nothing_is_left(docker, ours):
    """One test that fails does not make the next ones fail."""
    yield
    for side in (docker, ours):
        left = side.out("ps", "-aq").split()
        if left:
            side.out("rm", "-f", *left)


def told(side, *arguments):
    """What a line comes to, without what is each side's own."""
    status, out, errors = side(*arguments)
    text = out + errors
    text = re.sub(r"[0-9a-f]{64}", "ID", text)
    # The client's own lead and its trailer differ; the reason does not.
    # Debian's Docker repeats what it was asked about, later ones say the id.
    text = text.replace("Container C1 is paused, unpause", "Container ID is paused, unpause")
    text = re.sub(r"Error response from daemon: ", "", text)
    return status, text.strip()


# Each line, and what has to be there first: nothing, a container that was made, one that runs, or one that stands still.
REFUSALS = [
    ("made", ["pause", "C"]), ("made", ["unpause", "C"]), ("run", ["unpause", "C"]), ("paused", ["pause", "C"]), ("paused", ["exec", "C", "true"]),
    ("paused", ["start", "C"]), ("paused", ["rm", "C"]), ("run", ["rename", "C", "C"]), ("run", ["rename", "C", "other"]), ("run", ["rename", "C", "bad/name"]),
    ("run", ["update", "--restart", "sometimes", "C"]), ("run", ["update", "-m", "1m", "C"]), ("run", ["update", "-m", "64m", "C"]),
    ("run", ["update", "--cpu-period", "5", "C"]), ("run", ["update", "C"]),
    ("run", ["update", "--blkio-weight", "-1", "C"]),
    ("restarting", ["rm", "C"]), ("restarting", ["pause", "C"]),
    ("restarting", ["exec", "C", "true"]), ("none", ["restart", "nobody"]), ("none", ["pause", "nobody"]), ("none", ["rename", "nobody", "x2"]),
    ("none", ["update", "--restart", "no", "nobody"]), ("none", ["create", "--rm", "--restart", "always", "box", "true"]),
    ("none", ["create", "--restart", "always:3", "box", "true"]), ("none", ["create", "--restart", "sometimes", "box", "true"]),
    ("none", ["create", "--restart", "on-failure:x", "box", "true"]), ("none", ["create", "--health-interval", "1us", "box", "true"]),
    ("none", ["create", "--health-retries", "-1", "box", "true"]), ("none", ["create", "--no-healthcheck", "--health-cmd", "x", "box", "true"]),
    ("none", ["ps", "--filter", "health=splendid"]),
]

# Where newer versions of Docker say it otherwise than Debian's, or ours says more.
OTHER_WORDS = {
    ("create", "--restart", "sometimes", "box", "true"): "unknown policy 'sometimes'",
    ("update", "--restart", "sometimes", "C"): "unknown policy 'sometimes'",
    ("create", "--restart", "always:3", "box", "true"): "maximum retry count can only be used with 'on-failure'",
}


def prepare(side, state, name):
    if state == "none":
        return
    if state == "restarting":
        side.out("run", "-d", "--name", name, "--restart", "always", *NONE, "box", "sh", "-c", "exit 1")
        wait_for(lambda: int(side.inspect(name, "{{.RestartCount}}")) >= 5 and side.inspect(name, "{{.State.Status}}") == "restarting", "a long wait", seconds=90)
        return
    side.out("create", "--name", name, *NONE, "box", "sleep", "1000")
    if state in ("run", "paused"):
        side.out("start", name)
    if state == "paused":
        side.out("pause", name)


@pytest.mark.parametrize("state, line", REFUSALS, ids=lambda value: value if isinstance(value, str) else "-".join(value))
def test_refusals_are_dockers(docker, ours, state, line):
    answers = {}
    for side in (docker, ours):
        if "other" in line:
            side.out("create", "--name", "other", *NONE, "box", "true")
        prepare(side, state, "C1")
        answers[side.name] = told(side, *["C1" if word == "C" else word for word in line])
        left = side.out("ps", "-aq").split()
        if left:
            side.out("rm", "-f", *left)
    theirs, own = answers["dockerd"], answers[ours.name]
    assert own[0] == theirs[0] != 0, answers
    if words := OTHER_WORDS.get(tuple(line)):
        assert words in own[1], answers
        return
    if ours.program == "/usr/bin/docker":
        assert own[1].replace("\n", " ") == theirs[1].replace("\n", " "), answers
    else:
        # Ours prints the same reason; what leads to it and how to get help may differ.
        reason = theirs[1].splitlines()[0].removesuffix(".")
        assert reason.split(": ")[-1].lower() in own[1].replace("\n", " ").lower(), answers


def test_a_weight_of_block_devices_is_changed_where_the_kernel_has_one(ours):
    """Debian's Docker looks only for the weight of a scheduler that kernels since 5.0 do not have, and discards it."""
    prepare(ours, "run", "C1")
    _, text = told(ours, "update", "--blkio-weight", "300", "C1")
    weights = ours.out("exec", "C1", "sh", "-c", "cat /sys/fs/cgroup/blkio/blkio*weight /sys/fs/cgroup/io*weight 2>/dev/null; true").split()
    if weights:
        # Of 10 to 1000, or that place among 1 to 10,000.
        assert {"300", "2930"} & set(weights) and ours.inspect("C1", "{{.HostConfig.BlkioWeight}}") == "300", weights
    else:
        assert "Weight discarded." in text and ours.inspect("C1", "{{.HostConfig.BlkioWeight}}") == "0"
    if weights:
        assert told(ours, "update", "--blkio-weight", "5", "C1") == (1, "Range of blkio weight is from 10 to 1000")
    status, text = told(ours, "update", "--cpu-rt-period", "2000", "--cpu-rt-runtime", "5000", "C1")
    assert status == 1 and "real-time" in text


def events_of(side, since, until):
    lines = side.out("events", "--since", since, "--until", until, "--filter", "container=C2", "--format", "{{.Action}}").splitlines()
    return [line for line in lines]


def now(side):
    # The two clocks are one.
    return subprocess.run(["date", "+%s.%N"], capture_output=True, text=True, check=True).stdout.strip()


STORIES = {
    "restart": [["restart", "-t", "0", "C2"]],
    "restart of one that rests": [["kill", "C2"], ["restart", "C2"]],
    "pause": [["pause", "C2"], ["unpause", "C2"]],
    "stop of a paused one": [["pause", "C2"], ["stop", "-t", "0", "C2"]],
    "rename": [["rename", "C2", "C3"], ["rename", "C3", "C2"]],
    "update": [["update", "--restart", "on-failure:3", "C2"]],
}


@pytest.mark.parametrize("story", STORIES)
def test_the_same_happens_in_the_same_order(docker, ours, story):
    seen = {}
    for side in (docker, ours):
        side.out("run", "-d", "--name", "C2", *NONE, "box", "sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.05; done")
        since = now(side)
        for line in STORIES[story]:
            side.out(*line)
        wait_for(lambda: side.inspect("C2", "{{.State.Status}}") != "restarting", "it to be settled")
        state = json.loads(side.inspect("C2", "{{json .State}}"))
        policy = json.loads(side.inspect("C2", "{{json .HostConfig.RestartPolicy}}"))
        actions = events_of(side, since, now(side))
        if story == "stop of a paused one":
            # Whether it ends by the first signal or the second depends on how fast it wakes.
            assert (actions[0], actions[-1]) == ("pause", "stop")
            actions = sorted(set(actions))
        seen[side.name] = (actions, {key: state[key] for key in ("Status", "Running", "Paused", "Restarting", "Dead")}, policy)
        side.out("rm", "-f", "C2")
    assert seen["dockerd"] == seen[ours.name]


def test_what_a_list_says(docker, ours):
    seen = {}
    for side in (docker, ours):
        prepare(side, "paused", "paused")
        prepare(side, "restarting", "restarting")
        prepare(side, "run", "running")
        prepare(side, "made", "made")
        wait_for(lambda: side.inspect("restarting", "{{.State.Status}}") == "restarting", "the pause between two runs")
        listed = {line.split("\t")[0]: re.sub(r"\d+ (second|minute)s?|Less than a second|About a minute", "T", line.split("\t")[1])
                  for line in side.out("ps", "-a", "--format", "{{.Names}}\t{{.Status}}").splitlines()}
        default = sorted(name for name in side.out("ps", "--format", "{{.Names}}").splitlines() if name != "restarting")
        by_status = {status: side.out("ps", "-a", "--filter", f"status={status}", "--format", "{{.Names}}") for status in ("paused", "created")}
        last = (side.out("ps", "-l", "--format", "{{.Names}}"), side.out("ps", "-n", "2", "--format", "{{.Names}}"))
        listed.pop("restarting")  # between two runs, or in one
        seen[side.name] = (listed, default, by_status, last)
        side.out("rm", "-f", "paused", "restarting", "running", "made")
    assert seen["dockerd"] == seen[ours.name]
    assert seen["dockerd"][0]["paused"] == "Up T (Paused)"


def test_checks(docker, ours):
    seen = {}
    for side in (docker, ours):
        side.out("run", "-d", "--name", "C2", *NONE, "--health-cmd", "echo looking; test -e /well", "--health-interval", "200ms", "--health-timeout", "5s",
                 "--health-retries", "2", "box", "sh", "-c", "touch /well; sleep 1000")
        health = lambda: side.inspect("C2", "{{.State.Health.Status}}")
        first = side.out("ps", "--filter", "name=C2", "--format", "{{.Status}}").split("(")[-1]
        wait_for(lambda: health() == "healthy", "it to be well")
        listed = side.out("ps", "--filter", "health=healthy", "--format", "{{.Status}}").split("(")[-1]
        side.out("exec", "C2", "rm", "/well")
        wait_for(lambda: health() == "unhealthy", "it to be unwell")
        told_of = lambda: side.out("events", "--since", "1m", "--until", "0s", "--filter", "container=C2", "--filter", "event=health_status", "--format", "{{.Action}}")
        wait_for(lambda: "unhealthy" in told_of(), "the event")
        log = json.loads(side.inspect("C2", "{{json .State.Health.Log}}"))
        check = json.loads(side.inspect("C2", "{{json .Config.Healthcheck}}"))
        actions = told_of()
        probes = side.out("events", "--since", "1m", "--until", "0s", "--filter", "container=C2", "--filter", "event=exec_create", "--format", "{{.Action}}")
        seen[side.name] = (first, listed, log[-1]["ExitCode"], log[-1]["Output"], len(log) <= 5, check, actions.splitlines()[:2],
                           probes.splitlines()[0].strip())
        side.out("rm", "-f", "C2")
    assert seen["dockerd"] == seen[ours.name]


def test_prune(docker, ours):
    seen = {}
    for side in (docker, ours):
        prepare(side, "made", "made")
        prepare(side, "run", "running")
        side.out("create", "--name", "kept", "--label", "keep", *NONE, "box", "true")
        first = told(side, "container", "prune", "-f", "--filter", "label!=keep")
        second = sorted(side.out("ps", "-a", "--format", "{{.Names}}").splitlines())
        bad = told(side, "container", "prune", "-f", "--filter", "colour=red")
        side.out("rm", "-f", "running", "kept")
        seen[side.name] = (first, second, bad[0])
    assert seen["dockerd"] == seen[ours.name]


def test_a_policy_survives_the_daemon(daemon, ours):
    """What ends while no daemon is there is started by the next; what was stopped by hand is not."""
    ours.out("run", "-d", "--name", "wanted", "--restart", "unless-stopped", *NONE, "box", "sleep", "1000")
    ours.out("run", "-d", "--name", "unwanted", "--restart", "unless-stopped", *NONE, "box", "sleep", "1000")
    ours.out("stop", "-t", "0", "unwanted")
    process = int(ours.inspect("wanted", "{{.State.Pid}}"))
    daemon.kill()
    os.kill(process, 9)
    daemon.start()
    wait_for(lambda: ours.inspect("wanted", "{{.State.Status}}") == "running", "it to run again")
    assert int(ours.inspect("wanted", "{{.State.Pid}}")) != process
    assert ours.inspect("unwanted", "{{.State.Status}}") == "exited"
    ours.out("rm", "-f", "wanted", "unwanted")
