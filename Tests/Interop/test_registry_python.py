"""Docker's library for Python (docker-py) logs in to, pushes to and pulls from our registry, through berthd and through Debian's dockerd."""
import re
import shutil
import tempfile

import docker as docker_library
import pytest

from conftest import Daemon
from test_confinement import Docker
from test_registry_server import Registry, layout, run


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    registry = Registry(tmp_path_factory.mktemp("registry"), "--htpasswd", "users")
    yield registry
    registry.stop()


@pytest.fixture(scope="module", params=["berthd", "dockerd"])
def engine(request):
    base = tempfile.mkdtemp(prefix=f"{request.param}-python-")
    engine = Daemon(base).start() if request.param == "berthd" else Docker(base)
    yield request.param, str(engine.socket)
    engine.stop()
    shutil.rmtree(base)


def connect(socket):
    return docker_library.DockerClient(base_url=f"unix://{socket}", timeout=60)


def test_login_push_pull(engine, registry, layout, tmp_path):
    name, socket = engine
    folder, manifest = layout
    client, repository = connect(socket), f"{registry.address}/python/{name}"
    archive = tmp_path / "image.tar"
    run("skopeo", "copy", f"oci:{folder}:t", f"docker-archive:{archive}:{repository}:t")
    with open(archive, "rb") as file:
        image, = client.images.load(file)

    refused = list(client.images.push(repository, tag="t", stream=True, decode=True))
    assert "no basic auth credentials" in refused[-1]["error"] or "not logged in" in refused[-1]["error"], refused[-1]
    with pytest.raises(docker_library.errors.APIError) as wrong:
        client.login("alice", "wrong", registry=registry.address)
    assert wrong.value.status_code in (401, 500) and "unauthorized" in str(wrong.value).lower()
    assert client.login("alice", "secret", registry=registry.address)["Status"] == "Login Succeeded"

    lines = list(client.images.push(repository, tag="t", stream=True, decode=True))
    assert not [line for line in lines if "error" in line], lines
    digest = registry.digest(f"python/{name}", "t")
    assert [line["aux"] for line in lines if "aux" in line][-1]["Digest"] == digest
    assert re.fullmatch(rf"t: digest: {digest} size: \d+", lines[-2].get("status") or lines[-1]["status"])
    assert client.images.get_registry_data(f"{repository}:t").id == digest

    client.images.remove(image.id, force=True)
    assert client.images.list() == []
    pulled = client.images.pull(repository, tag="t")
    assert pulled.id == image.id and pulled.tags == [f"{repository}:t"]
    assert pulled.attrs["RepoDigests"] == [f"{repository}@{digest}"]
    client.images.remove(pulled.id, force=True)
    assert client.images.pull(f"{repository}@{digest}").id == image.id
    client.images.remove(image.id, force=True)
    # Somebody else is not logged in because this one is.
    with pytest.raises(docker_library.errors.APIError):
        connect(socket).images.pull(repository, tag="t")


def test_what_was_made_elsewhere(engine, registry, layout):
    """An image that skopeo has pushed: the manifest's digest is the same at both ends."""
    name, socket = engine
    folder, manifest = layout
    run("skopeo", "copy", "--dest-creds", "alice:secret", "--dest-tls-verify=false", "--preserve-digests", f"oci:{folder}:t", f"docker://{registry.address}/python/made:t")
    client = connect(socket)
    client.login("alice", "secret", registry=registry.address)
    image = client.images.pull(f"{registry.address}/python/made", tag="t")
    assert image.attrs["RepoDigests"] == [f"{registry.address}/python/made@{manifest}"]
    image.tag(f"{registry.address}/python/again-{name}", "u")
    lines = list(client.images.push(f"{registry.address}/python/again-{name}", tag="u", stream=True, decode=True))
    assert not [line for line in lines if "error" in line], lines
    if name == "berthd":
        # Docker 20.10 makes another manifest of what it pushes.
        assert registry.digest(f"python/again-{name}", "u") == manifest
    client.images.remove(image.id, force=True)
