"""What is asked beside Docker's API: of berthd, and of a daemon that does not know it."""
import json
import subprocess

import pytest

from conftest import Client, clients
from test_confinement import Docker


@pytest.fixture(scope="module")
def berth(daemon):
    return Client("berth", clients()["berth"], daemon)


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
