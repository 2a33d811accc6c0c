internal import Berth
internal import BerthLinux
internal import DockerAPI
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix

/// Images as archives: saved and loaded.
struct ImageArchiveRoutes: Sendable {
    let engine: Engine
    let group: MultiThreadedEventLoopGroup

    var routes: [Route] {
        [
            Route(.GET, "/images/get") { try await save($0.query.all("names"), $0) },
            Route(.GET, "/images/{name}/get") { try await save([$0.subject], $0) },
            Route(.POST, "/images/load") { try await load($0) },
        ]
    }

    /// Archives are large: the fewer times a thread waits for another, the better.
    private static let pipeByteCount: Int32 = 1 << 20

    private func save(_ names: [String], _ call: Call) async throws {
        let platform = try Self.platform(of: call)
        let pipe = try BerthLinux.Pipe()
        pipe.extend(to: Self.pipeByteCount)
        let (job, reading) = try pipe.take { reading, writing throws(ImageError) in
            let job = try engine.images.save(names.filter { !$0.isEmpty }, to: writing, platform: platform)
            return (job, reading.release())
        }
        try await ArchiveDownload(group: group, job: job, call: call).perform(from: reading)
    }

    private func load(_ call: Call) async throws {
        let platform = try Self.platform(of: call)
        let byteCount = call.contentLength
        let isQuiet = call.query.all("quiet").isEmpty || call.query.bool("quiet")
        let pipe = try BerthLinux.Pipe()
        pipe.extend(to: Self.pipeByteCount)
        let (job, writing) = pipe.take { reading, writing in
            (engine.images.load(from: reading, byteCount: byteCount, platform: platform), writing.release())
        }
        try await ArchiveUpload(group: group, job: job, call: call, doing: isQuiet ? nil : "Loading", failsInside: true) { images in
            // Of an index it is said once that it is there: by its names, or, if it has none, by its digest.
            let named = Set(images.filter { !$0.names.isEmpty }.compactMap(\.index))
            var told: Set<BerthOCI.Digest> = []
            return images.flatMap { image -> [ProgressMessage] in
                if !image.names.isEmpty { return image.names.map { .text("Loaded image: \($0.familiar)") } }
                guard let index = image.index else { return [.text("Loaded image ID: \(image.image.id)")] }
                return named.contains(index) || !told.insert(index).inserted ? [] : [.text("Loaded image ID: \(index)")]
            }
        }.perform(into: writing)
    }

    private static func platform(of call: Call) throws -> Platform? {
        let asked = call.query.all("platform").filter { !$0.isEmpty }
        guard asked.count < 2 else { throw APIFailure.invalid("several platforms at once are not supported here: name one") }
        return try PlatformParameter.parse(asked.first ?? "")
    }
}
