"""What a container has changed: told, exported and made an image."""
import io
import json
import os
import pathlib
import shutil
import stat
import subprocess
import tarfile
import tempfile

import pexpect
import pytest

from conftest import Client, Daemon, clients, wait_for

NONE = ("--network", "none")


def changed(client, box, name, script):
    client("run", "--name", name, *NONE, box, "sh", "-c", script)


def test_a_container_that_has_done_nothing_has_no_changes(client, box, name):
    changed(client, box, name, "true")
    assert client.out("diff", name) == ""
    assert client.out("container", "diff", name) == ""


def test_diff(client, box, name):
    changed(client, box, name, "echo x >/etc/new; echo y >>/etc/passwd; rm /etc/group; mkdir /srv; : >/srv/file; rm -r /home; ln -s a /tmp/link")
    assert client.out("diff", name).split("\n") == [
        "C /etc", "D /etc/group", "A /etc/new", "C /etc/passwd", "D /home", "A /srv", "A /srv/file", "C /tmp", "A /tmp/link"]


def names(archive):
    return {member.name: member for member in tarfile.open(fileobj=io.BytesIO(archive))}


@pytest.mark.parametrize("running", [False, True])
def test_export(client, box, name, running, tmp_path):
    script = "echo hello >/etc/new; ln /etc/new /srv-link; chown user /etc/new; rm /etc/group; touch -d '2001-02-03 04:05:06' /etc/new; echo done"
    if running:
        client("run", "-d", "--name", name, *NONE, box, "sh", "-c", f"{script}; sleep 1000")
        wait_for(lambda: "done" in client.out("logs", name), "the changes")
    else:
        changed(client, box, name, script)
    archive = client("export", name, input=b"").stdout
    found = names(archive)
    assert "etc/group" not in found and "." not in found
    assert found["etc/new"].uid == 1000 and found["etc/new"].mtime == 981173106 and found["srv-link"].islnk()
    # What is mounted is not part of it; what it is mounted over is.
    assert found["etc/hosts"].size == 0 and not [each for each in found if each.startswith("proc/")]
    file = tmp_path / "root.tar"
    client("container", "export", "-o", file, name)
    assert names(file.read_bytes()).keys() == found.keys()
    # And back.
    reference = f"again-{client.name}:latest"
    client("import", file, reference)
    assert client.out("run", "--rm", *NONE, reference, "cat", "/srv-link") == "hello"
    client("rmi", "-f", reference)


def test_a_device_is_not_replaced_by_a_file(client, box, name, tmp_path):
    device = tmp_path / "null"
    os.mknod(device, stat.S_IFCHR | 0o666, os.makedev(1, 3))
    client("create", "--name", name, *NONE, box, "true")
    for command in (["export", "-o", device, name], ["save", "-o", device, box]):
        assert client(*command, status=1).stderr
        assert stat.S_ISCHR(device.stat().st_mode)


def test_export_says_no_to_a_terminal_and_to_what_is_not_there(client, box, name, tmp_path):
    changed(client, box, name, "true")
    terminal = client.terminal("export", name)
    terminal.expect("owardly refusing to save to a terminal")
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus != 0
    failed = client("export", "-o", tmp_path / "x.tar", "no-such-container", status=1)
    assert "No such container: no-such-container" in failed.stderr
    assert "No such container" in client("diff", "no-such-container", status=1).stderr


