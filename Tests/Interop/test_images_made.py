"""Images that are made of others: squashed, rebased and compared, without being unpacked. What they show is told by other people's tools."""
import hashlib
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess

import pytest

from conftest import wait_for
from test_images_archives import Mounted, buildah, differences, engine, image, layout_tar, load, run  # noqa: F401: fixtures are found by name

BIN = pathlib.Path(os.environ["BERTH_BIN"])


def refused(engine, *arguments):
    done = subprocess.run([BIN / "berth", "-H", f"unix://{engine.socket}", *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode != 0 and not done.stdout, done.stdout
    return done.stderr.strip()


def unpacked(engine, name, folder):
    """The image as others read it: saved, looked at by skopeo, and unpacked by umoci."""
    folder.mkdir()
    engine.berth("save", "-o", folder / "saved.tar", name)
    (folder / "layout").mkdir()
    run("tar", "-C", folder / "layout", "-xf", folder / "saved.tar")
    seen = json.loads(run("skopeo", "inspect", f"oci-archive:{folder}/saved.tar"))
    tag = json.loads((folder / "layout/index.json").read_text())["manifests"][0]["annotations"]["org.opencontainers.image.ref.name"]
    run("umoci", "unpack", "--image", f"{folder}/layout:{tag}", folder / "bundle")
    return seen, folder / "bundle/rootfs"


@pytest.fixture
def loaded(engine, image, tmp_path):
    load(engine, layout_tar(image.layout, tmp_path))
    return engine


@pytest.mark.parametrize("start,count", [(None, 1), ("2", 2)])
def test_a_squashed_image_shows_the_same(loaded, image, tmp_path, start, count):
    flags = ["--from", start] if start else []
    identity = loaded.berth("image", "squash", *flags, "-t", "flat:1", image.id)
    assert loaded.berth("image", "squash", *flags, image.id) == identity
    seen, rootfs = unpacked(loaded, "flat:1", tmp_path / "flat")
    assert len(seen["Layers"]) == count and seen["Env"] == ["A=b"] and seen["Labels"] == {"x": "y"}
    assert differences(image.rootfs, rootfs) == []
    with Mounted(loaded, identity) as root:
        assert differences(image.rootfs, root) == []
    # Nothing is told that is not so: what our own comparison says, and the history.
    assert loaded.berth("image", "diff", image.id, "flat:1").splitlines()[-1] == "In all: no difference"
    told = [json.loads(line) for line in loaded.berth("history", "--format", "json", "flat:1").splitlines()]
    assert told[0]["Comment"] == f"merge of layers {start or 1} to 3" and [step["Size"] for step in told[1:]].count("0B") >= 3 - (count - 1)
    loaded.berth("rmi", image.id)
    check = json.loads(run("umoci", "stat", "--image", f"{tmp_path}/flat/layout:docker.io/library/flat:1", "--json"))
    assert sum(not step.get("empty_layer") for step in check["history"]) == count


def test_the_same_image_gives_the_same_bytes_elsewhere(loaded, image, tmp_path):
    loaded.berth("image", "squash", "-t", "flat:1", image.id)
    digests = []
    for _ in range(2):
        loaded.berth("save", "-o", tmp_path / "saved.tar", "flat:1")
        digests.append(hashlib.sha256((tmp_path / "saved.tar").read_bytes()).hexdigest())
        loaded.berth("rmi", "flat:1")
        assert not list((loaded.root / "content/ingest").iterdir())
        loaded.berth("image", "squash", "-t", "flat:1", image.id)
    assert digests[0] == digests[1]


BASES = {"old": "mkdir -p etc lib; echo 1 | tee etc/version lib/one >lib/two; touch -d @5 etc etc/version lib lib/one lib/two",
         "new": "mkdir -p etc lib; echo 2.0 | tee etc/version >lib/one; touch -d @9 etc etc/version lib lib/one"}
APPLICATION = "mkdir -p srv; echo app >srv/app; rm -f lib/two; echo own >lib/own; touch -d @7 srv srv/app lib lib/own"


def build(buildah, folder, name, base, script, *configuration):
    """An image of one more layer, as buildah makes it."""
    container = buildah("from", *([f"oci:{folder}/{base}:{base}"] if base else ["scratch"])).strip()
    root = buildah("mount", container).strip()
    run("bash", "-euc", script, cwd=root)
    buildah("umount", container)
    if configuration:
        buildah("config", *configuration, container)
    buildah("commit", "--format", "oci", container, f"oci:{folder}/{name}:{name}")
    buildah("rm", container)


def test_an_application_moves_to_another_base(engine, buildah, tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for name, script in BASES.items():
        build(buildah, folder, name, None, script)
    build(buildah, folder, "app", "old", APPLICATION, "--cmd", "/srv/app", "--env", "A=b")
    # What is to come out: buildah's own image of the same application on the new base.
    build(buildah, folder, "expected", "new", APPLICATION, "--cmd", "/srv/app", "--env", "A=b")
    for name in ("old", "new", "app"):
        run("skopeo", "copy", "-q", f"oci:{folder}/{name}:{name}", f"docker-archive:{folder}/{name}.tar:{name}:1")
        load(engine, folder / f"{name}.tar")
    assert "does not lie on that base" in refused(engine, "image", "rebase", "app:1", "--from", "new:1", "--onto", "old:1")
    identity = engine.berth("image", "rebase", "app:1", "--from", "old:1", "--onto", "new:1", "-t", "app:2")
    assert engine.berth("image", "rebase", "app:1", "--from", "old:1", "--onto", "new:1") == identity
    seen, rootfs = unpacked(engine, "app:2", tmp_path / "rebased")
    assert len(seen["Layers"]) == 2
    run("umoci", "unpack", "--image", f"{folder}/expected:expected", tmp_path / "expected")
    assert differences(tmp_path / "expected/rootfs", rootfs) == []
    configuration = json.loads(engine.berth("inspect", "app:2"))[0]["Config"]
    assert configuration["Cmd"] == ["/srv/app"] and "A=b" in configuration["Env"]
    told = engine.berth("image", "diff", "app:1", "app:2", "--format", "{{.Kind}} {{.Path}} {{.Change}} {{.Layer}}").splitlines()
    assert told == ["C /etc  1", "C /etc/version +2B 1", "C /lib/one +2B 1"]
    engine.berth("rmi", "app:1")
    layers = [json.loads(line) for line in engine.berth("image", "layers", "app:2", "--format", "json").splitlines()]
    assert [layer["Images"] for layer in layers] == ["new:1", "app:2"] and layers[1]["HiddenBytes"] == 0


@pytest.fixture
def odd(engine, tmp_path):
    """Two images that differ in names of which terminals know nothing good."""
    root = os.fsencode(tmp_path / "odd")
    os.mkdir(root)
    for name, text in [(b"plain", "1"), (b"back\\slash", "22"), (b"escape\x1b[31m", "333"), (b"\xff\xfe", "4444"), ("ü\u202e".encode(), "5")]:
        with open(os.path.join(root, name), "w") as file:
            file.write(text)
    os.symlink(b"nowhere", os.path.join(root, b"link"))
    empty = tmp_path / "empty"
    empty.mkdir()
    for name, folder in [("odd", os.fsdecode(root)), ("empty", empty)]:
        run("tar", "-C", folder, "-cf", tmp_path / f"{name}.tar", "--exclude=.", "--no-recursion", "--null", "--files-from=-",
            input=b"\0".join(sorted(os.listdir(os.fsencode(folder)))))
        engine.berth("import", "--change", "LABEL of=test", tmp_path / f"{name}.tar", f"{name}:1")
    return engine


def test_odd_names_are_told_exactly_and_harm_no_terminal(odd):
    lines = odd.berth("image", "diff", "empty:1", "odd:1").splitlines()
    assert lines[0] == "No layer is in both." and re.match(r"Only in empty:1: layer #1 [0-9a-f]{12}, 0B", lines[1])
    assert lines[3:] == [
        r"A      +2B  #1   /back\\slash", r"A      +3B  #1   /escape\x1b[31m", "A      +7B  #1   /link", "A      +1B  #1   /plain",
        r"A      +1B  #1   /ü\xe2\x80\xae", r"A      +4B  #1   /\xff\xfe", "odd:1 #1: 6 added, +18B", "In all: 6 added, +18B"]
    told = [json.loads(line) for line in odd.berth("image", "diff", "odd:1", "empty:1", "--format", "json").splitlines()]
    assert {"Change": "-4B", "Kind": "D", "Layer": 1, "Path": r"/\xff\xfe", "PathBytes": "L//+", "SizeAfter": None, "SizeBefore": 4} in told
    assert [entry["Kind"] for entry in told] == ["D"] * 6
    assert odd.berth("image", "diff", "odd:1", "empty:1", "-s").splitlines()[-2:] == ["odd:1 #1: 6 removed, -18B", "In all: 6 removed, -18B"]
    table = odd.berth("image", "diff", "odd:1", "empty:1", "--format", "table").splitlines()
    assert table[0].split() == ["KIND", "CHANGE", "LAYER", "PATH"] and len(table) == 7


def test_many_differences_come_whole_and_in_order(engine, tmp_path):
    for name, count in [("few", 0), ("many", 2500)]:
        folder = tmp_path / name
        folder.mkdir()
        for number in range(count):
            (folder / f"{number:04}-{'x' * 200}").write_text("x")
        run("tar", "-C", folder, "-cf", tmp_path / f"{name}.tar", ".")
        engine.berth("import", tmp_path / f"{name}.tar", f"{name}:1")
    told = engine.berth("image", "diff", "few:1", "many:1", "--format", "{{.Path}}").splitlines()
    assert [path[1:5] for path in told] == [f"{number:04}" for number in range(2500)]
    assert engine.berth("image", "diff", "few:1", "many:1").splitlines()[-1] == "In all: 2500 added, +2.5kB"


def test_layers_tell_what_made_them_and_what_they_hide(loaded, image):
    lines = loaded.berth("image", "layers", image.id).splitlines()
    assert re.fullmatch(rf"{image.id[7:19]}: [0-9.]+MB in 3 layers, of which [0-9.]+k?B hidden", lines[0])
    assert lines[1].split() == ["LAYER", "DIGEST", "SIZE", "ENTRIES", "HIDES", "CREATED", "BY", "IMAGES"]
    assert [line.split()[:2] for line in lines[2:]] == [["├─", "1"], ["├─", "2"], ["└─", "3"]]
    assert loaded.berth("image", "layers", "-q", "--no-trunc", image.id).splitlines() == [layer["digest"] for layer in image.manifest["layers"]]
    told = [json.loads(line) for line in loaded.berth("image", "layers", "--format", "json", "--no-trunc", image.id).splitlines()]
    assert [layer["DiffID"] for layer in told] == image.diff_ids
    # Files that are there, by another count, are those that no layer hides.
    files = [path for path in image.rootfs.rglob("*") if path.is_symlink() or path.is_file()]
    inodes = {path.lstat().st_ino: path.lstat().st_size for path in files}
    assert sum(layer["SizeBytes"] - layer["HiddenBytes"] for layer in told) == sum(inodes.values())


def test_who_goes_away_ends_the_work(engine, busybox_tar, tmp_path):
    shutil.copy(busybox_tar, tmp_path / "large.tar")
    (tmp_path / "data").write_bytes(os.urandom(48 << 20))
    run("tar", "-C", tmp_path, "-rf", tmp_path / "large.tar", "data")
    engine.berth("import", tmp_path / "large.tar", "large:1")
    engine.berth("run", "--name", "made", "--network", "none", "large:1", "touch", "/new")
    engine.berth("commit", "made", "large:2")
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(30)
    connection.connect(engine.socket)
    connection.sendall(b"POST /berth/v1/images/large:2/squash?t=large:3 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
    said = b""
    while b'"status"' not in said:
        piece = connection.recv(4096)
        assert piece, said
        said += piece
    connection.close()

    def states():
        jobs = [json.loads(line) for line in engine.berth("system", "jobs", "--format", "json").splitlines()]
        return [job["State"] for job in jobs if job["Kind"] == "squash"]

    wait_for(lambda: states() != ["running"], "the job to end")
    assert states() == ["cancelled"]
    assert sorted(engine.berth("images", "--format", "{{.Tag}}").split()) == ["1", "2"]
    assert not list((engine.root / "content/ingest").iterdir())
    engine.berth("rm", "made")


def test_mistakes_are_told(loaded, image):
    for words, *arguments in [
        ("No such image: none:latest", "layers", "none"), ("No such image: none:latest", "diff", image.id, "none"),
        ("there is no layer 9: the image has 3", "squash", "--from", "9", image.id), ("'top' is no layer", "squash", "--from", "top", image.id),
        ("say --from OLD and --onto NEW", "rebase", image.id), ("invalid reference format", "squash", "-t", "No Name", image.id),
        ("--summary and --format cannot be used together", "diff", "-s", "--format", "json", image.id, image.id),
        ("requires exactly 2 arguments", "diff", image.id), ("no layer of the digest ffffffffffff", "squash", "--from", "ffffffffffff", image.id),
    ]:
        assert words in refused(loaded, "image", *arguments), arguments
