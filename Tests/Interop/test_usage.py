"""How much space everything takes, as Docker tells it, and what Docker does not tell."""
import json
import shutil
import subprocess
import tempfile

import pytest

from conftest import Client, Daemon, clients
from test_confinement import Docker

NONE = ("--network", "none")
CHANGES = (
    "head -c 1000 /dev/zero >/new; head -c 70 /dev/zero >/new; ln /new /other; ln -s /new /link; mkdir /folder; head -c 5 /dev/zero >/folder/file; "
    "rm /etc/group; head -c 30 /dev/zero >>/etc/passwd; truncate -s 100000 /sparse"
)


@pytest.fixture(scope="module")
def docker():
    base = tempfile.mkdtemp(prefix="docker-usage-")
    docker = Docker(base)
    yield docker
    docker.stop()
    shutil.rmtree(base)


@pytest.fixture(params=clients())
def alone(request):
    """A client of a daemon that nothing else uses."""
    base = tempfile.mkdtemp(prefix="berth-usage-")
    daemon = Daemon(base).start()
    client = Client(request.param, clients()[request.param], daemon)
    yield client
    client.check_answers()
    daemon.stop()
    shutil.rmtree(base)


def furnish(call, archive):
    """The same images and containers for each."""
    call("load", "-i", archive)
    call("run", "--name", "ended", *NONE, "base:1", "sh", "-c", CHANGES)
    call("commit", "ended", "upper:1")
    call("tag", "upper:1", "upper:2")
    call("create", "--name", "untouched", *NONE, "upper:1", "true")


@pytest.fixture
def both(alone, docker, busybox_tar, tmp_path):
    alone("import", "--change", 'CMD ["sh"]', busybox_tar, "base:1")
    archive = tmp_path / "base.tar"
    alone("save", "-o", archive, "base:1")
    alone("rmi", "base:1")
    furnish(alone, archive)
    furnish(docker.out, archive)
    yield alone, docker
    docker.out("rm", "-f", "ended", "untouched")
    docker.out("rmi", "-f", "upper:1", "upper:2", "base:1")


def test_docker_counts_the_same(both):
    ours, theirs = both
    for arguments in (
        ["ps", "-a", "--format", "{{.Names}} {{.Size}}"],
        ["inspect", "-s", "-f", "{{.SizeRw}} {{.SizeRootFs}}", "ended"],
        ["inspect", "-s", "-f", "{{.SizeRw}} {{.SizeRootFs}}", "untouched"],
        ["system", "df", "--format", "{{.Type}}|{{.TotalCount}}|{{.Active}}|{{.Size}}|{{.Reclaimable}}"],
    ):
        expected = theirs.out(*arguments).strip().splitlines()
        assert ours.out(*arguments).splitlines()[:len(expected)] == expected, arguments
    lines = [[line.split() for line in each.out("system", "df", "-v").splitlines()] for each in both]
    # What is shown besides comes after what Docker shows; ids and times are of each daemon's own, and clients round an image's size each their way.
    for title in ("Images space usage:", "Containers space usage:", "Local Volumes space usage:", "Build cache usage: 0B"):
        ours_at, theirs_at = (each.index(title.split()) for each in lines)
        assert lines[0][ours_at + 2] == lines[1][theirs_at + 2]
    rows = [sorted((line[0], line[1], line[-3:]) for line in each if line and line[0] in ("base", "upper")) for each in lines]
    assert rows[0] == rows[1] and len(rows[0]) == 2 and ["base", "1"] in [list(row[:2]) for row in rows[0]]
    assert ours.out("inspect", "-s", "-f", "{{.SizeRw}}", "ended") != "0"


def test_a_running_container_is_not_reclaimable(both):
    client, _ = both
    client("run", "-d", "--name", "running", *NONE, "base:1", "sh", "-c", "head -c 1234 /dev/zero >/file; echo written; sleep 1000")
    log = client.start("logs", "-f", "running", stdout=subprocess.PIPE)
    assert log.stdout.readline().strip() in ("written", b"written")
    log.kill()
    row = [line for line in client.out("system", "df", "--format", "json" if client.name != "docker-debian" else "{{json .}}").splitlines()
           if json.loads(line)["Type"] == "Containers"]
    found = json.loads(row[0])
    assert (found["TotalCount"], found["Active"]) == ("3", "1")
    total, free = found["Size"], found["Reclaimable"].split()[0]
    assert total.endswith("kB") and float(total[:-2]) - float(free[:-2]) == pytest.approx(1.234, abs=0.1)
    client("rm", "-f", "running")


def rows(text):
    return {line["Type"]: (line["TotalCount"], line["Active"], line["Size"], line["Reclaimable"]) for line in map(json.loads, text.splitlines())}


@pytest.mark.parametrize("alone", ["berth"], indirect=True)
def test_what_docker_does_not_tell(both):
    client, docker = both
    client("run", "-d", "--name", "writing", *NONE, "base:1", "sh", "-c", "echo some words; sleep 1000")
    log = client.start("logs", "-f", "writing", stdout=subprocess.PIPE)
    log.stdout.readline()
    log.kill()
    told = rows(client.out("system", "df", "--format", "json"))
    blobs = list((client.daemon.base / "root/content/blobs/sha256").iterdir())
    assert told["Image Blobs"][:2] == (str(len(blobs)),) * 2 and told["Image Blobs"][3] == "0B (0%)"
    logs = list((client.daemon.base / "root/containers").glob("*/*-json.log"))
    size = sum(each.stat().st_size for each in logs)
    assert len(logs) == 2 and told["Container Logs"] == ("3", "1", f"{size}B", "0B (0%)")
    assert told["Partial Content"] == ("0", "0", "0B", "0B")
    details = json.loads(client.out("system", "df", "-v", "--format", "json"))
    assert {each["KeptBy"] for each in details["Blobs"]} == {"upper:1, upper:2, 1 container", "base:1, 2 containers"}
    assert ["writing", f"{size}B"] in [[each["Name"], each["Size"]] for each in details["Logs"]]
    assert "Container logs:" in client.out("system", "df", "-v") and details["Partial"] == []
    client("rm", "-f", "writing")
    # Another daemon's account has what it tells.
    ask = [clients()["berth"], "-H", f"unix://{docker.socket}", "system", "df"]
    told = subprocess.run([*ask, "--format", "json"], capture_output=True, text=True, timeout=60, check=True).stdout
    assert list(rows(told)) == ["Images", "Containers", "Local Volumes", "Build Cache"]
    assert "Container logs:" not in subprocess.run([*ask, "-v"], capture_output=True, text=True, timeout=60, check=True).stdout
