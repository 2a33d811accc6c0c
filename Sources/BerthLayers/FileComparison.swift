internal import BerthContent
internal import BerthLinux
internal import BerthOCI
internal import BerthTar

// One file of a layer, as it lies on the disk, compared with what the layer's tar says of it.

/// What a file's attributes are compared with.
struct ExpectedAttributes {
    var permissions: UInt32?
    var userID: UInt32
    var groupID: UInt32
    var time: FileTime?
    var extended: [String: [UInt8]]

    /// What an entry says.
    ///
    /// - Parameter hasTime: whether its time is still the one that it was given.
    init(_ entry: TarEntry, hasTime: Bool = true) {
        permissions = entry.kind == .symbolicLink ? nil : entry.permissions
        (userID, groupID, time) = (entry.userID, entry.groupID, hasTime ? entry.modificationTime : nil)
        extended = entry.extendedAttributes
    }

    /// What a directory is that is only there because something lies in it, and that is nowhere below.
    static let implied = ExpectedAttributes(
        TarEntry(name: [], kind: .directory, permissions: 0o755), hasTime: false)

    /// What a directory of a layer below is.
    init(_ status: FileStatus, _ extended: [String: [UInt8]]) {
        (permissions, userID, groupID, time) = (status.permissions, status.userID, status.groupID, status.modificationTime)
        self.extended = extended
    }

    /// In what a file differs from this, a few words each.
    func differences(from status: FileStatus, _ found: [String: [UInt8]], keepsUserAttributes: Bool) -> [String] {
        var differences: [String] = []
        if let permissions, permissions != status.permissions {
            differences.append("its mode is \(String(status.permissions, radix: 8)), not \(String(permissions, radix: 8))")
        }
        if userID != status.userID || groupID != status.groupID {
            differences.append("its owner is \(status.userID):\(status.groupID), not \(userID):\(groupID)")
        }
        if let time, !Self.isKept(time, as: status.modificationTime) {
            differences.append(
                "its time is \(status.modificationTime.seconds).\(status.modificationTime.nanoseconds), not \(time.seconds).\(time.nanoseconds)"
            )
        }
        // Users' own attributes belong on files and directories, where the file system keeps them.
        let takesUsers = keepsUserAttributes && (status.kind == .regular || status.kind == .directory)
        let wanted = extended.filter { Self.isCompared($0.key) && (takesUsers || !$0.key.hasPrefix("user.")) }
        let there = found.filter { Self.isCompared($0.key) && (takesUsers || !$0.key.hasPrefix("user.")) }
        for name in Set(wanted.keys).union(there.keys).sorted() where wanted[name] != there[name] {
            let what = there[name] == nil ? "is missing" : wanted[name] == nil ? "is not in the layer" : "is another"
            differences.append("its attribute \(name.prefix(128)) \(what)")
        }
        return differences
    }

    /// Overlay's own signs are compared by what they mean; labels are the system's.
    private static func isCompared(_ attribute: String) -> Bool {
        attribute != Whiteout.opaqueAttribute && attribute != "security.selinux"
    }

    /// File systems keep times within bounds of their own: what lies beyond is at the bound.
    private static func isKept(_ wanted: FileTime, as found: FileTime) -> Bool {
        if wanted == found { return true }
        let bound = Int64(Int32.max)
        if wanted.seconds > bound { return found.seconds >= bound && found.seconds < wanted.seconds }
        return wanted.seconds < -bound && found.seconds <= -bound && found.seconds > wanted.seconds
    }
}

extension TarEntry.Kind {
    /// What of this kind is on the disk.
    var onDisk: FileStatus.Kind {
        switch self {
        case .file, .hardLink: .regular
        case .symbolicLink: .symbolicLink
        case .directory: .directory
        case .characterDevice(let device): .characterDevice(device)
        case .blockDevice(let device): .blockDevice(device)
        case .fifo: .fifo
        }
    }
}

/// Reads files as ``LayeredTree`` has hashed them: their data, and where the holes are.
@safe final class FileHasher {
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 4096)
    deinit { unsafe buffer.deallocate() }

    /// What the contents of an open file differ in from the entry that it was made of; `nil` if in nothing.
    ///
    /// - Parameter between: called now and then. What it throws ends it.
    func difference<Failure: Error>(
        of file: borrowing OwnedDescriptor, from entry: TarEntry, _ contents: Digest, reading: (Errno) -> Failure,
        between: () throws(Failure) -> Void
    ) throws(Failure) -> String? {
        var hasher = DigestHasher(contents.algorithm)
        for region in entry.regions ?? [TarEntry.Region(offset: 0, byteCount: entry.byteCount)] {
            do throws(Errno) { try file.seek(to: Int64(region.offset)) } catch { throw reading(error) }
            var left = region.byteCount
            while left > 0 {
                try between()
                let count: Int
                do throws(Errno) {
                    count = try unsafe file.read(
                        into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<Int(min(left, UInt64(buffer.count)))]))
                } catch { throw reading(error) }
                guard count > 0 else { return "it is shorter than it says" }
                unsafe hasher.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
                left -= UInt64(count)
            }
        }
        for region in entry.regions ?? [] { hasher.update(Array("\(region.offset)+\(region.byteCount),".utf8)) }
        guard hasher.digest() == contents else { return "its contents are others" }
        guard let regions = entry.regions else { return nil }
        return try hasDataBetween(regions, file, reading, between) ? "there is data in its holes" : nil
    }

    /// Whether anything but zeros lies where a sparse file has holes. Where the disk has holes as well, nothing is read.
    private func hasDataBetween<Failure: Error>(
        _ regions: [TarEntry.Region], _ file: borrowing OwnedDescriptor, _ reading: (Errno) -> Failure,
        _ between: () throws(Failure) -> Void
    ) throws(Failure) -> Bool {
        var (position, next): (Int64, Int) = (0, 0)
        while true {
            let data: Range<Int64>?
            do throws(Errno) { data = try file.nextData(from: position) } catch { throw reading(error) }
            guard let data else { return false }
            position = data.lowerBound
            while position < data.upperBound {
                while next < regions.count, Int64(regions[next].offset + regions[next].byteCount) <= position { next += 1 }
                let begin = next < regions.count ? Int64(regions[next].offset) : .max
                if begin <= position {
                    position = Int64(regions[next].offset + regions[next].byteCount)
                    continue
                }
                let end = min(begin, data.upperBound)
                if try hasData(file, position..<end, reading, between) { return true }
                position = end
            }
        }
    }

    private func hasData<Failure: Error>(
        _ file: borrowing OwnedDescriptor, _ range: Range<Int64>, _ reading: (Errno) -> Failure, _ between: () throws(Failure) -> Void
    ) throws(Failure) -> Bool {
        do throws(Errno) { try file.seek(to: range.lowerBound) } catch { throw reading(error) }
        var left = range.count
        while left > 0 {
            try between()
            let count: Int
            do throws(Errno) {
                count = try unsafe file.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<min(left, buffer.count)]))
            } catch { throw reading(error) }
            if count == 0 { return false }
            if unsafe buffer[..<count].contains(where: { $0 != 0 }) { return true }
            left -= count
        }
        return false
    }
}
