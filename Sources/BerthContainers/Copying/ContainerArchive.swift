internal import BerthLinux
internal import BerthReactor
public import BerthTar
internal import Synchronization

/// Files of a container that are about to be copied out: found already, and held.
public final class ContainerArchive: Sendable {
    /// What was asked for.
    public let status: PathStatus

    private let held: Held
    private let lane: Lane

    init(_ held: consuming Held, _ status: PathStatus, _ lane: Lane) {
        (self.held, self.status, self.lane) = (held, status, lane)
    }

    /// Writes them as a tar, whose first entry is named as ``status``. A file that changes meanwhile is as it was at some moment.
    ///
    /// - Throws: `storage`, `cancelled` where the sink says so; `conflict` the second time. What was written is no archive then.
    public func write(to sink: any ByteSink & Sendable) async throws(ContainerError) {
        let held = held
        try await lane.run { () throws(ContainerError) in
            do throws(TarError) { try held.write(to: sink) } catch {
                if case .sink(.cancelled) = error.code { throw .cancelled }
                throw ContainerError(.storage, error.description, underlying: error.underlying)
            }
        }
    }

    /// The tree, and what is wanted of it.
    final class Held: Sendable {
        private struct Parts: ~Copyable {
            var tree: MountedTree
            var directory: Directory
        }
        private let parts: Mutex<Parts?>
        /// The file in the directory; `nil` for the directory itself.
        private let name: PathBytes?
        /// What the first entry is called.
        private let base: [UInt8]

        init(_ tree: consuming MountedTree, _ directory: consuming Directory, _ name: PathBytes?, base: [UInt8]) {
            parts = Mutex(Parts(tree: tree, directory: directory))
            (self.name, self.base) = (name, base)
        }

        func write(to sink: any ByteSink) throws(TarError) {
            guard let parts = parts.withLock({ $0.take() }) else { throw TarError(.storage, "the archive has been written already") }
            let writer = TarWriter(sink)
            let base = base
            let prefix = base.last == UInt8(ascii: "/") ? base : base + [UInt8(ascii: "/")]
            if let name {
                let packer = TreePacker(into: writer) { (entry) throws(TarError) in
                    entry.name = base + entry.name.dropFirst(name.bytes.count)
                    return .pack
                }
                try packer.pack(name, in: try Self.duplicate(parts.directory))
            } else {
                let packer = TreePacker(into: writer) { (entry) throws(TarError) in
                    entry.name = entry.name == TreePacker.rootName ? prefix : prefix + entry.name
                    return .pack
                }
                try packer.pack(try Self.duplicate(parts.directory))
            }
            try writer.finish()
            // What is mounted in it is seen as long as the tree is there.
            _ = consume parts
        }

        private static func duplicate(_ directory: borrowing Directory) throws(TarError) -> Directory {
            do throws(Errno) { return try directory.duplicate() } catch {
                throw TarError(.storage, "cannot open a directory again: \(error)", underlying: error)
            }
        }
    }
}