def test_commit(client, box, name):
    changed(client, box, name, "echo kept >/etc/kept; rm /etc/group")
    reference = f"committed-{client.name}:v1"
    identity = client.out(
        "commit", "-a", "A. Writer", "-m", "some words", "-c", "ENV A=b", "-c", 'CMD ["cat", "/etc/kept"]', "-c", "EXPOSE 80",
        "-c", "LABEL k=v", "-c", "WORKDIR /srv", "-c", "USER user", "-c", "VOLUME /data", "-c", "ONBUILD RUN true", "-c", "STOPSIGNAL SIGINT",
        "-c", "HEALTHCHECK --interval=5s CMD true", name, reference)
    assert identity.startswith("sha256:")
    image = json.loads(client.out("image", "inspect", reference))[0]
    parent = json.loads(client.out("image", "inspect", box))[0]
    assert (image["Id"], image["Author"], image["Comment"], image["Parent"]) == (identity, "A. Writer", "some words", parent["Id"])
    config = image["Config"]
    assert config["Cmd"] == ["cat", "/etc/kept"] and "A=b" in config["Env"] and config["WorkingDir"] == "/srv" and config["User"] == "user"
    assert config["ExposedPorts"] == {"80/tcp": {}} and config["Labels"] == {"k": "v"} and config["Volumes"] == {"/data": {}}
    assert config["OnBuild"] == ["RUN true"] and config["StopSignal"] == "SIGINT"
    assert image["RootFS"]["Layers"][:-1] == parent["RootFS"]["Layers"] and len(image["RootFS"]["Layers"]) == 2
    plain = client.out("commit", "--change", 'CMD ["cat", "/etc/kept"]', name)
    assert client.out("run", "--rm", *NONE, plain) == "kept"
    assert client("run", "--rm", *NONE, plain, "ls", "/etc/group", status=1).stderr
    # The container is as it was, and can be committed again with the same layer.
    assert client.out("diff", name).split("\n") == ["C /etc", "D /etc/group", "A /etc/kept"]
    again = json.loads(client.out("image", "inspect", plain))[0]
    assert again["RootFS"] == image["RootFS"]
    client("rmi", reference, plain)


def test_a_commit_of_nothing_has_its_image_s_layers(client, box, name):
    changed(client, box, name, "true")
    identity = client.out("container", "commit", name)
    image, parent = (json.loads(client.out("image", "inspect", each))[0] for each in (identity, box))
    assert image["RootFS"] == parent["RootFS"] and image["Id"] != parent["Id"]
    client("rmi", identity)


@pytest.mark.parametrize("pause", ["--pause=true", "--pause=false"])
def test_what_runs_goes_on_after_a_commit(client, box, name, pause):
    client("run", "-d", "--name", name, *NONE, box, "sh", "-c", "echo x >/etc/new; i=0; while :; do i=$((i+1)); echo $i; sleep 0.01; done")
    wait_for(lambda: client.out("logs", name), "the first line")
    identity = client.out("commit", pause, name)
    lines = len(client.out("logs", name).split())
    wait_for(lambda: len(client.out("logs", name).split()) > lines + 5, "more lines")
    assert client.out("run", "--rm", *NONE, identity, "cat", "/etc/new") == "x"
    client("rm", "-f", name)
    client("rmi", identity)


def test_commits_that_cannot_be(client, box, name):
    changed(client, box, name, ": >/srv.wh.fine; : >/etc/.wh.wrong")
    before = client.out("images", "-aq")
    assert "/etc/.wh.wrong" in client("commit", name, status=1).stderr
    assert "RUN is not a valid change command" in client("commit", "-c", "RUN true", name, status=1).stderr
    assert "No such container: nobody" in client("commit", "nobody", status=1).stderr
    assert client("commit", name, f"x@sha256:{'0' * 64}", status=1).stderr
    assert client.out("images", "-aq") == before


@pytest.fixture
def own_daemon():
    base = tempfile.mkdtemp(prefix="berth-commit-")
    daemon = Daemon(base).start()
    yield daemon
    daemon.stop()
    shutil.rmtree(base)


def freezer(process):
    for line in pathlib.Path(f"/proc/{process}/cgroup").read_text().split("\n"):
        number, controllers, path = line.split(":", 2)
        if "freezer" in controllers.split(","):
            return pathlib.Path(f"/sys/fs/cgroup/freezer{path}/freezer.state"), "FROZEN"
        if number == "0" and not controllers and os.path.exists(f"/sys/fs/cgroup{path}/cgroup.freeze"):
            return pathlib.Path(f"/sys/fs/cgroup{path}/cgroup.freeze"), "1"
    raise AssertionError("no freezer")


def test_a_daemon_that_was_killed_during_a_commit_lets_the_container_go_on(own_daemon, busybox_tar):
    client = Client("berth", clients()["berth"], own_daemon)
    client("import", busybox_tar, "box")
    identity = client.out("run", "-d", *NONE, "box", "sh", "-c", "i=0; while :; do i=$((i+1)); echo $i; sleep 0.01; done")
    wait_for(lambda: client.out("logs", identity), "the first line")
    # What a commit does before it reads.
    file, word = freezer(client.out("inspect", "-f", "{{.State.Pid}}", identity))
    file.write_text(word)
    own_daemon.kill()
    own_daemon.start()
    lines = len(client.out("logs", identity).split())
    wait_for(lambda: len(client.out("logs", identity).split()) > lines + 5, "more lines")
    client("rm", "-f", identity)
