/// Something that a check of the store has found.
public struct StoreFinding: Hashable, Sendable {
    /// What kind of thing is wrong.
    public enum Kind: String, Hashable, Sendable, CaseIterable {
        /// A blob whose bytes do not have its digest.
        case damagedBlob = "damaged-blob"
        /// A blob that an image names, and that is not there.
        case missingBlob = "missing-blob"
        /// A layer that is not what its blob says.
        case damagedLayer = "damaged-layer"
        /// A layer that an image has, and that is not unpacked.
        case missingLayer = "missing-layer"
        /// A layer whose document cannot be read.
        case unreadableLayer = "unreadable-layer"
        /// A layer that cannot be compared with anything, because its blob is gone or damaged.
        case unverifiedLayer = "unverified-layer"
        /// A container's own layer that does not lie on its image's layers as it should.
        case damagedContainerLayer = "damaged-container-layer"
        /// A container whose document cannot be read.
        case unreadableContainer = "unreadable-container"
        /// A network whose document cannot be read.
        case unreadableNetwork = "unreadable-network"
        /// A container of which the record cannot be read that says what it has in its networks.
        case unreadableSandbox = "unreadable-sandbox"
        /// A volume whose document cannot be read, or is not there.
        case unreadableVolume = "unreadable-volume"
        /// A volume whose document or directory of files is not as the engine knows it.
        case damagedVolume = "damaged-volume"
        /// An image whose document, configuration or layers cannot be read.
        case unreadableImage = "unreadable-image"
        /// A name whose document cannot be read.
        case unreadableReference = "unreadable-reference"
        /// A document on the disk that does not say what the engine knows.
        case damagedDocument = "damaged-document"
        /// What makes the store an image layout for other tools, `index.json` or `oci-layout`, and is derived.
        case damagedLayout = "damaged-layout"
        /// What nobody needs, and what was never finished.
        case leftover
    }

    /// What has been done about it.
    public enum Outcome: String, Hashable, Sendable {
        /// Nothing: it was only looked for, or nothing can be done.
        case found
        /// It is right again.
        case repaired
        /// It could not be, for the reason that ``StoreFinding/remedy`` says.
        case failed
    }

    /// What kind of thing is wrong.
    public var kind: Kind
    /// With what: a digest, an id, a name or a path below the engine's root.
    public var subject: String
    /// What is wrong: a sentence's end, as "its bytes have the digest …".
    public var problem: String
    /// More of the same, the first of it.
    public var details: [String] = []
    /// What it means for whoever uses the engine.
    public var meaning: String
    /// What was done, or is to be done.
    public var remedy: String
    /// What has been done about it.
    public var outcome = Outcome.found

    /// A finding of these.
    public init(_ kind: Kind, _ subject: String, _ problem: String, meaning: String, remedy: String) {
        (self.kind, self.subject, self.problem, self.meaning, self.remedy) = (kind, subject, problem, meaning, remedy)
    }

    /// Whether it is still so, and is a fault. What could only not be compared is none.
    public var isFault: Bool { outcome != .repaired && kind != .unverifiedLayer }
}

/// What a check of the store has found.
public struct StoreReport: Hashable, Sendable {
    /// How many blobs were read.
    public internal(set) var blobCount = 0
    /// How many bytes they have.
    public internal(set) var byteCount: UInt64 = 0
    /// How many layers were compared with their blobs.
    public internal(set) var layerCount = 0
    /// How many images there are.
    public internal(set) var imageCount = 0
    /// How many names they have.
    public internal(set) var referenceCount = 0
    /// How many containers there are.
    public internal(set) var containerCount = 0
    /// What is wrong, the first ``maximumFindingCount`` of it, in the order of kinds and subjects.
    public internal(set) var findings: [StoreFinding] = []
    /// How much more is wrong, or was, where it is repaired. Another check tells the rest of it.
    public internal(set) var furtherFindingCount = 0

    /// The most findings that are told.
    public static let maximumFindingCount = 256

    /// Whether everything is, or is again, as it should be.
    public var isSound: Bool { furtherFindingCount == 0 && !findings.contains(where: \.isFault) }
}
