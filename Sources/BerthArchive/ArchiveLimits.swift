/// How much an archive may become when it is unpacked.
///
/// A few kilobytes can be made to inflate to terabytes: who takes archives from strangers is bounded by this.
public struct ArchiveLimits: Sendable, Hashable {
    /// The most bytes after decompression. Default 1 TiB.
    public var unpackedByteCount: UInt64
    /// How many times larger than it arrived it may become, once it is larger than 64 MiB. Default 2,000: what deflate makes of zeros is 1,032.
    /// zstd can do much more, and honest layers do not.
    public var ratio: UInt64
    /// The most files, directories, links and whatever else. Default 4 million: a few kilobytes can have millions of empty files in them, and a file
    /// system can be full of these too.
    public var entryCount: UInt64

    /// Below this, the ratio does not matter.
    public static var ratioFreeByteCount: UInt64 { 64 << 20 }

    /// These.
    public init(unpackedByteCount: UInt64 = 1 << 40, ratio: UInt64 = 2_000, entryCount: UInt64 = 4_000_000) {
        (self.unpackedByteCount, self.ratio, self.entryCount) = (unpackedByteCount, ratio, entryCount)
    }
}
