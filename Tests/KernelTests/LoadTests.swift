import BerthContent
import BerthImages
import BerthLayers
import BerthLinux
import BerthOCI
import BerthState
import Foundation
import Testing

@Suite("Loading, where layers are kept apart", .kernelTier, .serialized)
struct LoadTests {
    /// Makes `image.tar`: an image of two layers, saved as Docker does it, with a file of so many bytes.
    private func makeArchive(_ room: LayerRoom, byteCount: Int) throws {
        try room.scratch.shell(
            """
            mkdir -p l/d; head -c \(byteCount) /dev/urandom >l/d/file; mkdir u; echo up >u/up; mkdir image; tar -C l -cf image/1.tar d; tar -C u -cf image/2.tar up
            cd image; digest() { echo "\\"sha256:$(sha256sum <$1 | cut -d' ' -f1)\\""; }
            echo '{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":['$(digest 1.tar),$(digest 2.tar)']}}' >c.json
            echo '[{"Config":"c.json","RepoTags":["a:1"],"Layers":["1.tar","2.tar"]}]' >manifest.json
            tar -cf ../image.tar *
            """)
    }

    private func store(_ room: LayerRoom) throws -> ImageStore {
        try ImageStore(
            .init(
                root: room.scratch.path + "/root", content: room.content, layers: room.layers, snapshots: room.snapshots,
                events: EventHub(), jobs: JobRegistry()))
    }

    @Test("Where there is no space for an archive, it is said before anything is written")
    func space() async throws {
        let room = try LayerRoom("overlay2", inMemory: true)
        try room.scratch.shell("mount -o remount,size=8m root")
        try makeArchive(room, byteCount: 20 << 20)
        let store = try store(room)
        let before = try room.scratch.shell("find root | sort; stat -f -c %a root")
        await #expect {
            _ = try await store.load(fromFile: room.scratch.path + "/image.tar").value
        } throws: { ($0 as? ImageError)?.code == .noSpace && "\($0)".contains("not enough space for the archive") }
        await #expect {
            _ = try await store.importRootFileSystem(fromFile: room.scratch.path + "/image.tar").value
        } throws: { ($0 as? ImageError)?.code == .noSpace && "\($0)".contains("not enough space for the archive") }
        // From a pipe it is known of each file when it begins.
        let beginning = try HostFile.read(room.scratch.path + "/image.tar", limit: 64 << 20).prefix(32 << 10)
        let (job, writing) = try BerthLinux.Pipe().take { (reading, writing) throws(Errno) in
            try unsafe writing.writeAll(Array(beginning).span.bytes)
            return (store.load(from: reading), writing.release())
        }
        _ = OwnedDescriptor(adopting: writing)  // closed: there is no more
        await #expect {
            _ = try await job.value
        } throws: { ($0 as? ImageError)?.code == .noSpace && "\($0)".contains("not enough space for '1.tar'") }
        #expect(try room.scratch.shell("find root | sort; stat -f -c %a root") == before)
    }

    @Test("Where there is no space for a layout, it is said before anything is written")
    func layoutSpace() async throws {
        let room = try LayerRoom("overlay2")
        try makeArchive(room, byteCount: 3 << 20)
        let store = try store(room)
        let image = try await store.load(fromFile: room.scratch.path + "/image.tar").value[0].image
        try room.scratch.shell("mkdir small; mount -t tmpfs -o size=2m small small")
        let job = try store.save([image.id.description], toLayout: room.scratch.path + "/small/layout")
        await #expect { try await job.value } throws: {
            ($0 as? ImageError)?.code == .noSpace && "\($0)".contains("not enough space for the layout")
        }
        #expect(try room.scratch.shell("find small/layout; umount small") == "small/layout\n")
        // Nor is there for what comes from one.
        try await store.save([image.id.description], toLayout: room.scratch.path + "/layout").value
        let other = try LayerRoom("overlay2", inMemory: true)
        let otherStore = try self.store(other)
        try other.scratch.shell("mount -o remount,size=2m root")
        let before = try other.scratch.shell("find root | sort; stat -f -c %a root")
        await #expect { try await otherStore.load(fromFile: room.scratch.path + "/layout").value } throws: {
            ($0 as? ImageError)?.code == .noSpace && "\($0)".contains("not enough space for the images of '\(room.scratch.path)/layout'")
        }
        #expect(try other.scratch.shell("find root | sort; stat -f -c %a root") == before)
    }

    @Test("What is there is not unpacked again, and the image's root is what was saved")
    func again() async throws {
        let room = try LayerRoom("overlay2")
        try makeArchive(room, byteCount: 3 << 20)
        let store = try store(room)
        let first = try await store.load(fromFile: room.scratch.path + "/image.tar").value[0].image
        #expect(try room.look(at: first.topLayer, "cmp d/file '\(room.scratch.path)/l/d/file' && cat up") == "up\n")
        let before = try room.scratch.shell("ls root/overlay2 root/content/blobs/sha256 root/content/ingest")
        #expect(try await store.load(fromFile: room.scratch.path + "/image.tar").value[0].image == first)
        #expect(try room.scratch.shell("ls root/overlay2 root/content/blobs/sha256 root/content/ingest") == before)
    }
}
