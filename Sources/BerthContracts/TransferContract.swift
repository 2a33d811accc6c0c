public import BerthContent
internal import BerthLinux
public import BerthOCI
internal import Synchronization

/// The image that sources and destinations are tried with.
public struct SampleImage: Sendable {
    /// The tag that it has.
    public let tag = "sample"
    /// Its manifest.
    public let manifest: FetchedManifest
    /// Its blobs: the configuration, then a layer.
    public let blobs: [(descriptor: Descriptor, bytes: [UInt8])]

    /// The one sample.
    public init() {
        let configuration = Array(#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}"#.utf8)
        let layer = (0..<700_000).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 13) }
        blobs = [(configuration, MediaType.configuration), (layer, .layer)].map { bytes, type in
            (Descriptor(mediaType: type, digest: Digest(of: bytes), byteCount: UInt64(bytes.count)), bytes)
        }
        func json(_ descriptor: Descriptor) -> String {
            #"{"mediaType":"\#(descriptor.mediaType)","digest":"\#(descriptor.digest)","size":\#(descriptor.byteCount)}"#
        }
        let text =
            #"{"schemaVersion":2,"mediaType":"\#(MediaType.manifest)","config":\#(json(blobs[0].descriptor)),"layers":[\#(json(blobs[1].descriptor))]}"#
        let bytes = Array(text.utf8)
        manifest = FetchedManifest(
            descriptor: Descriptor(mediaType: .manifest, digest: Digest(of: bytes), byteCount: UInt64(bytes.count)), bytes: bytes)
    }

    /// What no repository of a test has.
    static var missing: Descriptor { Descriptor(mediaType: .layer, digest: Digest(of: [9, 9]), byteCount: 2) }
}

/// What a source of images promises.
public enum SourceContract {
    /// The promises of a source that has the ``SampleImage`` and nothing else.
    public static var all: [Promise<any ContentSource>] {
        let sample = SampleImage()
        return [
            Promise("a manifest is the same by its tag and by its digest, byte for byte") { source, checking in
                for reference in [ManifestReference.tag(sample.tag), .digest(sample.manifest.descriptor.digest)] {
                    try checking.same(try await source.manifest(reference), sample.manifest, "the manifest")
                    try checking.same(try await source.descriptor(of: reference), sample.manifest.descriptor, "the descriptor")
                }
            },
            Promise("what is not there is not found") { source, checking in
                for reference in [ManifestReference.tag("other"), .digest(SampleImage.missing.digest)] {
                    try await checking.throwing("reading it", isTransferCode(.notFound)) { _ = try await source.manifest(reference) }
                    try await checking.throwing("asking for it", isTransferCode(.notFound)) {
                        _ = try await source.descriptor(of: reference)
                    }
                }
                try await checking.throwing("fetching a blob", isTransferCode(.notFound)) {
                    _ = try await bytes(of: SampleImage.missing, from: 0, source)
                }
            },
            Promise("a blob comes from any offset to its end, in order and each byte once") { source, checking in
                for blob in sample.blobs {
                    for offset in [0, 1, blob.bytes.count / 2, blob.bytes.count - 1, blob.bytes.count] {
                        let found = try await bytes(of: blob.descriptor, from: UInt64(offset), source)
                        try checking.that(found == Array(blob.bytes[offset...]), "other bytes come from \(offset)")
                    }
                }
            },
            Promise("a size that is not so is said, and not a byte more is given") { source, checking in
                let layer = sample.blobs[1]
                for difference in [-1, 1] {
                    var wrong = layer.descriptor
                    wrong.byteCount = UInt64(layer.bytes.count + difference)
                    let taken = Taken()
                    try await checking.throwing("fetching", isTransferCode(.sizeMismatch)) {
                        try await source.fetch(wrong, from: 0, into: taken.sink)
                    }
                    try checking.that(taken.bytes.count <= Int(wrong.byteCount), "\(taken.bytes.count) bytes came")
                }
                try await checking.throwing("fetching from behind its end", isTransferCode(.sizeMismatch)) {
                    _ = try await bytes(of: layer.descriptor, from: layer.descriptor.byteCount + 1, source)
                }
            },
            Promise("what the taker throws ends the fetch, and is thrown") { source, checking in
                try await checking.throwing("fetching", isTransferCode(.noSpace)) {
                    try await source.fetch(sample.blobs[1].descriptor, from: 0) { (_) throws(TransferError) in
                        throw TransferError(.noSpace, "no")
                    }
                }
            },
        ]
    }

