"""seeds.py PROGRAM FOLDER: writes what a fuzzer begins with: one small input for each thing that the parsers know."""
import io
import json
import pathlib
import sys
import tarfile


def tar(kind, **facts):
    out = io.BytesIO()
    archive = tarfile.open(fileobj=out, mode="w", format=kind)
    pax = facts.pop("pax", {})
    entry = tarfile.TarInfo(facts.pop("name", "d/file"))
    data = facts.pop("data", b"")
    entry.size, entry.pax_headers = len(data), pax
    for name, value in facts.items():
        setattr(entry, name, value)
    archive.addfile(entry, io.BytesIO(data))
    archive.close()
    return out.getvalue()[: 4096 + len(data)]


def archives():
    for kind in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        yield tar(kind, data=b"x" * 700)
        for flag in (tarfile.LNKTYPE, tarfile.SYMTYPE):
            yield tar(kind, type=flag, linkname="target")
        yield tar(kind, type=tarfile.DIRTYPE)
        yield tar(kind, type=tarfile.CHRTYPE, devmajor=1, devminor=3)
        yield tar(kind, type=tarfile.FIFOTYPE)
    yield tar(tarfile.GNU_FORMAT, name="n" * 300, linkname="l" * 300, type=tarfile.SYMTYPE)
    yield tar(tarfile.GNU_FORMAT, uid=1 << 30, mtime=-5)
    for pax in (
        {"SCHILY.xattr.user.a": "v", "LIBARCHIVE.xattr.user.b%20c": "AAEC"},
        {"mtime": "-1.25", "uid": "7", "path": "long" * 40, "linkpath": "t"},
        {"GNU.sparse.map": "0,3,10,2", "GNU.sparse.size": "20", "GNU.sparse.name": "s"},
        {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "20", "GNU.sparse.name": "s"},
    ):
        data = b"1\n0\n5\n".ljust(512, b"\0") + b"12345" if "GNU.sparse.major" in pax else b"12345"
        yield tar(tarfile.PAX_FORMAT, data=data, pax=pax)
    yield tarfile.TarInfo.create_pax_global_header({"mtime": "7"}) + tar(tarfile.USTAR_FORMAT)


def layers():
    """With a byte in front that says how they are unpacked."""
    names = ["d/.wh.e", ".wh.file", "d/.wh..wh..opq", ".wh..wh.plnk/x", ".wh.", ".wh...", "d/e/.wh.below", ".wh.d/x", "/file", "d/../x", "./d"]
    for number, name in enumerate(names):
        yield bytes([number]) + tar(tarfile.PAX_FORMAT, name=name)
        yield bytes([number + 1]) + tar(tarfile.USTAR_FORMAT, name=name)[:1024] + tar(tarfile.USTAR_FORMAT, name=name.replace(".wh.", ""), data=b"new")
    for link in ("file", "d/.wh.x", "../out", "/d/e/below"):
        yield b"\0" + tar(tarfile.GNU_FORMAT, type=tarfile.LNKTYPE, linkname=link)
        yield b"\1" + tar(tarfile.GNU_FORMAT, type=tarfile.SYMTYPE, name="d/e", linkname=link)
    yield b"\3" + tar(tarfile.PAX_FORMAT, type=tarfile.CHRTYPE)
    yield b"\3" + tar(tarfile.PAX_FORMAT, pax={"SCHILY.xattr.trusted.overlay.opaque": "y", "SCHILY.xattr.user.a": "b"})
    for archive in archives():
        yield b"\3" + archive


def parts(*files):
    """An archive of these paths and texts, in the form that fuzz-archives takes."""
    return b"\0" + b"\xff".join(path.encode() + b"\n" + text.encode() for path, text in files)


def images():
    """Whole archives of one image: `@0` is the digest of the first file, and `#0` how many bytes it has."""
    def described(kind, number, more=""):
        return f'{{"mediaType":"application/vnd.oci.image.{kind}","digest":"@{number}","size":#{number}{more}}}'

    def configuration(*layers):
        return json.dumps({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": list(layers)}})

    def index(*manifests):
        return '{"schemaVersion":2,"manifests":[' + ",".join(manifests) + "]}"

    named = ',"annotations":{"org.opencontainers.image.ref.name":"a/b:1"}'
    manifest = f'{{"schemaVersion":2,"config":{described("config.v1+json", 1)},"layers":[{described("layer.v1.tar", 0)}]}}'
    image = [("", "layer"), ("", configuration("@0")), ("", manifest)]
    one = described("manifest.v1+json", 2, named)
    yield parts(*image, ("index.json", index(one)), ("oci-layout", '{"imageLayoutVersion":"1.0.0"}'))
    yield parts(*image, ("", index(described("manifest.v1+json", 2, ',"platform":{"os":"linux","architecture":"amd64"}'))),
                ("index.json", index(described("index.v1+json", 3, named))))
    docker = '[{"Config":"c.json","RepoTags":["a:1"],"Layers":["0/layer.tar"]}]'
    yield parts(("0/layer.tar", "layer"), ("c.json", configuration("@0")), ("manifest.json", docker))
    yield parts(*image, ("index.json", index(one)), ("manifest.json", docker), ("c.json", configuration("@0")), ("0/layer.tar", "layer"))
    old = '{"id":"y","parent":"x","config":{"Cmd":["sh"]},"container_config":{"Cmd":["make"]},"created":"2014-01-01T00:00:00Z"}'
    yield parts(("repositories", '{"old":{"1":"y","2":"x"}}'), ("y/json", old), ("y/layer.tar", "2"), ("x/json", '{"id":"x"}'), ("x/layer.tar", "1"))


def documents():
    digest = "sha256:" + "0" * 64
    described = {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": digest, "size": 5, "annotations": {"a": "b"}}
    manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": described, "layers": [described]}
    index = {"schemaVersion": 2, "manifests": [dict(described, platform={"architecture": "arm64", "os": "linux", "variant": "v8"})]}
    configuration = {
        "architecture": "amd64", "os": "linux", "created": "2020-01-02T03:04:05.678Z", "rootfs": {"type": "layers", "diff_ids": [digest]},
        "config": {"User": "1:2", "ExposedPorts": {"80/tcp": {}}, "Env": ["A=b"], "Entrypoint": ["/x"], "Cmd": ["y"], "Volumes": {"/v": {}},
                   "WorkingDir": "/", "Labels": {"l": "m"}, "StopSignal": "SIGTERM", "Healthcheck": {"Test": ["CMD", "true"], "Interval": 1}},
        "history": [{"created": "2020-01-02T03:04:05Z", "created_by": "RUN", "empty_layer": True}],
    }
    for number, document in enumerate((manifest, index, configuration)):
        yield bytes([number]) + json.dumps(document).encode()
    for number, text in ((3, digest), (4, "host.example:5000/a/b:tag@" + digest), (5, "linux/arm64/v8"), (6, "2020-01-02T03:04:05.678+01:00")):
        yield bytes([number]) + text.encode()


makers = {"fuzz-tar": archives, "fuzz-documents": documents, "fuzz-archives": images, "fuzz-layers": layers}
folder = pathlib.Path(sys.argv[2])
for number, data in enumerate(makers[sys.argv[1]]()):
    (folder / f"{number:03}").write_bytes(data)
