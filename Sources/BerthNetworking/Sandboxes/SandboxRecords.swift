internal import BerthLinux
internal import BerthNetlink
internal import FoundationEssentials

/// What is known of a sandbox that is attached.
struct SandboxRecord: Codable, Sendable {
    var version = 1
    /// The name of the container that made it.
    var name: String
    /// How it is called, and whom it asks.
    var naming: SandboxNaming
    /// What is to be published.
    var portRequests: [PortRequest]
    /// Its places in networks, in the order of its interfaces.
    var endpoints: [Endpoint] = []
    /// The sockets of its published ports.
    var portKeys: [UInt64] = []
    /// The key of the next socket.
    var nextKey = SandboxSocket.firstPortKey
    /// Whether it has a name server of ours.
    var hasNameServer = false
    /// A place that is coming or going while its container runs; `nil` once that is done, with all that follows from it.
    var changing: Changing?
    /// What `host-gateway` has stood for since it was attached; `nil` if nothing of it asks.
    var hostAddresses: [IPAddress]?
    /// Who is in it; `nil` in a record that an engine has written which did not know: the container that made it, alone.
    var members: SandboxMembers?

    /// A place in a network, and where it is among the others.
    struct Changing: Codable, Sendable {
        var endpoint: Endpoint
        var position: Int
    }

    init(_ request: SandboxRequest) {
        (name, naming, portRequests) = (request.name, request.naming, request.ports)
        admit(request.id, named: request.name, to: request.id)
    }

    mutating func admit(_ member: String, named name: String = "", to id: String) {
        var all = members ?? SandboxMembers()
        all.join(member, named: name, ownedBy: id)
        members = all
    }

    /// Has its places say who uses them now.
    mutating func nameUser(in id: String) {
        let user = members?.user(besides: id)
        for place in endpoints.indices { endpoints[place].user = user }
    }

    /// That one's name.
    var userName: String { endpoints.first?.userName ?? name }
}

/// What the sandboxes of this boot have (`sandboxes/<id>.json` in the exec-root). It is not synced: a reboot takes away what it tells of.
struct SandboxRecords: Sendable {
    /// The largest record that is read.
    private static let maximumByteCount = 16 << 20

    private let path: String

    /// Makes the directory where it is missing.
    init(execRoot: String) throws(NetworkError) {
        path = execRoot + "/sandboxes"
        do throws(Errno) { _ = try Directory.open("/").makeDirectories(try PathBytes(path), permissions: 0o700) } catch {
            throw NetworkError(.storage, "cannot make the directory '\(path)': \(error)")
        }
    }

    /// Writes down what a sandbox has, before it is made.
    func write(_ record: SandboxRecord, id: String) throws(NetworkError) {
        do {
            let bytes = Array(try JSONEncoder().encode(record))
            try unsafe Directory.open(path).replaceFile(try PathBytes(id + ".json"), with: bytes.span.bytes, durability: .none)
        } catch { throw NetworkError(.storage, "cannot write down what sandbox \(id.prefix(12)) has: \(error)") }
    }

    /// Forgets a sandbox. Repeating is fine.
    func remove(id: String) throws(NetworkError) {
        do throws(Errno) { try Directory.open(path).removeFile(try PathBytes(id + ".json")) } catch {
            if error != .ENOENT { throw NetworkError(.storage, "cannot forget sandbox \(id.prefix(12)): \(error)") }
        }
    }

    /// The sandboxes of this boot. A record that cannot be read, or that a later version has written, is set aside beside the others, and stays there.
    ///
    /// - Returns: those that can be read, and why others cannot, by id. One may be in both: it has been attached anew since.
    func all() throws(NetworkError) -> (found: [(id: String, record: SandboxRecord)], setAside: [String: String]) {
        do throws(Errno) {
            let directory = try Directory.open(path)
            var (found, setAside): ([(id: String, record: SandboxRecord)], [String: String]) = ([], [:])
            for entry in try directory.entries() {
                let name = entry.name.description
                // What a kill has left half written.
                if name.hasPrefix(".tmp-") { try directory.removeFile(entry.name) }
                if name.hasPrefix(".") { continue }
                if let mark = name.firstRange(of: Self.mark) { setAside[String(name[..<mark.lowerBound])] = "set aside earlier" }
                guard name.hasSuffix(".json") else { continue }
                let id = String(name.dropLast(5))
                switch Self.record(in: entry.name, of: directory) {
                case .success(let record): found.append((id, record))
                case .failure(let mistake):
                    setAside[id] = mistake.reason
                    try directory.rename(entry.name, to: try PathBytes("\(id)\(Self.mark)\(realtimeNanoseconds())"), replacing: .nothing)
                }
            }
            return (found, setAside)
        } catch { throw NetworkError(.storage, "cannot read '\(path)': \(error)") }
    }

    /// What stands between the id and the time in the name of one that is set aside.
    private static let mark = ".json.unreadable-"

    private struct Mistake: Error {
        let reason: String
    }
    private struct VersionOnly: Decodable {
        var version: Int
    }

    private static func record(in file: PathBytes, of directory: borrowing Directory) -> Result<SandboxRecord, Mistake> {
        do {
            let data = Data(try directory.readFile(file, limit: maximumByteCount))
            let version = try JSONDecoder().decode(VersionOnly.self, from: data).version
            guard version == 1 else {
                return .failure(Mistake(reason: "it has version \(version), and this engine reads version 1"))
            }
            return .success(try JSONDecoder().decode(SandboxRecord.self, from: data))
        } catch { return .failure(Mistake(reason: "it cannot be read: \(error)")) }
    }
}
