internal import BerthArchive
internal import BerthLinux
internal import BerthTar

extension LogPart {
    /// The file's bytes as they were written, in a file that can be read from anywhere: of a compressed one, one without a name that goes with the reader.
    ///
    /// - Throws: `EIO` for a compressed file that is damaged.
    func content(unpackingIn directory: borrowing Directory) throws(Errno) -> FileHolder {
        guard isCompressed else { return file }
        try file.value.seek(to: 0)
        let unpacked = try directory.createUnnamedFile()
        let source = Decompressor(DescriptorSource(try file.value.duplicate()), limits: Self.limits)
        var buffer = [UInt8](repeating: 0, count: 256 << 10)
        while true {
            let count: Int
            do throws(ByteSourceError) {
                count = try unsafe buffer.withUnsafeMutableBufferPointer { (bytes) throws(ByteSourceError) in
                    try unsafe source.read(into: UnsafeMutableRawBufferPointer(bytes))
                }
            } catch { throw error.underlying ?? .EIO }
            guard count > 0 else { return FileHolder(unpacked) }
            try unsafe unpacked.writeAll(Array(buffer[..<count]).span.bytes)
        }
    }

    /// What we wrote is no bomb, however much alike its lines are.
    private static let limits = ArchiveLimits(unpackedByteCount: .max, ratio: .max)
}