    static func bytes(of blob: Descriptor, from offset: UInt64, _ source: any ContentSource) async throws -> [UInt8] {
        let taken = Taken()
        try await source.fetch(blob, from: offset, into: taken.sink)
        return taken.bytes
    }
}

/// What a destination of images promises.
public enum DestinationContract {
    /// A destination, and what reads the same repository.
    public struct Subject: Sendable {
        /// Where it goes to.
        public let destination: any ContentDestination
        /// Where it is read again.
        public let source: any ContentSource

        /// Both, of one repository.
        public init(_ destination: any ContentDestination, _ source: any ContentSource) {
            (self.destination, self.source) = (destination, source)
        }
    }

    /// The promises of a destination that is empty.
    public static var all: [Promise<Subject>] {
        let sample = SampleImage()
        return [
            Promise("what is pushed can be read, byte for byte, and pushing it again changes nothing") { subject, checking in
                for _ in 0..<2 {
                    for blob in sample.blobs {
                        try await subject.destination.upload(blob.descriptor, from: HostFile.inMemory(named: "blob", blob.bytes)) { _ in }
                        try checking.that(try await subject.destination.contains(blob.descriptor), "the blob is not there")
                        let found = try await SourceContract.bytes(of: blob.descriptor, from: 0, subject.source)
                        try checking.that(found == blob.bytes, "other bytes are read")
                    }
                    try await subject.destination.put(sample.manifest, tags: [sample.tag, "second"])
                    for reference in [ManifestReference.tag(sample.tag), .tag("second"), .digest(sample.manifest.descriptor.digest)] {
                        try checking.same(try await subject.source.manifest(reference), sample.manifest, "the manifest")
                    }
                }
            },
            Promise("what was not pushed is not there, and cannot be mounted from this very place") { subject, checking in
                try checking.that(try await !subject.destination.contains(SampleImage.missing), "it is there")
                if let repository = subject.destination.repository {
                    try checking.that(try await !subject.destination.mount(SampleImage.missing, from: repository), "it is mounted")
                }
            },
            Promise("bytes that are not the descriptor's are not taken") { subject, checking in
                let layer = sample.blobs[1]
                var wrong = layer.descriptor
                wrong.byteCount += 1
                try await checking.throwing("uploading fewer bytes", isTransferCode(.sizeMismatch)) {
                    try await subject.destination.upload(wrong, from: HostFile.inMemory(named: "blob", layer.bytes)) { _ in }
                }
                wrong = layer.descriptor
                wrong.digest = Digest(of: [3])
                try await checking.throwing("uploading other bytes", isTransferCode(.digestMismatch)) {
                    try await subject.destination.upload(wrong, from: HostFile.inMemory(named: "blob", layer.bytes)) { _ in }
                }
                try checking.that(try await !subject.destination.contains(wrong), "they are there")
            },
        ]
    }
}

private func isTransferCode(_ code: TransferError.Code) -> (any Error) -> Bool { { ($0 as? TransferError)?.code == code } }

private final class Taken: Sendable {
    private let taken = Mutex<[UInt8]>([])
    var bytes: [UInt8] { taken.withLock { $0 } }
    var sink: @Sendable (borrowing RawSpan) throws(TransferError) -> Void {
        { [self] bytes in unsafe bytes.withUnsafeBytes { bytes in taken.withLock { unsafe $0 += bytes } } }
    }
}
