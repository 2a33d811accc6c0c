"""Images as archives: what others save is loaded, what is saved here others load, and every file of it is the same."""
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import tarfile
import tempfile

import pytest

from conftest import Daemon, wait_for
from test_confinement import Docker

BIN = pathlib.Path(os.environ["BERTH_BIN"])


def run(*command, **more):
    done = subprocess.run([str(part) for part in command], capture_output=True, timeout=120, **more)
    assert done.returncode == 0, f"{command}\nstdout: {done.stdout[-2000:]}\nstderr: {done.stderr[-2000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def docker():
    base = tempfile.mkdtemp(prefix="docker-archives-")
    docker = Docker(base)
    yield docker
    docker.stop()
    shutil.rmtree(base)


@pytest.fixture(scope="module")
def podman(tmp_path_factory):
    folder = tmp_path_factory.mktemp("podman")

    def call(*arguments):
        return run("podman", "--root", folder / "root", "--runroot", folder / "run", "--tmpdir", folder / "tmp", "--storage-driver", "vfs", *arguments).decode()

    yield call
    call("rmi", "--all", "--force")


@pytest.fixture(scope="module")
def buildah(tmp_path_factory):
    folder = tmp_path_factory.mktemp("buildah")
    return lambda *arguments: run("buildah", "--root", folder / "root", "--runroot", folder / "run", "--storage-driver", "vfs", *arguments).decode()


@pytest.fixture
def engine(tmp_path):
    """A daemon of its own, with nothing in it."""
    base = tempfile.mkdtemp(prefix="berth-archives-")
    engine = Daemon(base).start()
    engine.berth = lambda *arguments, **more: run(BIN / "berth", "-H", f"unix://{engine.socket}", *arguments, **more).decode().strip()
    engine.root = pathlib.Path(base) / "root"
    yield engine
    engine.stop()
    shutil.rmtree(base)


TREE = """
mkdir -p dir/deep dir/opaque usr/bin odd; echo lower | tee dir/file dir/gone dir/opaque/below dir/replaced >dir/deep/file
cp /bin/busybox usr/bin/busybox; cp usr/bin/busybox usr/bin/setuid; chmod 4755 usr/bin/setuid; chown 1000:1001 dir/file; chmod 600 dir/file
setcap cap_net_raw+ep usr/bin/busybox 2>/dev/null || python3 -c 'import os,struct; os.setxattr("usr/bin/busybox", "security.capability", struct.pack("<IIIII", 0x2000001, 1 << 13, 0, 0, 0))'
python3 -c 'import os; os.setxattr("dir/deep/file", "user.note", b"of a file"); os.setxattr("dir", "user.note", b"of a folder")'
ln dir/deep/file dir/hard; ln -s ../../nowhere dir/link; mkfifo dir/pipe; mknod dir/null c 1 3; truncate -s 1M dir/sparse; echo end >>dir/sparse
printf x >"odd/$(printf 'a%.0s' $(seq 200))"; printf x >odd/ünïcode; touch -d '2001-02-03 04:05:06' dir/file dir/deep usr; chmod 1777 odd
"""
CHANGES = [
    "rm dir/gone; rm -r dir/opaque; mkdir dir/opaque; echo upper >dir/opaque/above; echo upper >dir/new; rm dir/replaced; mkdir dir/replaced; touch -d @86400 dir",
    "echo top >dir/file; chmod 640 dir/file; rm dir/link; ln -s file dir/link; mv dir/new dir/renamed; touch -h -d @1000000000 dir/link",
]


class Image:
    """An image made by umoci, and what its root is."""

    def __init__(self, folder):
        self.layout, self.rootfs = folder / "layout", folder / "rootfs"
        bundle = folder / "bundle"
        run("umoci", "init", "--layout", self.layout)
        run("umoci", "new", "--image", f"{self.layout}:made")
        run("umoci", "config", "--image", f"{self.layout}:made", "--config.cmd", "sh", "--config.env", "A=b", "--config.label", "x=y")
        for number, change in enumerate([TREE] + CHANGES):
            run("umoci", "unpack", "--image", f"{self.layout}:made", bundle)
            run("bash", "-euc", change, cwd=bundle / "rootfs")
            run("umoci", "repack", "--image", f"{self.layout}:made", bundle)
            shutil.rmtree(bundle)
        run("umoci", "gc", "--layout", self.layout)
        run("umoci", "unpack", "--image", f"{self.layout}:made", bundle)
        (bundle / "rootfs").rename(self.rootfs)
        index = json.loads((self.layout / "index.json").read_text())
        self.manifest_digest = index["manifests"][0]["digest"]
        self.manifest = json.loads(self.blob(self.manifest_digest))
        self.id = self.manifest["config"]["digest"]
        self.diff_ids = json.loads(self.blob(self.id))["rootfs"]["diff_ids"]

    def blob(self, digest):
        return (self.layout / "blobs" / digest.replace(":", "/")).read_bytes()


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    return Image(tmp_path_factory.mktemp("made"))


