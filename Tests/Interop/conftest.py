"""berthd on a root of its own, and the clients that talk to it: Debian's docker, a newer one where PATH has it, and berth."""
import os
import pathlib
import shutil
import subprocess
import tempfile

import pexpect
import pytest

import openapi
import recorder

BIN = pathlib.Path(os.environ["BERTH_BIN"])


def clients():
    found = {"docker-debian": "/usr/bin/docker"}
    newer = shutil.which("docker")
    if newer and os.path.realpath(newer) != os.path.realpath("/usr/bin/docker"):
        found["docker-newer"] = newer
    found["berth"] = str(BIN / "berth")
    return found


def wait_for(condition, what, seconds=20):
    """Waits until condition() is true. There is no event to wait for in a process that is not ours."""
    import time

    end = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s for {what}")
        time.sleep(0.02)
    return value


class Daemon:
    def __init__(self, base):
        self.base = pathlib.Path(base)
        self.socket = str(self.base / "api.sock")
        self.log = self.base / "berthd.log"
        self.process = None

    def arguments(self):
        return [BIN / "berthd", "--root", self.base / "root", "--exec-root", self.base / "run", "-H", f"unix://{self.socket}"]

    def start(self):
        self.process = subprocess.Popen(self.arguments(), stderr=open(self.log, "ab"), stdin=subprocess.DEVNULL)
        wait_for(self.answers, f"berthd to answer; its log:\n{self.log.read_text()}")
        return self

    def answers(self):
        assert self.process.poll() is None, self.log.read_text()
        return subprocess.run([BIN / "berth", "-H", f"unix://{self.socket}", "version"], capture_output=True).returncode == 0

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.terminate()
        assert self.process.wait(20) == 0, self.log.read_text()


class Client:
    """One command line, pointed at the daemon through a recorder that checks each answer against the specification."""

    def __init__(self, name, program, daemon):
        self.name, self.program, self.daemon = name, program, daemon
        self.socket = str(daemon.base / f"{name}.sock")
        self.recorder = recorder.Recorder(self.socket, daemon.socket)
        self.environment = {
            "PATH": os.environ["PATH"], "HOME": str(daemon.base), "DOCKER_HOST": f"unix://{self.socket}", "TERM": "xterm", "LC_ALL": "C.UTF-8",
        }

    @property
    def is_berth(self):
        return self.name == "berth"

    def __call__(self, *arguments, input=None, status=0, timeout=60):
        done = subprocess.run(
            [self.program, *map(str, arguments)], input=input, capture_output=True, timeout=timeout, env=self.environment,
            **({} if isinstance(input, bytes) else {"text": True}))
        assert status is None or done.returncode == status, f"{arguments} ended with {done.returncode}\nstdout: {done.stdout}\nstderr: {done.stderr}"
        return done

    def out(self, *arguments, **more):
        return self(*arguments, **more).stdout.strip()

    def start(self, *arguments, **more):
        return subprocess.Popen([self.program, *map(str, arguments)], env=self.environment, **more)

    def terminal(self, *arguments, rows=24, columns=80):
        return pexpect.spawn(self.program, list(map(str, arguments)), env=self.environment, timeout=20, dimensions=(rows, columns), encoding="utf-8")

    def check_answers(self):
        for exchange in self.recorder.exchanges():
            openapi.check(*exchange)


@pytest.fixture(scope="session")
def daemon():
    base = tempfile.mkdtemp(prefix="berth-interop-")
    daemon = Daemon(base).start()
    yield daemon
    daemon.stop()
    shutil.rmtree(base)


@pytest.fixture(scope="session", params=clients())
def client(request, daemon):
    return Client(request.param, clients()[request.param], daemon)


@pytest.fixture(autouse=True)
def answers_are_specified(request):
    """After every test: what the daemon said to its client is what the Engine API's document allows."""
    yield
    if "client" in request.fixturenames:
        request.getfixturevalue("client").check_answers()


@pytest.fixture(scope="session")
def busybox_tar(tmp_path_factory):
    """A root file system of one program, with the users and folders that the tests ask for."""
    root = tmp_path_factory.mktemp("busybox")
    for folder in ("bin", "etc", "root", "tmp", "home/user"):
        (root / folder).mkdir(parents=True)
    shutil.copy("/bin/busybox", root / "bin/busybox")
    for name in subprocess.run(["/bin/busybox", "--list"], capture_output=True, text=True, check=True).stdout.split():
        if name != "busybox":
            (root / "bin" / name).symlink_to("busybox")
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\nuser:x:1000:\nextra:x:2000:user\n")
    tar = root.parent / "busybox.tar"
    subprocess.run(["tar", "-C", root, "-cf", tar, "."], check=True)
    return tar


@pytest.fixture(scope="session")
def debian_tar():
    """A real Debian, made of packages before the tier lost sight of the network."""
    return pathlib.Path(os.environ["BERTH_DEBIAN_TAR"])


@pytest.fixture(scope="session")
def debian(client, debian_tar):
    """The Debian image, imported by the client under test under a name of its own."""
    name = f"debian-{client.name}:latest"
    client("import", debian_tar, name)
    return name


@pytest.fixture
def box(client, daemon, busybox_tar):
    name = f"box-{client.name}:latest"
    if client("image", "inspect", name, status=None).returncode != 0:
        client("import", "--change", 'CMD ["sh"]', busybox_tar, name)
    return name


@pytest.fixture
def name(client):
    """A container name that is removed afterwards."""
    name = f"c-{client.name}-{os.urandom(3).hex()}"
    yield name
    client("rm", "-f", name, status=None)
