"""Files copied into containers and out of them."""
import io
import os
import pathlib
import stat
import subprocess
import tarfile

import re
import shutil
import tempfile

import pytest

from conftest import Client, clients, wait_for
from test_confinement import Docker

NONE = ("--network", "none")


@pytest.fixture(scope="session")
def dockerd():
    base = tempfile.mkdtemp(prefix="docker-cp-")
    docker = Docker(base)
    yield docker
    docker.stop()
    shutil.rmtree(base)


@pytest.fixture(scope="session", params=[*clients(), "docker-debian at dockerd", "berth at dockerd"])
def client(request):
    """Every client at berthd; and at Debian's dockerd, which the same has to be true of."""
    name, _, other = request.param.partition(" at ")
    daemon = request.getfixturevalue("dockerd" if other else "daemon")
    client = Client(f"{name}-copies" if not other else f"{name}-there", clients()[name], daemon)
    client.is_dockerd = bool(other)
    if other:
        client.check_answers = lambda: None
        client.environment["DOCKER_HOST"] = f"unix://{daemon.socket}"
    client.makes_archives = name == "berth"
    return client


@pytest.fixture(params=["running", "stopped"])
def container(request, client, box, name):
    """A container, running or not yet started, with some files in it."""
    setup = (
        "mkdir -p /srv/d/sub /srv/empty; echo one >/srv/d/one; echo two >/srv/d/sub/two; ln -s d /srv/link; ln -s one /srv/d/lone;"
        " ln -s /nowhere /srv/dangling; echo f >/srv/file; ln -s file /srv/lfile; echo ready; ")
    client("run", "-d", "--name", name, *NONE, box, "sh", "-c", setup + "exec sleep 1000")
    wait_for(lambda: "ready" in client.out("logs", name), "the files")
    if request.param == "stopped":
        client("stop", "-t", "0", name)
    return name


def tree(root):
    """What is below a directory: names, kinds, contents."""
    found = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        found[name] = ("->", os.readlink(path)) if path.is_symlink() else None if path.is_dir() else path.read_text()
    return found


D = {"one": "one\n", "lone": ("->", "one"), "sub": None, "sub/two": "two\n"}


def below(name, entries):
    return {name: None, **{f"{name}/{key}": value for key, value in entries.items()}}


# Source in the container, destination, what there is afterwards in a directory that has a file "there" and a directory "dir". Docker's rules, one line each.
OUT = [
    ("/srv/d", "new", below("new", D)),
    ("/srv/d", "dir", below("dir", below("d", D))),
    ("/srv/d/", "dir", below("dir", below("d", D))),
    ("/srv/d/.", "dir", below("dir", D)),
    ("/srv/d/.", "new", below("new", D)),
    ("/srv/d", "new/", below("new", D)),
    ("/srv/link", "new", {"new": ("->", "d")}),
    ("/srv/link/", "new", below("new", D)),
    ("/srv/link/", "dir", below("dir", below("link", D))),
    ("/srv/link/.", "dir", below("dir", D)),
    ("/srv/file", "new", {"new": "f\n"}),
    ("/srv/file", "dir", below("dir", {"file": "f\n"})),
    ("/srv/file", "dir/", below("dir", {"file": "f\n"})),
    ("/srv/file", "there", {"there": "f\n"}),
    ("/srv/file", "dir/as", below("dir", {"as": "f\n"})),
    ("srv/file", ".", {"file": "f\n"}),
    ("/srv/../srv/./file", "new", {"new": "f\n"}),
    ("/srv/lfile", "new", {"new": ("->", "file")}),
    ("/srv/dangling", "new", {"new": ("->", "/nowhere")}),
    ("/srv/empty", "dir", below("dir", {"empty": None})),
]


@pytest.mark.parametrize("source, destination, expected", OUT)
def test_out(client, container, tmp_path, source, destination, expected):
    (tmp_path / "there").write_text("there\n")
    (tmp_path / "dir").mkdir()
    subprocess.run([client.program, "cp", f"{container}:{source}", destination], check=True, cwd=tmp_path, env=client.environment)
    assert tree(tmp_path) == {"there": "there\n", "dir": None, **expected}


def test_out_following_links(client, container, tmp_path):
    client("cp", "-L", f"{container}:/srv/lfile", tmp_path / "new")
    assert (tmp_path / "new").read_text() == "f\n" and not (tmp_path / "new").is_symlink()
    client("cp", "--follow-link", f"{container}:/srv/link", tmp_path)
    assert tree(tmp_path / "link") == D