def differences(one, other):
    """What rsync would have to do to make one tree the other: owners, modes, times, attributes, links and contents."""
    listing = run("rsync", "-nacHAXi", "--delete", "--devices", "--specials", f"{one}/", f"{other}/").decode().splitlines()
    # The root's own time is not said by every tool's archives.
    return [f"{line}: {times(one, line)} and {times(other, line)}" for line in listing if not line.endswith(" ./")]


def times(root, line):
    path = pathlib.Path(root) / line.split(" ", 1)[1].split(" -> ")[0]
    return path.lstat().st_mtime_ns if os.path.lexists(path) else None


class Mounted:
    """The root of an image, put together of the layers that the engine keeps."""

    def __init__(self, engine, identity):
        configuration = json.loads(engine.berth("inspect", identity))[0]
        chain, top = {}, None
        for document in (engine.root / "overlay2").glob("layer-*/layer.json"):
            layer = json.loads(document.read_text())["layer"]
            chain[json.dumps(layer["name"])] = (layer, document.parent / "diff")
        self.diff_ids = configuration["RootFS"]["Layers"]
        lowers, name = [], None
        for diff_id in self.diff_ids:
            for key, (layer, path) in chain.items():
                if layer["diffID"] == diff_id and (json.dumps(layer["parent"]) if layer.get("parent") else None) == name:
                    lowers.insert(0, str(path))
                    name = key
                    break
            else:
                raise AssertionError(f"no layer {diff_id} on {name}")
        self.path = tempfile.mkdtemp(prefix="mounted-")
        lowers = lowers if len(lowers) > 1 else lowers + [self.path]
        run("mount", "-t", "overlay", "-o", "ro,lowerdir=" + ":".join(lowers), "overlay", self.path)

    def __enter__(self):
        return self.path

    def __exit__(self, *_):
        run("umount", self.path)
        os.rmdir(self.path)


def load(engine, archive, *arguments):
    """Loads, and gives the ids of what is there then."""
    with open(archive, "rb") as file:
        said = engine.berth("load", *arguments, stdin=file)
    return said, engine.berth("images", "-q", "--no-trunc").split()


def check(engine, image, identity):
    inspected = json.loads(engine.berth("inspect", identity))[0]
    assert inspected["RootFS"]["Layers"] == image.diff_ids
    assert inspected["Config"]["Cmd"] == ["sh"] and "A=b" in inspected["Config"]["Env"] and inspected["Config"]["Labels"] == {"x": "y"}
    with Mounted(engine, identity) as root:
        assert differences(image.rootfs, root) == []


def layout_tar(layout, tmp_path):
    run("tar", "-C", layout, "-cf", tmp_path / "layout.tar", ".")
    return tmp_path / "layout.tar"


def test_what_umoci_made_is_loaded(engine, image, tmp_path):
    said, ids = load(engine, layout_tar(image.layout, tmp_path))
    assert said == f"Loaded image ID: {image.id}" and ids == [image.id]
    check(engine, image, image.id)
    # Blobs are kept as they arrived.
    for digest in [image.manifest_digest, image.id] + [layer["digest"] for layer in image.manifest["layers"]]:
        assert (engine.root / "content/blobs" / digest.replace(":", "/")).read_bytes() == image.blob(digest)


@pytest.mark.parametrize("kind", ["oci-archive", "docker-archive"])
def test_what_skopeo_saves_is_loaded(engine, image, tmp_path, kind):
    run("skopeo", "copy", "-q", f"oci:{image.layout}:made", f"{kind}:{tmp_path}/a.tar:registry.example/made:1")
    said, ids = load(engine, tmp_path / "a.tar")
    assert said == "Loaded image: registry.example/made:1" and len(ids) == 1
    check(engine, image, ids[0])


