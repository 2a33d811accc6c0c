internal import Berth
internal import DockerAPI
internal import FoundationEssentials

extension FilesystemChange {
    /// A change of a container's.
    init(_ change: TreeChange) {
        let kind: Kind =
            switch change.kind {
            case .modified: .modified
            case .added: .added
            case .deleted: .deleted
            }
        self.init(path: String(decoding: change.path, as: UTF8.self), kind: kind)
    }
}

/// What a request to commit says of how the image runs, in its body.
enum CommitBody {
    /// - Returns: `nil` where nothing is said.
    static func execution(_ body: [UInt8]) throws(APIFailure) -> ImageConfiguration.Execution? {
        guard !body.isEmpty, body != Array("null".utf8), body != Array("null\n".utf8) else { return nil }
        do throws(JSONText.ParseError) { _ = try JSONText.parse(body) } catch { throw .invalid("invalid JSON: \(error)") }
        do {
            var execution = try JSONDecoder().decode(ImageConfiguration.Execution.self, from: Data(body))
            // What a container has besides is no image's.
            execution.unknown = UnknownFields()
            return execution
        } catch {
            throw .invalid("the body is no container's configuration: \(error)")
        }
    }
}
