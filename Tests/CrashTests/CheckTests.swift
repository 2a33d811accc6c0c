import BerthContent
import BerthImages
import BerthLinux
import BerthOCI
import BerthSnapshots
import BerthState
import Foundation
import Testing

/// A way to damage a store that is open, what a check says of it, and whether a repair makes it right.
struct Damage: CustomTestStringConvertible, Sendable {
    let kind: StoreFinding.Kind
    let says: String
    let script: String
    var isMended = true
    var testDescription: String { script }

    /// In the folder of the layer's files.
    static func files(_ says: String, _ script: String) -> Damage {
        Damage(kind: .damagedLayer, says: says, script: "cd \"$LAYER/diff\"; \(script)")
    }

    static let all: [Damage] = [
        files("/dir/file: its contents are others", "stamp dir/file 'printf TEXT | dd of=dir/file conv=notrunc status=none'"),
        files("/dir/file: it has 6 bytes, not 5", "stamp dir/file 'echo >>dir/file'"),
        files("/dir/file: its mode is 711, not 755", "chmod 711 dir/file"),
        files("/dir/file: its owner is 1000:0, not 1000:1001", "chown 1000:0 dir/file"),
        files("/dir/file: its time is", "touch dir/file"),
        files("/dir/file: its attribute user.note is another", "xattr set dir/file user.note z"),
        files("/dir/file: its attribute user.note is missing", "xattr remove dir/file user.note"),
        files("/empty: its attribute user.more is not in the layer", "xattr set empty user.more z"),
        files("/dir/nothing: it is missing", "stamp dir 'rm dir/nothing'"),
        files("/dir/more: it is not in the layer", "stamp dir 'touch dir/more'"),
        files("/hard: it is not the same file as under its other names", "stamp . 'cp -a hard h; mv h hard'"),
        files("/dir/file: it has 3 names, not 2", "stamp empty 'ln hard empty/again'"),
        files("/link: it leads elsewhere", "stamp . 'ln -sf ../anywhere/else link; touch -hd @0 link'"),
        files("/character: it is another kind of file", "stamp . 'rm character; mknod character c 1 5'"),
        files("/dir/pipe: it is another kind of file", "stamp dir 'rm dir/pipe; touch dir/pipe'"),
        files("/sparse: there is data in its holes", "stamp sparse 'echo x | dd of=sparse bs=1M seek=10 conv=notrunc status=none'"),
        files("/sparse: its contents are others", "stamp sparse 'echo MIDDLE | dd of=sparse bs=1M seek=20 conv=notrunc status=none'"),
        files("/dir/gone: the sign that it is removed is missing", "stamp dir 'rm dir/gone'"),
        files("/dir/more: it is not in the layer", "stamp dir 'mknod dir/more c 0 0'"),
        files("/dir/opaque: it shows what layers below have in it", "xattr remove dir/opaque trusted.overlay.opaque"),
        files("/dir: it hides what layers below have in it", "xattr set dir trusted.overlay.opaque y"),
        files("/empty: it is no directory", "stamp . 'rmdir empty; touch empty'"),
        files("/: its mode is 700", "chmod 700 ."),
        Damage(kind: .damagedLayer, says: "all of its files are missing", script: "rm -r \"$LAYER/diff\""),
        Damage(kind: .damagedLayer, says: "all of its files are missing", script: "rm -r \"$LAYER\""),
        Damage(kind: .damagedLayer, says: "its document layer.json is damaged", script: "echo '{' >\"$LAYER/layer.json\""),
        Damage(kind: .damagedLayer, says: "its document layer.json is damaged", script: "rm \"$LAYER/layer.json\""),
        Damage(kind: .damagedLayer, says: "its short name is damaged", script: "rm overlay2/l/$(cat \"$LAYER/link\")"),
        Damage(kind: .damagedLayer, says: "its short name is damaged", script: ": >\"$LAYER/link\""),
        Damage(kind: .damagedLayer, says: "the list of the layers", script: "echo l/X >\"$LAYER/lower\""),
        Damage(kind: .damagedContainerLayer, says: "the list of the layers", script: ": >overlay2/c/lower"),
        Damage(kind: .damagedContainerLayer, says: "its short name is damaged", script: "rm overlay2/c/link"),
        Damage(kind: .damagedContainerLayer, says: "its directory 'work' is missing", script: "rmdir overlay2/c/work"),
        Damage(kind: .damagedContainerLayer, says: "its directory 'diff' is missing", script: "rmdir overlay2/c/diff", isMended: false),
        Damage(
            kind: .damagedBlob, says: "its bytes have the digest", script: "printf x | dd of=\"$BLOB\" conv=notrunc status=none",
            isMended: false),
        Damage(kind: .damagedBlob, says: "its bytes have the digest", script: "echo >>\"$BLOB\"", isMended: false),
        Damage(kind: .damagedBlob, says: "its bytes have the digest", script: "echo >>content/blobs/sha256/$IMAGE", isMended: false),
        Damage(kind: .missingBlob, says: "the blob is not there", script: "rm \"$BLOB\"", isMended: false),
        Damage(kind: .damagedDocument, says: "it cannot be read", script: "echo '{' >images/$IMAGE.json"),
        Damage(kind: .damagedDocument, says: "it has version 9", script: "sed -i 's/\"version\":1/\"version\":9/' images/$IMAGE.json"),
        Damage(kind: .damagedDocument, says: "something else", script: "sed -i 's/\"comment\":\"/&X/' images/$IMAGE.json"),
        Damage(kind: .damagedDocument, says: "it is missing", script: "rm references/*.json"),
        Damage(kind: .damagedDocument, says: "it cannot be read", script: "for f in references/*.json; do : >$f; done"),
        Damage(kind: .damagedLayout, says: "it does not say what there is", script: "echo '{}' >content/index.json"),
        Damage(kind: .damagedLayout, says: "it does not say what there is", script: "rm content/index.json"),
        Damage(kind: .damagedLayout, says: "it does not say what there is", script: "rm content/oci-layout"),
        Damage(kind: .leftover, says: "nobody is at it", script: "echo x >content/ingest/in-5"),
        Damage(kind: .leftover, says: "nobody is at it", script: "mkdir -p overlay2/layer-5/diff/x"),
        Damage(kind: .leftover, says: "nobody is at it", script: "ln -s ../layer-5/diff overlay2/l/ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
        Damage(
            kind: .leftover, says: "no image and no work has the blob",
            script: "echo x >x; mv x content/blobs/sha256/$(sha256sum x | cut -c-64)"),
    ]

    /// What the scripts use.
    static let tools = """
        stamp() { touch -r "$1" /tmp/berth-stamp-$$; bash -euc "$2"; touch -hr /tmp/berth-stamp-$$ "$1"; rm /tmp/berth-stamp-$$; }
        xattr() { python3 -c 'import os, sys
        a = sys.argv
        os.setxattr(a[2], a[3], a[4].encode()) if a[1] == "set" else os.removexattr(a[2], a[3])' "$@"; }
        LAYER=$(dirname "$(find "$PWD/overlay2" -name layer.json)")

        """
}

@Suite("A check finds what is wrong, and a repair makes right what can be", .crashTier)
struct CheckTests {
    /// A root with an image of every type of entry, and a container.
    private final class Scene {
        let every: EveryEntry
        var root: String { every.folder + "/root" }
        var base: String { every.folder + "/base" }
        let image: ImageRecord
        let whole: [String]
        var container: StoreUse.Container { StoreUse.Container(id: "c", topLayer: image.topLayer, isInUse: isRunning) }
        var isRunning = false