@pytest.mark.parametrize("packing", [["cat"], ["gzip", "-1"], ["zstd", "-q"], ["xz", "-0"], ["bzip2", "-1"], ["lz4", "-qc"]])
def test_what_docker_saves_is_loaded(engine, image, docker, tmp_path, packing):
    run("skopeo", "copy", "-q", f"oci:{image.layout}:made", f"docker-archive:{tmp_path}/a.tar:made:1")
    docker.out("load", "-i", tmp_path / "a.tar")
    docker.out("save", "-o", tmp_path / "b.tar", "made:1")
    identity = docker.out("inspect", "--format", "{{.Id}}", "made:1").strip()
    with open(tmp_path / "b.tar", "rb") as file:
        (tmp_path / "c.tar").write_bytes(run(*packing, stdin=file))
    said, ids = load(engine, tmp_path / "c.tar")
    assert said == "Loaded image: made:1" and ids == [identity]
    check(engine, image, identity)


@pytest.mark.parametrize("kind", ["docker-archive", "oci-archive"])
def test_what_podman_saves_is_loaded(engine, image, podman, tmp_path, kind):
    run("skopeo", "copy", "-q", f"oci:{image.layout}:made", f"docker-archive:{tmp_path}/a.tar:registry.example/made:1")
    podman("load", "-q", "-i", tmp_path / "a.tar")
    podman("save", "-q", "--format", kind, "-o", tmp_path / "b.tar", "registry.example/made:1")
    said, ids = load(engine, tmp_path / "b.tar")
    assert said == "Loaded image: registry.example/made:1" and len(ids) == 1
    check(engine, image, ids[0])


@pytest.mark.parametrize("kind", ["docker-archive", "oci-archive"])
def test_what_buildah_pushes_is_loaded(engine, image, buildah, tmp_path, kind):
    run("skopeo", "copy", "-q", f"oci:{image.layout}:made", f"docker-archive:{tmp_path}/a.tar:registry.example/made:1")
    buildah("pull", "-q", f"docker-archive:{tmp_path}/a.tar")
    buildah("push", "-q", "registry.example/made:1", f"{kind}:{tmp_path}/b.tar:registry.example/made:1")
    said, ids = load(engine, tmp_path / "b.tar")
    assert said == "Loaded image: registry.example/made:1" and len(ids) == 1
    check(engine, image, ids[0])


@pytest.fixture
def saved(engine, image, tmp_path):
    """The image, loaded, named and saved."""
    load(engine, layout_tar(image.layout, tmp_path))
    engine.berth("tag", image.id, "registry.example/made:1")
    engine.berth("save", "-o", tmp_path / "saved.tar", "registry.example/made:1")
    return tmp_path / "saved.tar"


def test_saving_again_gives_the_same_bytes(engine, image, saved):
    again = hashlib.sha256(run(BIN / "berth", "-H", f"unix://{engine.socket}", "save", "registry.example/made:1")).hexdigest()
    assert again == hashlib.sha256(saved.read_bytes()).hexdigest()
    with tarfile.open(saved) as tar:
        assert {member.mtime for member in tar} == {0}
        names = tar.getnames()
    assert names[:4] == ["oci-layout", "index.json", "manifest.json", "repositories"]
    assert sorted(names[6:]) == names[6:]


def test_docker_loads_what_is_saved(docker, image, saved, tmp_path):
    docker.out("load", "-i", saved)
    assert docker.out("inspect", "--format", "{{.Id}} {{json .RootFS.Layers}}", "registry.example/made:1").strip() == \
        f"{image.id} {json.dumps(image.diff_ids, separators=(',', ':'))}"


def test_podman_loads_what_is_saved(podman, image, saved):
    podman("rmi", "--all", "--force")
    assert "registry.example/made:1" in podman("load", "-q", "-i", saved)
    inspected = json.loads(podman("inspect", "--type", "image", "registry.example/made:1"))[0]
    assert f"sha256:{inspected['Id']}" == image.id and inspected["RootFS"]["Layers"] == image.diff_ids


def test_umoci_and_skopeo_read_what_is_saved(image, saved, tmp_path):
    layout = tmp_path / "saved"
    layout.mkdir()
    run("tar", "-C", layout, "-xf", saved)
    name = "registry.example/made:1"
    run("umoci", "unpack", "--image", f"{layout}:{name}", tmp_path / "bundle")
    assert differences(image.rootfs, tmp_path / "bundle/rootfs") == []
    for source in (f"oci:{layout}:{name}", f"oci-archive:{saved}:{name}", f"docker-archive:{saved}"):
        inspected = json.loads(run("skopeo", "inspect", "--config", source))
        assert inspected["rootfs"]["diff_ids"] == image.diff_ids, source
    assert json.loads(run("skopeo", "inspect", f"oci:{layout}:{name}"))["Digest"] == image.manifest_digest