# Source on this machine, destination, what the container then has.
IN = [
    ("src", "/new", "/new/a"), ("src", "/srv", "/srv/src/a"), ("src/", "/srv", "/srv/src/a"), ("src/.", "/srv", "/srv/a"), ("src/.", "/new", "/new/a"),
    ("src", "/srv/link", "/srv/d/src/a"), ("src/a", "/new", "/new"), ("src/a", "/srv", "/srv/a"), ("src/a", "/srv/file", "/srv/file"),
    ("src/a", "/srv/lfile", "/srv/file"), ("src/a", "srv/link/", "/srv/d/a"), ("src/a", "/srv/link/.", "/srv/d/a"),
    ("lsrc/", "/srv", "/srv/lsrc/a"), ("lsrc/.", "/srv/empty", "/srv/empty/a"), ("src/a", "/srv/dangling", "/nowhere"),
]


@pytest.mark.parametrize("source, destination, found", IN)
def test_in(client, container, tmp_path, source, destination, found):
    (tmp_path / "src").mkdir()
    (tmp_path / "src/a").write_text("hello\n")
    (tmp_path / "lsrc").symlink_to("src")
    subprocess.run([client.program, "cp", source, f"{container}:{destination}"], check=True, cwd=tmp_path, env=client.environment)
    archive = client("cp", f"{container}:{found}", "-", input=b"").stdout
    file = tarfile.open(fileobj=io.BytesIO(archive))
    member = file.next()
    assert member.isfile() and file.extractfile(member).read() == b"hello\n"


def test_in_following_links(client, container, tmp_path):
    (tmp_path / "a").write_text("hello\n")
    (tmp_path / "l").symlink_to("a")
    client("cp", tmp_path / "l", f"{container}:/srv/as-link")
    client("cp", "-L", tmp_path / "l", f"{container}:/srv/as-file")
    members = {m.name: m for m in tarfile.open(fileobj=io.BytesIO(client("cp", f"{container}:/srv/.", "-", input=b"").stdout))}
    assert members["./as-link"].linkname == "a" and members["./as-file"].isfile()


MISTAKES = [
    (["C:/nope", "."], r"(Could not find the file /nope in container|No such container:path: [^:]*:/nope)"),
    (["C:/srv/file/x", "."], r"(?i)not a directory|Could not find the file|No such container:path"),
    (["C:/srv/d", "there"], "cannot copy directory"),
    (["C:/srv/file", "missing/"], "no such directory"),
    (["C:/srv/file", "missing/as"], 'invalid output path: directory ".*missing" does not exist'),
    (["C:/srv/file", "/dev/null"], "invalid output path: .* must be a directory or a regular file: got a device"),
    (["there", "C:/srv/missing/"], "no such directory"),
    (["dir", "C:/srv/file"], "cannot copy directory"),
    (["there", "C:/missing/as"], r"(Could not find the file /missing in container|No such container:path: [^:]*:/missing)"),
    (["nothere", "C:/srv"], "lstat .*/nothere: (?i:no such file or directory)"),
    (["dir", "dir"], "must specify at least one container source"),
    (["C:/srv", "C:/srv"], "copying between containers is not supported"),
    (["-", "C:/srv/file"], 'destination ".*:/srv/file" must be a directory'),
    (["there", "no-such-container:/x"], "No such container"),
    (["", "C:/"], "source can not be empty"),
]


@pytest.mark.parametrize("words, expected", MISTAKES)
def test_mistakes(client, container, tmp_path, words, expected):
    (tmp_path / "there").write_text("there\n")
    (tmp_path / "dir").mkdir()
    words = [container + word[1:] if word.startswith("C:") else word for word in words]
    done = subprocess.run([client.program, "cp", *words], capture_output=True, text=True, cwd=tmp_path, env=client.environment, input="")
    assert done.returncode == 1 and re.search(expected, done.stderr), done.stderr


def test_what_a_directory_is_stays_one(client, container, tmp_path):
    (tmp_path / "d").write_text("a file\n")
    failed = client("cp", tmp_path / "d", f"{container}:/srv", status=1)
    assert "cannot overwrite directory" in failed.stderr and "with non-directory" in failed.stderr
    (tmp_path / "dir/file").mkdir(parents=True)
    failed = client("cp", f"{tmp_path}/dir/.", f"{container}:/srv", status=1)
    assert "cannot overwrite non-directory" in failed.stderr and "with directory" in failed.stderr


