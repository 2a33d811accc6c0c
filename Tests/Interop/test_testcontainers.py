"""Testcontainers for Python, as it is, with the docker-py of its own, which is newer than Debian's."""
import os
import pathlib
import subprocess

import docker as docker_library
import pytest


# Its own clean-up is a container of an image that is fetched; the tests see to that themselves.
SETTINGS = {"TESTCONTAINERS_RYUK_DISABLED": "true"}


@pytest.fixture
def image(daemon, busybox_tar):
    engine = docker_library.DockerClient(base_url=f"unix://{daemon.socket}")
    engine.api.import_image(str(busybox_tar), repository="testcontainers-box", tag="latest")
    yield "testcontainers-box:latest"
    for container in engine.containers.list(all=True, filters={"ancestor": "testcontainers-box:latest"}):
        container.remove(force=True)
    engine.images.remove("testcontainers-box:latest", force=True)


def test_what_a_test_does(daemon, image, tmp_path):
    script = pathlib.Path(__file__).parent / "with_testcontainers.py"
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": os.environ["BERTH_PYTHON"],
                   "DOCKER_HOST": f"unix://{daemon.socket}", "LC_ALL": "C.UTF-8", **SETTINGS}
    done = subprocess.run(["/usr/bin/python3", script, image, tmp_path], env=environment, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stdout + done.stderr
