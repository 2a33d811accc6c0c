internal import BerthLinux
internal import BerthOCI
internal import BerthReactor
public import BerthState
internal import Synchronization

/// The volumes of an engine: made, found, listed, filled, removed.
///
/// `volumes/<name>/` has a volume's document and its files (`_data`). A volume is made whole beside that place and put there in one step, and taken away in one:
/// a kill leaves it there or not. Who has it is not kept here: containers say so when they are made and when an engine finds them
/// (``hold(_:by:)``).
public final class VolumeStore: Sendable {
    struct Index {
        var volumes: [String: VolumeObject] = [:]
        /// The containers that have each, also of volumes that do not exist.
        var users: [String: Set<String>] = [:]
        /// Volumes that are just being made or removed.
        var pending: Set<String> = []
        /// Who may have any of them: which ones is not known.
        var claimants: Set<String> = []
        /// Documents that could not be read: they keep their names.
        var setAside: [String: String] = [:]
    }

    /// The directory that all of them lie in, absolute.
    public let path: String
    let index = Mutex(Index())
    let documents: DocumentStore<VolumeDocument>
    private let events: EventHub
    let lane = Lane(named: "the volumes' store", waitingLimit: Lane.sharedWaitingLimit)

    static let making = ".making-"
    static let removing = ".removing-"
    /// Why a directory is no volume that has lost its document.
    static let withoutDocument = "it has no document"

    /// Opens the store, removes what kills have left half made or half removed, finishes what they have left half filled, and reads every document. Blocks.
    ///
    /// - Parameters:
    ///   - root: the engine's root directory.
    ///   - events: told of everything that happens.
    /// - Throws: `storage`. What is wrong with one volume is that volume's.
    public init(root: String, events: EventHub) throws(VolumeError) {
        (path, self.events) = (root + "/volumes", events)
        do throws(StateError) {
            documents = try DocumentStore(directory: path, layout: .directories(fileName: "volume.json"))
        } catch { throw VolumeError(error) }
        do throws(Errno) { try Self.removeLeftovers(in: try Directory.open(path)) } catch {
            throw .storage("cannot remove what is left of volumes below '\(path)'", error)
        }
        let loaded: (found: [(id: String, document: VolumeDocument)], setAside: [DocumentStore<VolumeDocument>.SetAside])
        do throws(StateError) { loaded = try documents.load() } catch { throw VolumeError(error) }
        for (name, document) in loaded.found { take(name, document) }
        for aside in loaded.setAside { index.withLock { $0.setAside[aside.id] = aside.reason } }
        setAsideWithoutDocument()
    }

    private static func removeLeftovers(in directory: borrowing Directory) throws(Errno) {
        for entry in try directory.entries() {
            let name = entry.name.description
            if name.hasPrefix(making) || name.hasPrefix(removing) { try directory.removeTree(entry.name) }
        }
    }

    private func take(_ name: String, _ document: VolumeDocument) {
        guard VolumeName.isValid(name), document.driver == VolumeConfiguration.localDriver else {
            // It stays where it is: another engine may know what to do with it.
            index.withLock { $0.setAside[name] = "it is of the driver '\(document.driver)', which is not here" }
            return
        }
        let object = VolumeObject(volume(name, document))
        do throws(Errno) { try finishFilling(object) } catch {
            index.withLock { $0.setAside[name] = "what was being put into it cannot be: \(error)" }
            return
        }
        index.withLock { $0.volumes[name] = object }
    }

    /// A directory with somebody's files and no document is nobody's to remove.
    private func setAsideWithoutDocument() {
        guard let entries = try? Directory.open(path).entries() else { return }  // it has just been read
        index.withLock { index in
            for entry in entries where entry.isDirectory != false {
                let name = entry.name.description
                guard !name.hasPrefix("."), index.volumes[name] == nil, index.setAside[name] == nil else { continue }
                index.setAside[name] = Self.withoutDocument
            }
        }
    }

    func volume(_ name: String, _ document: VolumeDocument) -> Volume {
        Volume(
            name: name, createdAt: document.createdAt, driver: document.driver, options: document.options, labels: document.labels,
            mountPoint: "\(path)/\(name)/_data")
    }

    // MARK: Finding

    /// Finds a volume by its name.
    ///
    /// - Throws: `notFound`; `conflict` for one whose document was set aside.
    public func find(_ name: String) throws(VolumeError) -> Volume { try object(name).volume }

    func object(_ name: String) throws(VolumeError) -> VolumeObject {
        let (found, reason) = index.withLock { ($0.volumes[name], $0.setAside[name]) }
        if let found { return found }
        if let reason { throw VolumeError(.conflict, "volume \(name) is unreadable: its document was set aside: \(reason)") }
        throw .noSuchVolume(name)
    }

    /// All volumes, by name. Waits for nothing.
    public func all() -> [Volume] { index.withLock { $0.volumes.values.map(\.volume) }.sorted { $0.name < $1.name } }