def test_the_store_is_a_layout_that_others_read(engine, image, saved, podman, tmp_path):
    content = engine.root / "content"
    name = "registry.example/made:1"
    run("skopeo", "copy", "-q", f"oci:{content}:{name}", f"dir:{tmp_path}/dir")
    assert json.loads((tmp_path / "dir/manifest.json").read_text())["config"]["digest"] == image.id
    shutil.copytree(content, tmp_path / "copy")
    run("umoci", "unpack", "--image", f"{tmp_path}/copy:{name}", tmp_path / "bundle")
    assert differences(image.rootfs, tmp_path / "bundle/rootfs") == []
    podman("rmi", "--all", "--force")
    # Podman makes a name of the path, which not every temporary folder's name can be.
    (tmp_path / "store").symlink_to(content)
    assert "sha256:" + podman("pull", "-q", f"oci:{tmp_path}/store:{name}").strip() == image.id


def test_stock_clients_save_and_load(client, box, tmp_path):
    client("tag", box, f"kept-{client.name}:1")
    identity = client.out("inspect", "--format", "{{.Id}}", f"kept-{client.name}:1")
    client("save", "-o", tmp_path / "a.tar", f"kept-{client.name}:1")
    piped = client("save", f"kept-{client.name}:1", input=b"").stdout
    assert (tmp_path / "a.tar").read_bytes() == piped
    client("rmi", f"kept-{client.name}:1")
    assert client.out("load", "-i", tmp_path / "a.tar") == f"Loaded image: kept-{client.name}:1"
    assert client("load", input=piped).stdout.decode() == f"Loaded image: kept-{client.name}:1\n"
    assert client.out("inspect", "--format", "{{.Id}}", f"kept-{client.name}:1") == identity
    assert client.out("run", "--rm", "--network", "none", f"kept-{client.name}:1", "echo", "runs") == "runs"
    client("rmi", f"kept-{client.name}:1")
    assert "No such image" in client("save", "-o", tmp_path / "b.tar", "missing:1", status=1).stderr
    assert not (tmp_path / "b.tar").exists()
    assert "no archive of images" in client("load", input=b"<html>no</html>", status=1).stderr.decode()


def test_a_terminal_is_no_place_for_an_archive(client, box):
    child = client.terminal("save", box)
    child.expect("refusing to save to a terminal")
    child.wait()
    assert child.exitstatus == 1


def test_libarchive_is_opened_for_what_needs_it_alone(engine, tmp_path):
    """It brings several megabytes with it, which a daemon that never sees a cpio does without."""
    maps = lambda: pathlib.Path(f"/proc/{engine.process.pid}/maps").read_text()
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/file").write_text("text")
    run("bsdtar", "--format=pax", "-czf", tmp_path / "tree.tar.gz", "-C", tmp_path / "tree", "file")
    run("bsdtar", "--format=newc", "-cf", tmp_path / "tree.cpio", "-C", tmp_path / "tree", "file")
    engine.berth("import", tmp_path / "tree.tar.gz", "of-a:tar")
    assert "libarchive" not in maps()
    engine.berth("import", tmp_path / "tree.cpio", "of-a:cpio")
    assert "libarchive" in maps()


def test_where_libarchive_is_missing_that_is_said(tmp_path, monkeypatch):
    (tmp_path / "libarchive.so.13").write_text("no library")
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    (tmp_path / "file").write_text("text")
    run("tar", "-cf", tmp_path / "tree.tar", "-C", tmp_path, "file")
    run("busybox", "sh", "-c", f"cd {tmp_path} && echo file | busybox cpio -o -H newc >tree.cpio")
    base = tempfile.mkdtemp(prefix="berth-archives-")
    engine = Daemon(base).start()
    berth = [BIN / "berth", "-H", f"unix://{engine.socket}", "import"]
    try:
        for _ in range(2):
            refused = subprocess.run([*berth, tmp_path / "tree.cpio", "of-a:cpio"], capture_output=True, text=True)
            assert refused.returncode == 1 and "libarchive13" in refused.stderr, refused.stderr
        run(*berth, tmp_path / "tree.tar", "of-a:tar")
    finally:
        engine.stop()
        shutil.rmtree(base)
