internal import Berth
internal import BerthAPI
internal import DockerAPI
internal import NIOHTTP1

/// What is asked of images beside Docker's API, and done with them. All of it takes a while: the answers are streams.
struct BerthImageRoutes: Sendable {
    let engine: Engine

    var routes: [Route] {
        BerthPath.ImageVerb.allCases.map { verb in
            let pattern = BerthPath.image("{name}", verb)
            return switch verb {
            case .layers: Route(.GET, pattern) { try await layers($0) }
            case .diff: Route(.GET, pattern) { try await diff($0) }
            case .squash: Route(.POST, pattern) { try await squash($0) }
            case .rebase: Route(.POST, pattern) { try await rebase($0) }
            }
        }
    }

    private func layers(_ call: Call) async throws {
        let image = try engine.images.find(call.subject, platform: try Self.platform(call))
        try await FollowedJob(call: call).answer(try engine.images.layers(of: image.id.description)) { layers in
            [try Reply.json(ImageLayerList(ImageItem(image), layers.items))]
        }
    }

    private func diff(_ call: Call) async throws {
        guard let other = call.query["with"] else { throw APIFailure.invalid("the parameter 'with' is missing: the image to compare with") }
        try await FollowedJob(call: call).answer(try engine.images.compare(call.subject, with: other, platform: try Self.platform(call))) {
            comparison in
            DifferencePages(comparison)
        }
    }

    private func squash(_ call: Call) async throws {
        let job = try engine.images.squash(
            call.subject, from: call.query["from"], as: try Self.name(call), platform: try Self.platform(call))
        try await FollowedJob(call: call).answer(job) { [try Reply.json(ImageMade(ImageItem($0)))] }
    }

    private func rebase(_ call: Call) async throws {
        guard let old = call.query["from"] else {
            throw APIFailure.invalid("the parameter 'from' is missing: the base that the image lies on")
        }
        guard let new = call.query["onto"] else {
            throw APIFailure.invalid("the parameter 'onto' is missing: the base that it is to lie on")
        }
        let job = try engine.images.rebase(
            call.subject, from: old, onto: new, as: try Self.name(call), platform: try Self.platform(call))
        try await FollowedJob(call: call).answer(job) { [try Reply.json(ImageMade(ImageItem($0)))] }
    }

    private static func platform(_ call: Call) throws -> Platform? { try PlatformParameter.parse(call.query["platform"] ?? "") }

    private static func name(_ call: Call) throws(ImageReference.ParseError) -> ImageReference? {
        try call.query["t"].map { text throws(ImageReference.ParseError) in try ImageReference(parsing: text) }
    }
}
