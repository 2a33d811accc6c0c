"""What is asked beside Docker's API: of berthd, and of a daemon that does not know it."""
import json
import re
import subprocess

import pytest

from conftest import Client, clients
from test_confinement import Docker


@pytest.fixture(scope="module")
def berth(daemon):
    return Client("berth-alone", clients()["berth"], daemon)


def test_jobs(berth, busybox_tar):
    berth("import", busybox_tar, "jobs:1")
    jobs = [json.loads(line) for line in berth.out("system", "jobs", "--format", "json").splitlines()]
    ours = [job for job in jobs if job["Kind"] == "import" and job["Title"] == "jobs:1"]
    assert [job["State"] for job in ours] == ["succeeded"]
    assert ours[0]["ID"] in berth.out("system", "jobs", "-q").splitlines()
    assert berth.out("system", "jobs").splitlines()[0].split() == ["JOB", "ID", "KIND", "ON", "STATE", "STARTED", "PROGRESS"]
    berth("rmi", "jobs:1")


def test_another_daemon_is_told_from_ours(tmp_path_factory):
    docker = Docker(tmp_path_factory.mktemp("docker"))
    try:
        done = subprocess.run(
            [clients()["berth"], "-H", f"unix://{docker.socket}", "system", "jobs"], capture_output=True, text=True, timeout=30)
        assert done.returncode == 1 and not done.stdout
        assert done.stderr.startswith("Error response from daemon: /berth/v1/jobs needs berthd; this daemon is Docker 20.10.")
    finally:
        docker.stop()


def layer_files(daemon, client, image):
    layer = client.out("image", "inspect", "-f", "{{index .RootFS.Layers 0}}", image)
    documents = (daemon.base / "root/overlay2").glob("*/layer.json")
    return next(path.parent / "diff" for path in documents if json.loads(path.read_text())["layer"]["diffID"] == layer)


def test_check_and_repair(berth, daemon, busybox_tar):
    berth("import", busybox_tar, "checked:1")
    done = berth("system", "check")
    assert done.stdout.endswith("Everything is sound.\n") and not done.stderr
    assert re.match(r"Checked \d+ images?, \d+ names?, \d+ layers?, \d+ blobs?, \d+ containers?: [\d.]+[kMG]?B read\.\n", done.stdout)
    assert berth.out("system", "check", "--quiet") == ""
    passwd = layer_files(daemon, berth, "checked:1") / "etc/passwd"
    contents = passwd.read_bytes()
    passwd.write_bytes(contents.upper())
    done = berth("system", "check", status=1)
    assert done.stdout.startswith("damaged-layer sha256:") and "/etc/passwd: its contents are others\n" in done.stdout
    assert "\n  to do: a repair unpacks it anew\n" in done.stdout and done.stdout.endswith("1 not sound.\n")
    assert re.fullmatch(r"damaged-layer sha256:[0-9a-f]{64}", berth.out("system", "check", "-q", status=1))
    report = json.loads(berth.out("system", "check", "--format", "json", status=1))
    assert not report["isSound"] and report["findings"][0]["kind"] == "damaged-layer" and passwd.read_bytes() != contents
    # Not under a running container's feet.
    berth("run", "-d", "--name", "checked", "--network", "none", "checked:1", "sleep", "1000")
    done = berth("system", "check", "--repair", status=1)
    assert "\n  failed: containers run on it: stop " in done.stdout
    berth("rm", "-f", "checked")
    done = berth("system", "check", "--repair")
    assert "\n  repaired: it was unpacked anew from its blob" in done.stdout and done.stdout.endswith("\nEverything is sound.\n")
    assert passwd.read_bytes() == contents
    assert berth.out("run", "--rm", "--network", "none", "checked:1", "cat", "/etc/passwd").encode() == contents.strip()
    assert berth.out("system", "check", "--format", "{{.isSound}} {{len .findings}}") == "true 0"
    assert '"check"' in berth.out("system", "jobs", "--format", "json")
    berth("rmi", "checked:1")


def test_check_needs_no_quiet(berth, daemon, busybox_tar, tmp_path):
    """Images come and go while the store is checked."""
    checks = [berth.start("system", "check", stdout=subprocess.PIPE, text=True) for _ in range(3)]
    for number in range(6):
        berth("import", busybox_tar, f"meanwhile:{number}")
        berth("run", "--rm", "--network", "none", f"meanwhile:{number}", "true")
        if number % 2:
            berth("rmi", f"meanwhile:{number}")
    for check in checks:
        output = check.communicate(timeout=60)[0]
        assert check.returncode == 0, output
    assert berth.out("system", "check", "--quiet") == ""
    berth("rmi", *(f"meanwhile:{number}" for number in (0, 2, 4)))
