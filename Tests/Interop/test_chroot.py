"""An engine that runs in a chroot: its containers' root is theirs alone, although another one lies below the engine's."""
import pathlib
import shutil
import subprocess
import tempfile

import pytest

from conftest import BIN, Daemon


class DaemonInChroot(Daemon):
    """The same files at the same paths; the root is a mount, and not the namespace's."""

    def __init__(self, base):
        super().__init__(base)
        self.chroot = self.base / "chroot"
        self.chroot.mkdir()
        subprocess.run(["mount", "--rbind", "/", self.chroot], check=True)

    def arguments(self):
        return ["chroot", self.chroot, *super().arguments()]

    def stop(self):
        super().stop()
        subprocess.run(["umount", "--lazy", self.chroot], check=True)


@pytest.fixture
def in_chroot():
    base = tempfile.mkdtemp(prefix="berth-chroot-")
    daemon = DaemonInChroot(base).start()
    yield daemon
    daemon.stop()
    shutil.rmtree(base)


def berth(daemon, *arguments):
    done = subprocess.run([BIN / "berth", "-H", f"unix://{daemon.socket}", *map(str, arguments)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_root_and_namespaces_are_the_containers(in_chroot, busybox_tar):
    berth(in_chroot, "import", busybox_tar, "box")
    berth(in_chroot, "run", "-d", "--name", "inside", "--network", "none", "box", "sleep", "1000")
    # Who enters the mount namespace begins at its own root: that is the container's.
    assert berth(in_chroot, "exec", "inside", "ls", "/").split() == berth(in_chroot, "run", "--rm", "--network", "none", "box", "ls", "/").split()
    for kind in ("mnt", "pid", "uts", "ipc", "net", "cgroup"):
        assert berth(in_chroot, "exec", "inside", "readlink", f"/proc/1/ns/{kind}") == berth(in_chroot, "exec", "inside", "readlink", f"/proc/self/ns/{kind}")
    process = berth(in_chroot, "inspect", "--format", "{{.State.Pid}}", "inside").strip()
    mounts = pathlib.Path(f"/proc/{process}/mountinfo").read_text().splitlines()
    # The uppermost mount of the namespace is the container's root: nothing of the host's is left above it.
    identifiers = {line.split()[0] for line in mounts}
    tops = [line for line in mounts if line.split()[1] not in identifiers]
    assert len(tops) == 1 and tops[0].split()[4] == "/" and " overlay " in tops[0], mounts
    entered = subprocess.run(["nsenter", "--target", process, "--mount", "/bin/busybox", "ls", "/"], capture_output=True, text=True)
    assert entered.returncode == 0 and "bin" in entered.stdout and "boot" not in entered.stdout, entered
    berth(in_chroot, "rm", "-f", "inside")
