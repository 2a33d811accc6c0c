import BerthContent
import BerthOCI
import Synchronization

/// A registry that takes what is pushed, as the specification says.
final class WritableSample: Sendable {
    struct State {
        var sample = SampleRegistry()
        var uploads: [String: [UInt8]] = [:]
        var lastUpload = 0
        /// Blobs of other repositories, by digest, that may be mounted.
        var mountable: [String: [UInt8]] = [:]
        var listsReferrers = true
        var leastChunk: Int?
    }
    let state = Mutex(State())

    func answer(_ request: SeenRequest) -> Reply {
        state.withLock { Self.answer(request, &$0) }
    }

    private static func answer(_ request: SeenRequest, _ state: inout State) -> Reply {
        let parts = request.path.split(separator: "/").map(String.init)
        let last = parts.last ?? ""
        switch (request.method, parts.dropLast().last ?? "") {
        case ("POST", "blobs"):
            if let digest = field("mount", request), let bytes = state.mountable[digest] {
                state.sample.blobs[digest] = bytes
                return Reply(201, ["Location": "/v2/team/app/blobs/\(digest)"])
            }
            state.lastUpload += 1
            state.uploads["u\(state.lastUpload)"] = []
            return progress("u\(state.lastUpload)", state, 202)
        case ("GET", "uploads"):
            return state.uploads[last] == nil ? Reply(404) : progress(last, state, 204)
        case ("DELETE", "uploads"):
            return state.uploads.removeValue(forKey: last) == nil ? Reply(404) : Reply(204)
        case ("PATCH", "uploads"):
            guard let have = state.uploads[last] else { return Reply(404) }
            guard request.header("Content-Range")?.split(separator: "-").first == "\(have.count)" else { return progress(last, state, 416) }
            state.uploads[last] = have + request.body
            return progress(last, state, 202)
        case ("PUT", "uploads"):
            guard let have = state.uploads[last], let digest = field("digest", request) else { return Reply(404) }
            let bytes = have + request.body
            guard "\(Digest(of: bytes))" == digest else {
                return Reply(400, json: #"{"errors":[{"code":"DIGEST_INVALID","message":"no"}]}"#)
            }
            state.uploads[last] = nil
            state.sample.blobs[digest] = bytes
            return Reply(201, ["Location": "/v2/team/app/blobs/\(digest)"])
        case ("PUT", "manifests"):
            let digest = "\(Digest(of: request.body))"
            let type = request.header("Content-Type") ?? ""
            state.sample.manifests[last] = (type, request.body)
            state.sample.manifests[digest] = (type, request.body)
            var headers = ["Docker-Content-Digest": digest]
            if state.listsReferrers { headers["OCI-Subject"] = "x" }
            return Reply(201, headers)
        case ("DELETE", "manifests"):
            return state.sample.manifests.removeValue(forKey: last) == nil ? Reply(404) : Reply(202)
        default: return state.sample.answer(request)
        }
    }

    private static func progress(_ name: String, _ state: State, _ status: Int) -> Reply {
        var headers = [
            "Location": "/v2/team/app/blobs/uploads/\(name)?state=\(state.lastUpload)",
            "Range": "0-\(max(0, (state.uploads[name]?.count ?? 0) - 1))",
        ]
        if let least = state.leastChunk { headers["OCI-Chunk-Min-Length"] = "\(least)" }
        return Reply(status, headers)
    }

    private static func field(_ name: String, _ request: SeenRequest) -> String? {
        for part in request.query.split(separator: "&") where part.hasPrefix("\(name)=") {
            return String(part.dropFirst(name.count + 1)).replacing("%3A", with: ":").replacing("%2F", with: "/")
        }
        return nil
    }
}