        init() async throws {
            every = try EveryEntry()
            try FileManager.default.createDirectory(atPath: every.folder + "/base", withIntermediateDirectories: true)
            let stores = try await Stores(every.folder + "/base")
            image = try await stores.importArchive(every.archive)
            whole = try tree(stores.snapshots.directory(of: #require(image.topLayer)))
            _ = try stores.snapshots.makeWritable("c", on: image.topLayer)
        }

        func begin() async throws -> Stores {
            try #require(bash("cd '\(every.folder)'; rm -rf root; cp -a base root") == 0)
            return try await Stores(root)
        }

        func damage(_ script: String) throws {
            let facts = "IMAGE=\(image.id.hex); BLOB=content/blobs/sha256/\(image.layers[0].digest.hex)\n"
            try #require(bash("cd '\(root)'; " + Damage.tools + facts + script) == 0)
        }

        func check(_ stores: Stores, repairing repairs: Bool = false) async throws -> StoreReport {
            try await stores.check(repairing: repairs, containers: [container])
        }

        func files(_ stores: Stores) throws -> [String] { try tree(stores.snapshots.directory(of: #require(image.topLayer))) }
    }

    @Test("Each kind of damage is found and said, changes nothing when it is only looked for, and is repaired or said to be beyond repair")
    func damages() async throws {
        let scene = try await Scene()
        var stores = try await scene.begin()
        let clean = try await scene.check(stores)
        #expect(clean.findings.isEmpty)
        #expect(
            clean.blobCount == 3 && clean.layerCount == 1 && clean.imageCount == 1 && clean.referenceCount == 1 && clean.containerCount == 1
        )
        #expect(
            clean.byteCount == UInt64(scene.image.layers[0].byteCount + scene.image.manifest.byteCount)
                + (try stores.content.byteCount(of: scene.image.id)))
        for damage in Damage.all {
            stores = try await scene.begin()
            try scene.damage(damage.script)
            let before = try tree(scene.root)
            let found = try await scene.check(stores)
            #expect(!found.isSound, "\(damage.script)")
            #expect(try tree(scene.root) == before, "\(damage.script): a check has changed something")
            let finding = found.findings.first { finding in
                finding.kind == damage.kind && ([finding.problem] + finding.details).contains { $0.contains(damage.says) }
            }
            #expect(finding != nil, "\(damage.script): \(found.findings)")
            let repaired = try await scene.check(stores, repairing: true)
            #expect(repaired.isSound == damage.isMended, "\(damage.script): \(repaired.findings)")
            let after = try await scene.check(stores)
            #expect(after.isSound == damage.isMended, "\(damage.script): \(after.findings)")
            if damage.isMended { #expect(after.findings.isEmpty, "\(damage.script)") }
            #expect(try scene.files(stores) == scene.whole, "\(damage.script)")
            // What a repair has put aside, nobody finds.
            stores = try await Stores(scene.root)
            guard damage.isMended else { continue }
            #expect(try await scene.check(stores).findings.isEmpty, "\(damage.script): opened again")
            #expect(try stores.images.find(Stores.name).id == scene.image.id)
        }
    }

    @Test("A damaged blob is set aside whole; loaded again, everything is as it was")
    func setAside() async throws {
        let scene = try await Scene()
        let stores = try await scene.begin()
        try scene.damage("echo >>\"$BLOB\"; cp \"$BLOB\" damaged")
        let report = try await scene.check(stores, repairing: true)
        let (blob, missing) = (report.findings.first { $0.kind == .damagedBlob }, report.findings.first { $0.kind == .missingBlob })
        #expect(blob?.outcome == .repaired && missing?.outcome == .found && !report.isSound)
        #expect(missing?.meaning == "these images cannot be saved: \(Stores.name)")
        try scene.damage("cmp damaged content/set-aside/sha256-*; rm damaged")
        _ = try await stores.importArchive(scene.every.archive)
        #expect(try await scene.check(stores).findings.isEmpty)
    }

    @Test("An image whose layer is missing, or cannot be read, when the store is opened is shown again")
    func missing() async throws {
        let scene = try await Scene()
        for script in ["rm -r \"$LAYER\"", "rm \"$LAYER/layer.json\"", "echo >\"$LAYER/layer.json\""] {
            _ = try await scene.begin()
            try scene.damage(script)
            var stores = try await Stores(scene.root)
            #expect(throws: ImageError.self) { try stores.images.find(Stores.name) }
            let found = try await scene.check(stores)
            #expect(found.findings.contains { $0.kind == .missingLayer } && found.findings.contains { $0.kind == .unreadableImage })
            #expect(found.findings.contains { $0.kind == .damagedContainerLayer })
            // The blobs are still the image's, though nobody sees it.
            try await stores.images.collect()
            let repaired = try await scene.check(stores, repairing: true)
            let isAside = script.hasPrefix("echo")
            #expect(repaired.isSound != isAside, "\(script): \(repaired.findings)")
            #expect(
                Set(repaired.findings.filter { !$0.isFault }.map(\.kind)).isSuperset(of: [
                    .missingLayer, .unreadableImage, .damagedContainerLayer,
                ]))
            #expect(try scene.files(stores) == scene.whole)
            #expect(try stores.images.find(Stores.name).id == scene.image.id)
            #expect(try String(contentsOfFile: scene.root + "/content/index.json", encoding: .utf8).contains(Stores.name))
            stores = try await Stores(scene.root)
            #expect(try scene.files(stores) == scene.whole)
            #expect(try stores.images.find(Stores.name).id == scene.image.id)
            let after = try await scene.check(stores)
            // A document that cannot be read stays, until somebody removes it.
            #expect(after.findings.map(\.kind) == (isAside ? [.unreadableLayer] : []), "\(script): \(after.findings)")
        }
    }

    @Test("Of a layer that is there twice, for its document was put right when it had been made anew, the one that is lain on is taken")
    func twice() async throws {
        let scene = try await Scene()
        _ = try await scene.begin()
        try scene.damage("cp \"$LAYER/layer.json\" kept.json; echo \"$LAYER\" >first; echo >\"$LAYER/layer.json\"")
        var stores = try await Stores(scene.root)
        _ = try await scene.check(stores, repairing: true)
        try scene.damage("mv kept.json \"$(cat first)/layer.json\"")
        let first = try String(contentsOfFile: scene.root + "/first", encoding: .utf8).dropLast()
        let name = try #require(scene.image.topLayer)
        for _ in 0..<2 {
            stores = try await Stores(scene.root)
            #expect(stores.snapshots.layers().count == 1)
            #expect(try stores.snapshots.directory(of: name) != "\(first)/diff")
            #expect(try scene.files(stores) == scene.whole)
            let findings = try await scene.check(stores).findings
            #expect(findings.map(\.kind) == [.unreadableLayer])
            #expect(findings.map(\.subject) == [String(first.dropFirst(scene.root.count + 1))])
            #expect(findings.first?.problem.hasSuffix("which is taken: this directory is not needed") == true, "\(findings)")
            // It is not deleted, whatever else is.
            try await stores.images.collect()
            #expect(try tree("\(first)/diff") == scene.whole)
        }
        try scene.damage("rm -r \"$(cat first)\" first")
        stores = try await Stores(scene.root)
        #expect(try await scene.check(stores).findings.isEmpty)
        #expect(try scene.files(stores) == scene.whole)
    }

    @Test("A layer that a running container lies on is not replaced, and a container on one that is being replaced is not started")
    func running() async throws {
        let scene = try await Scene()
        let stores = try await scene.begin()
        try scene.damage("cd \"$LAYER/diff\"; chmod 700 dir")
        let damaged = try scene.files(stores)
        scene.isRunning = true
        let report = try await scene.check(stores, repairing: true)
        #expect(report.findings.map(\.outcome) == [.failed])
        #expect(report.findings[0].remedy == "containers run on it: stop c, and repair again")
        #expect(try scene.files(stores) == damaged)
        // Whoever asks in the moment in which it is replaced is told so.
        let image = scene.image
        let asked = try await stores.images.check(repairing: true) { [images = stores.images] in
            if (try? images.requireStill(image.topLayer)) != nil { return StoreUse() }
            var use = StoreUse()
            use.containers = [StoreUse.Container(id: "started-meanwhile", topLayer: image.topLayer, isInUse: true)]
            return use
        }.value
        #expect(asked.findings.first { $0.kind == .damagedLayer }?.remedy.contains("started-mean") == true)
        try stores.images.requireStill(image.topLayer)
        scene.isRunning = false
        #expect(try await scene.check(stores, repairing: true).isSound)
        #expect(try scene.files(stores) == scene.whole)
    }

    @Test(
        "A repair that is stopped, or fails, at any call leaves nothing worse, and the next one succeeds",
        arguments: [SystemCallSeam.Outcome.stop, .failFrom(.ENOSPC), .failOnce(.EIO)])
    func walk(_ outcome: SystemCallSeam.Outcome) async throws {
        let scene = try await Scene()
        let script = "rm content/index.json; : >overlay2/c/lower; chmod 700 \"$LAYER/diff/dir\"; rm references/*; mkdir overlay2/layer-5"
        var stores = try await scene.begin()
        try scene.damage(script)
        let damaged = try scene.files(stores)
        let (report, calls) = await SystemCallSeam.scripted { [stores] in try? await scene.check(stores, repairing: true) }
        #expect(report?.isSound == true && report?.findings.count == 5)
        #expect(calls.count > 70)
        var (before, after) = (0, 0)
        // What fails is told, and leaves what a stop leaves: that is looked at everywhere.
        for at in stride(from: 1, through: calls.count, by: outcome == .stop ? 1 : 7) {
            stores = try await scene.begin()
            try scene.damage(script)
            let (report, _) = await SystemCallSeam.scripted(at: at, outcome) { [stores] in try? await scene.check(stores, repairing: true) }
            if case .stop = outcome {} else { stores = try await Stores(scene.root) }
            let files = try scene.files(stores)
            #expect(files == damaged || files == scene.whole, "call \(at): half a layer")
            if files == damaged { before += 1 } else { after += 1 }
            if report?.isSound == true { #expect(files == scene.whole) }
            // A name whose document is gone is lost with the engine that knew it: here another one opens the store, as after a kill.
            stores = try await Stores(scene.root)
            #expect(try await scene.check(stores, repairing: true).isSound, "call \(at)")
            #expect(try await scene.check(stores).findings.isEmpty, "call \(at)")
            #expect(try scene.files(stores) == scene.whole, "call \(at)")
            #expect(try stores.images.list().map(\.id) == [scene.image.id])
        }
        #expect(before > 3 && after > 0, "\(before) before, \(after) after")
    }
}