    /// The containers that have a volume, by their ids. Waits for nothing.
    public func users(of name: String) -> [String] { index.withLock { $0.users[name] ?? [] }.sorted() }

    /// Volumes whose documents could not be read, and why. They keep their names and their files.
    public var unreadable: [String: String] { index.withLock { $0.setAside } }

    /// What a container mounts to have a volume.
    ///
    /// - Throws: as ``find(_:)``.
    public func source(of name: String) throws(VolumeError) -> VolumeSource {
        let volume = try find(name)
        return .source(volume.options ?? [:], directory: volume.mountPoint)
    }

    // MARK: Making

    /// Makes a volume. It exists, whole, when this returns; on failure nothing of it is left. One of that name that is there already is the answer, as it is.
    ///
    /// - Parameter user: a container that has it from now on, so that nobody removes it meanwhile.
    /// - Throws: `invalid`, `notFound` for a driver that does not exist, `conflict` for a name whose document was set aside, `storage`, `busy`.
    public func create(_ configuration: VolumeConfiguration, for user: String? = nil) async throws(VolumeError) -> Volume {
        let name = configuration.name.flatMap { $0.isEmpty ? nil : $0 } ?? RandomID.make()
        let isAnonymous = configuration.name?.isEmpty ?? true
        guard configuration.driver == VolumeConfiguration.localDriver else {
            throw VolumeError(
                .notFound,
                "create \(name): error looking up volume plugin \(configuration.driver): plugin \"\(configuration.driver)\" not found")
        }
        try VolumeName.check(name)
        try VolumeSource.check(configuration.options ?? [:], of: name)
        while true {
            switch try reserve(name, for: user) {
            case .found(let volume): return volume
            case .wait:
                // Whoever makes or removes it is in the lane: this comes after that.
                try await lane.run { () throws(VolumeError) in HostFile.pause(milliseconds: 1) }
                continue
            case .make: break
            }
            var labels = configuration.labels
            if isAnonymous { labels = (labels ?? [:]).merging([Volume.anonymousLabel: ""]) { own, _ in own } }
            let document = VolumeDocument(
                createdAt: .now, driver: configuration.driver, options: configuration.options, labels: labels)
            do throws(VolumeError) {
                try await lane.run { [self] () throws(VolumeError) in try make(name, document) }
            } catch {
                index.withLock { index in
                    index.pending.remove(name)
                    if let user { index.drop(name, by: user) }
                }
                throw error
            }
            let object = VolumeObject(volume(name, document))
            index.withLock { index in
                index.pending.remove(name)
                index.volumes[name] = object
            }
            publish("create", object.volume)
            return object.volume
        }
    }

    private enum Reservation { case found(Volume), wait, make }

    private func reserve(_ name: String, for user: String?) throws(VolumeError) -> Reservation {
        try index.withLock { (index) throws(VolumeError) in
            if let reason = index.setAside[name] {
                throw VolumeError(.conflict, "create \(name): the name is taken: the volume's document was set aside: \(reason)")
            }
            guard !index.pending.contains(name) else { return .wait }
            if let user { index.users[name, default: []].insert(user) }
            if let object = index.volumes[name] { return .found(object.volume) }
            index.pending.insert(name)
            return .make
        }
    }

    private func make(_ name: String, _ document: VolumeDocument) throws(VolumeError) {
        let temporary = Self.making + RandomID.make().prefix(16)
        do {
            let all = try Directory.open(path)
            try all.makeDirectory(try PathBytes(temporary), permissions: 0o701)
            do {
                let own = try all.openDirectory(try PathBytes(temporary))
                try own.setPermissions("", 0o701)
                try own.makeDirectory("_data", permissions: 0o755)
                try own.setPermissions("_data", 0o755)
                try documents.write(document, id: temporary)
                try all.rename(try PathBytes(temporary), to: try PathBytes(name), replacing: .nothing)
            } catch {
                try? all.removeTree(try PathBytes(temporary))  // what stays is removed by the next start
                throw error
            }
            do { try all.synchronize() } catch {
                // Nobody is told of it, so it is not there: under a name that the next start removes, if this one does not come to that.
                try? all.rename(try PathBytes(name), to: try PathBytes(temporary), replacing: .nothing)
                try? all.removeTree(try PathBytes(temporary))
                throw error
            }
        } catch {
            throw Self.told(error, "create \(name): cannot make the volume")
        }
    }

    static func told(_ error: any Error, _ what: String) -> VolumeError {
        switch error {
        case let error as VolumeError: error
        case let error as Errno: .storage(what, error)
        case let error as StateError: VolumeError(.storage, "\(what): \(error.description)", underlying: error.underlying)
        default: VolumeError(.storage, "\(what): \(error)")
        }
    }

    // MARK: Holding