def test_everything_about_files_is_kept(client, container, tmp_path):
    source = tmp_path / "s"
    source.mkdir()
    file = source / "file"
    file.write_bytes(b"x" * 100_000)
    os.chown(file, 1234, 4321)
    os.chmod(file, 0o4751)
    os.utime(file, ns=(10**18, 10**18 + 123456789))
    os.link(file, source / "second")
    os.setxattr(file, "user.colour", b"blue")
    os.mkfifo(source / "pipe")
    os.mknod(source / "device", stat.S_IFCHR | 0o600, os.makedev(1, 3))
    (source / ("n" * 200)).write_text("long")
    (source / "late").mkdir()
    (source / "late/file").write_text("")
    os.utime(source / "late", ns=(10**18, 10**18))
    client("cp", source, f"{container}:/srv/copy")
    archive = client("cp", f"{container}:/srv/copy", "-", input=b"").stdout
    members = {m.name.rstrip("/"): m for m in tarfile.open(fileobj=io.BytesIO(archive))}
    first, other = sorted([members["copy/file"], members["copy/second"]], key=lambda m: m.islnk())
    # Debian's dockerd loses set-id bits.
    bits = 0o777 if client.is_dockerd else 0o7777
    assert (first.uid, first.gid, first.mode & bits, int(first.mtime)) == (1234, 4321, 0o4751 & bits, 10**9)
    assert other.islnk() and other.linkname == first.name
    assert members["copy/pipe"].isfifo() and (members["copy/device"].devmajor, members["copy/device"].devminor) == (1, 3)
    assert members["copy/" + "n" * 200].isfile() and members["copy/late"].mtime == 10**9
    if client.makes_archives and not client.is_dockerd:  # Docker's client drops the attributes of users, and fractions of seconds
        assert first.pax_headers["SCHILY.xattr.user.colour"] == "blue" and first.mtime == 10**9 + 0.123456789
        client("cp", "-a", f"{container}:/srv/copy", tmp_path / "back")
        again = tmp_path / "back/file"
        assert again.stat().st_mtime_ns == 10**18 + 123456789 and os.getxattr(again, "user.colour") == b"blue"
        assert (again.stat().st_uid, again.stat().st_ino) == (1234, (tmp_path / "back/second").stat().st_ino)
    client("cp", f"{container}:/srv/copy/file", tmp_path / "own")
    assert (tmp_path / "own").stat().st_uid == 0  # whoever copies


def test_streams(client, container):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        member = tarfile.TarInfo("link/streamed")
        member.size = 3
        archive.addfile(member, io.BytesIO(b"abc"))
    client("cp", "-", f"{container}:/srv", input=buffer.getvalue())
    archive = client("cp", f"{container}:/srv/d/streamed", "-", input=b"").stdout
    assert tarfile.open(fileobj=io.BytesIO(archive)).next().name == "streamed"


def test_mounts_are_seen_and_read_only_ones_refuse(client, box, name, tmp_path):
    for folder in ("rw", "ro"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "have").write_text("have\n")
    (tmp_path / "f").write_text("f\n")
    client(
        "create", "--name", name, *NONE, "--read-only", "-v", f"{tmp_path}/rw:/data/rw", "-v", f"{tmp_path}/ro:/data/ro:ro", box, "sleep", "1000")
    for _ in range(2):
        client("cp", tmp_path / "f", f"{name}:/data/rw/f")
        assert (tmp_path / "rw/f").read_text() == "f\n"
        (tmp_path / "rw/f").unlink()
        client("cp", f"{name}:/data/ro/have", tmp_path / "got")
        assert (tmp_path / "got").read_text() == "have\n"
        assert "mounted volume is marked read-only" in client("cp", tmp_path / "f", f"{name}:/data/ro/f", status=1).stderr
        assert "container rootfs is marked read-only" in client("cp", tmp_path / "f", f"{name}:/tmp/f", status=1).stderr
        client("start", name)


def test_a_file_that_is_mounted_is_not_replaced(client, box, name, tmp_path):
    client("run", "-d", "--name", name, *NONE, box, "sleep", "1000")
    (tmp_path / "hosts").write_text("1.2.3.4 x\n")
    assert "device or resource busy" in client("cp", tmp_path / "hosts", f"{name}:/etc/hosts", status=1).stderr
    assert "localhost" in client.out("exec", name, "cat", "/etc/hosts")


def test_a_container_that_swaps_links_meanwhile(client, box, name, tmp_path):
    """Nothing of the host is read or written, whatever the container does while files are copied."""
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "f").write_text("the host's\n")
    script = f"mkdir -p /w/real{tmp_path}/secret /real; while :; do ln -sfn {secret} /w/x; ln -sfn ../../../../../../../..{secret} /w/x; rm -f /w/x; mkdir /w/x; echo >/w/x/f; rm -rf /w/x; done"
    client("run", "-d", "--name", name, *NONE, box, "sh", "-c", script)
    (tmp_path / "f").write_text("copied\n")
    outcomes = set()
    for _ in range(60):
        outcomes.add(client("cp", tmp_path / "f", f"{name}:/w/x", status=None).returncode)
        done = client("cp", f"{name}:/w/x/f", "-", input=b"", status=None)
        assert b"the host's" not in done.stdout
    assert (secret / "f").read_text() == "the host's\n" and [each.name for each in secret.iterdir()] == ["f"]
    assert client.out("ps", "-q", "--no-trunc", "--filter", f"name={name}")
