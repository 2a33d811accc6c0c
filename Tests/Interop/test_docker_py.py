"""What docker-py's own tests ask of an engine, where an engine can easily get it wrong: of berthd and of Debian's dockerd."""
import shutil
import tempfile

import docker as docker_library
import pytest

from conftest import Daemon
from test_confinement import Docker


@pytest.fixture(scope="module", params=["berthd", "dockerd"])
def engine(request, busybox_tar):
    base = tempfile.mkdtemp(prefix=f"{request.param}-library-")
    engine = Daemon(base).start() if request.param == "berthd" else Docker(base)
    client = docker_library.DockerClient(base_url=f"unix://{engine.socket}", timeout=60)
    client.api.import_image(str(busybox_tar), repository="box", tag="latest", changes=["CMD sleep 1000"])
    yield client
    for container in client.containers.list(all=True):
        container.remove(force=True)
    engine.stop()
    shutil.rmtree(base)


@pytest.fixture
def running(engine):
    container = engine.containers.run("box:latest", detach=True, network_mode="none", stdin_open=True)
    yield container
    container.remove(force=True)


@pytest.mark.parametrize("prepared", [True, False])
@pytest.mark.parametrize("started", [True, False])
def test_how_an_exec_comes_is_what_its_start_asks_for(engine, running, prepared, started):
    identity = engine.api.exec_create(running.id, ["sh", "-c", "echo out; test -t 1 && echo terminal; echo err >&2"], tty=prepared)
    raw = engine.api.exec_start(identity, tty=started, socket=True)._sock
    data = b""
    while piece := raw.recv(4096):
        data += piece
    words = (b"out\r\nterminal\r\nerr\r\n" if prepared else b"out\nerr\n")
    if started and not prepared:
        # Of two streams that are to come as one, dockerd gives the first.
        assert data in (words, b"out\n")
    elif started:
        assert data == words
    else:
        frames, rest = {1: b"", 2: b""}, data
        while rest:
            size = int.from_bytes(rest[4:8], "big")
            frames[rest[0]] += rest[8:8 + size]
            rest = rest[8 + size:]
        assert frames == ({1: words, 2: b""} if prepared else {1: b"out\n", 2: b"err\n"})


def test_what_is_no_archive_of_images_is_told_inside_the_answer(engine):
    with pytest.raises(docker_library.errors.ImageLoadError):
        engine.images.load(b"abc")


def test_the_runtime_may_be_named(engine):
    for runtime, isolation in (("runc", "default"), (None, None)):
        container = engine.containers.create("box:latest", network_mode="none", runtime=runtime, isolation=isolation)
        host = container.attrs["HostConfig"]
        assert host["Runtime"] == (runtime or engine.info()["DefaultRuntime"]) and host["Isolation"] == (isolation or "")
        container.remove()
    with pytest.raises(docker_library.errors.APIError) as refused:
        engine.containers.create("box:latest", runtime="nothing", network_mode="none").start()
    assert "nothing" in str(refused.value)


def test_a_log_driver_that_is_not_there(engine):
    config = docker_library.types.LogConfig(type="asdf", config={})
    with pytest.raises(docker_library.errors.APIError) as refused:
        engine.containers.create("box:latest", network_mode="none", log_config=config).start()
    assert refused.value.explanation in ("logger: no log driver named 'asdf' is registered",
                                         "error looking up logging plugin asdf: plugin \"asdf\" not found",
                                         "failed to initialize logging driver: error looking up logging plugin asdf: plugin \"asdf\" not found")