    /// Says that a container has a volume, whether or not that exists: as long as it has, nobody removes it. Repeating is fine.
    public func hold(_ name: String, by user: String) { index.withLock { _ = $0.users[name, default: []].insert(user) } }

    /// Says that a container has a volume no more. Repeating is fine.
    public func release(_ name: String, by user: String) { index.withLock { $0.drop(name, by: user) } }

    /// Says that a container may have any volume: its document cannot be read. No volume is removed as long as there is one.
    public func holdAll(for user: String) { index.withLock { _ = $0.claimants.insert(user) } }

    // MARK: Removing

    /// Removes a volume with all its files. When this returns its name is free.
    ///
    /// - Parameter force: whether one that does not exist is removed already.
    /// - Throws: `notFound`, `inUse` (the containers are named), `conflict` for one whose document was set aside, `storage`, `busy`.
    public func remove(_ name: String, force: Bool = false) async throws(VolumeError) {
        let object: VolumeObject
        do throws(VolumeError) { object = try beginRemoval(of: name) } catch {
            guard force, error.code == .notFound else { throw error }
            return
        }
        do throws(VolumeError) {
            try await lane.run { [self] () throws(VolumeError) in try erase(object) }
        } catch {
            index.withLock { index in
                index.pending.remove(name)
                index.volumes[name] = object
            }
            throw error
        }
        publish("destroy", object.volume)
    }

    private func beginRemoval(of name: String) throws(VolumeError) -> VolumeObject {
        try index.withLock { (index) throws(VolumeError) in
            if let reason = index.setAside[name] {
                throw VolumeError(.conflict, "remove \(name): volume is unreadable: its document was set aside: \(reason)")
            }
            guard let object = index.volumes[name], !index.pending.contains(name) else { throw .noSuchVolume(name) }
            let users = (index.users[name] ?? []).union(index.claimants)
            guard users.isEmpty else {
                throw VolumeError(.inUse, "remove \(name): volume is in use - [\(users.sorted().joined(separator: ", "))]")
            }
            index.pending.insert(name)
            index.volumes[name] = nil
            return object
        }
    }

    private func erase(_ object: VolumeObject) throws(VolumeError) {
        let name = object.volume.name
        let doomed = Self.removing + RandomID.make().prefix(16)
        do {
            let all = try Directory.open(path)
            // From here on it does not exist, and what is left belongs to nobody.
            do throws(Errno) { try all.rename(try PathBytes(name), to: try PathBytes(doomed), replacing: .nothing) } catch {
                // A removal has come as far before, and could not make it last.
                guard error == .ENOENT else { throw error }
            }
            index.withLock { _ = $0.pending.remove(name) }
            try all.synchronize()
            do throws(Errno) { try all.removeTree(try PathBytes(doomed)) } catch {
                if error == .ENOENT { return }
                warn(
                    name,
                    "the files of volume \(name) are still at '\(path)/\(doomed)': \(error); the next start of the engine removes them")
            }
        } catch {
            throw Self.told(error, "remove \(name): cannot remove the volume")
        }
    }

    /// What a pruning has removed.
    public struct Pruned: Hashable, Sendable {
        /// The names.
        public var names: [String] = []
        /// How many bytes their files had.
        public var reclaimedByteCount: UInt64 = 0
    }

    /// Removes volumes that no container has and for which `isWanted` says no. Those with options stay, as with Docker: their files are elsewhere.
    ///
    /// - Throws: `storage`, `busy`; what has been removed by then is gone. One that somebody takes meanwhile stays.
    public func prune(keeping isWanted: @Sendable (Volume) -> Bool) async throws(VolumeError) -> Pruned {
        var pruned = Pruned()
        for volume in all() where users(of: volume.name).isEmpty && !volume.hasOptions && !isWanted(volume) {
            let byteCount: UInt64
            do throws(VolumeError) {
                byteCount = try await self.byteCount(of: volume.name)
                try await remove(volume.name)
            } catch {
                guard error.code == .inUse || error.code == .notFound else { throw error }
                continue
            }
            pruned.names.append(volume.name)
            pruned.reclaimedByteCount += byteCount
        }
        events.publish(
            Event(type: "volume", action: "prune", actorID: "", attributes: ["reclaimed": String(pruned.reclaimedByteCount)]))
        return pruned
    }

    /// Tells what happens to a volume: also what containers do with it, which they say.
    public func publish(_ action: String, _ volume: Volume, _ more: [String: String] = [:]) {
        events.publish(
            Event(
                type: "volume", action: action, actorID: volume.name, attributes: more.merging(["driver": volume.driver]) { own, _ in own })
        )
    }

    private func warn(_ name: String, _ message: String) {
        events.publish(Event(type: "daemon", action: "warning", actorID: name, attributes: ["message": message]))
    }
}

extension VolumeStore.Index {
    fileprivate mutating func drop(_ name: String, by user: String) {
        users[name]?.remove(user)
        if users[name]?.isEmpty ?? false { users[name] = nil }
    }
}
