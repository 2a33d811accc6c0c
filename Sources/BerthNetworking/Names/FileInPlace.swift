public import BerthLinux

/// A file that is the engine's until its container has edited it: `hosts`, `hostname`, `resolv.conf`.
///
/// The container sees it as a mount of its own, so that it can be written, and not replaced: a rename would leave the container with the old one.
public enum FileInPlace {
    /// What some contents were, in few words, to be kept where the contents are not.
    ///
    /// It tells an edited file from one that is not, and guards nothing: who forges it gets its own file written anew.
    public struct Mark: RawRepresentable, Hashable, Sendable {
        /// The number of bytes and a hash (FNV-1a, 64 bits), as `412-cbf29ce484222325`.
        public let rawValue: String
        /// How many bytes there were.
        public let byteCount: Int

        /// The mark of some contents.
        public init(of contents: [UInt8]) {
            let hash = contents.reduce(0xCBF2_9CE4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
            byteCount = contents.count
            rawValue = "\(byteCount)-\(String(hash, radix: 16))"
        }

        /// A mark that was kept; `nil` for what is none.
        public init?(rawValue: String) {
            let parts = rawValue.split(separator: "-", omittingEmptySubsequences: false)
            guard parts.count == 2, let byteCount = Int(parts[0]), byteCount >= 0, let hash = UInt64(parts[1], radix: 16),
                rawValue == "\(byteCount)-\(String(hash, radix: 16))"
            else { return nil }
            (self.rawValue, self.byteCount) = (rawValue, byteCount)
        }
    }

    /// What is to be done with a file.
    public enum Decision: Hashable, Sendable {
        /// It says already what it is to say.
        case isRight
        /// It is as it was written: it is written anew.
        case isOurs
        /// Somebody has edited it: it stays.
        case isEdited
    }

    /// Decides.
    ///
    /// - Parameters:
    ///   - present: what the file says.
    ///   - mark: what was written last.
    ///   - wanted: what it is to say.
    public static func decide(present: [UInt8], writtenBefore mark: Mark, wanted: [UInt8]) -> Decision {
        if present == wanted { return .isRight }
        if Mark(of: present) == mark { return .isOurs }
        // The writing of just this was broken off before what is too much had gone.
        return present.count == mark.byteCount && present.starts(with: wanted) ? .isOurs : .isEdited
    }

    /// The largest file that may still be the engine's.
    public static var maximumByteCount: Int { 1 << 20 }

    /// Writes a file anew in place, if it is as it was written.
    ///
    /// Whoever reads meanwhile sees the old contents or the new ones, and never none. What the container writes between the look and the writing is lost.
    /// Doing it again is fine, also after a writing that was broken off.
    /// - Throws: `ENOENT` where there is no such file, `ELOOP` where it is a symbolic link, `EINVAL` where it is something else than a file, and what the disk says.
    @discardableResult
    public static func rewrite(
        _ name: PathBytes, in directory: borrowing Directory, writtenBefore mark: Mark, wanted: [UInt8]
    ) throws(Errno) -> Decision {
        let file = try directory.openForWriting(name)
        guard try file.status().kind == .regular else { throw .EINVAL }
        let present: [UInt8]
        do throws(Errno) { present = try file.readToEnd(limit: maximumByteCount) } catch {
            if error == .EFBIG { return .isEdited }
            throw error
        }
        let decision = decide(present: present, writtenBefore: mark, wanted: wanted)
        guard decision == .isOurs else { return decision }
        try file.seek(to: 0)
        try SystemCallSeam.passWrite()
        try unsafe file.writeAll(wanted.span.bytes)
        if wanted.count < present.count { try file.truncate(to: Int64(wanted.count)) }
        return decision
    }
}
