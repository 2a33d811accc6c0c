import BerthContent
import BerthOCI

/// An index with its images, as bytes.
struct SampleIndex {
    /// Its images, in its order.
    var samples: [Sample]
    /// The index, and the indexes in it.
    var documents: [[UInt8]]
    /// What is attached to an image, and the parts of that.
    var attached: [[UInt8]] = []

    static func descriptor(_ sample: Sample, _ more: String = "") -> String {
        Sample.descriptor(
            sample.manifest, Sample.manifestType,
            ",\"platform\":{\"os\":\"linux\",\"architecture\":\"\(sample.architecture)\"\(more)}")
    }

    /// A flat one of an image for each of these architectures, with something attached to the first.
    init(_ architectures: [String] = ["amd64", "arm64", "s390x"], text: String = "for") {
        samples = architectures.map { Sample(["\(text) \($0)", "both"], architecture: $0) }
        let configuration = Array(#"{"architecture":"unknown","os":"unknown","rootfs":{"type":"layers","diff_ids":[]},"config":{}}"#.utf8)
        let statement = Array(#"{"_type":"https://in-toto.io/Statement/v0.1","subject":[]}"#.utf8)
        let manifest = Array(
            "{\"schemaVersion\":2,\"mediaType\":\"\(Sample.manifestType)\",\"config\":\(Sample.descriptor(configuration, "application/vnd.oci.image.config.v1+json")),\"layers\":[\(Sample.descriptor(statement, "application/vnd.in-toto+json"))]}"
                .utf8)
        attached = [configuration, statement, manifest]
        let about = Sample.descriptor(
            manifest, Sample.manifestType,
            ",\"platform\":{\"os\":\"unknown\",\"architecture\":\"unknown\"},\"annotations\":{\"vnd.docker.reference.digest\":\"\(Digest(of: samples[0].manifest))\",\"vnd.docker.reference.type\":\"attestation-manifest\"}"
        )
        documents = [Sample.index(samples.map { Self.descriptor($0) } + [about])]
    }

    /// Of these descriptors, which lead to these.
    init(_ samples: [Sample], _ documents: [[UInt8]]) { (self.samples, self.documents) = (samples, documents) }

    var digest: Digest { Digest(of: documents[0]) }

    /// Everything that a whole copy of it has.
    var blobs: [[UInt8]] { documents + attached + samples.flatMap { [$0.manifest, $0.configuration] + $0.layers } }

    /// An archive of it.
    ///
    /// - Parameter only: the architectures that are in it. `nil`: all.
    func members(name: String? = "docker.io/library/sample:1", only: [String]? = nil) -> [Member] {
        let there = samples.filter { only?.contains($0.architecture) ?? true }
        let annotations = name.map { ",\"annotations\":{\"org.opencontainers.image.ref.name\":\"\($0)\"}" } ?? ""
        return there.flatMap { $0.blobs + [Sample.blob($0.manifest)] } + (documents + attached).map(Sample.blob) + [
            .file("index.json", Sample.index([Sample.descriptor(documents[0], Sample.indexType, annotations)])),
            .file("oci-layout", #"{"imageLayoutVersion":"1.0.0"}"#),
        ]
    }
}
