internal import BerthLinux
internal import BerthOCI
internal import BerthReactor
internal import BerthState
internal import Synchronization

/// Something that is wrong with a volume.
public struct VolumeFault: Hashable, Sendable {
    /// What has been done about it.
    public enum Outcome: Hashable, Sendable {
        /// Nothing: it was only looked for, or nothing can be done.
        case found
        /// It is right again.
        case repaired
        /// It could not be mended.
        case failed
    }
    /// The volume's name.
    public let name: String
    /// Whether nothing is known of the volume but its name and its files: nobody can use it, and nobody removes it.
    public let isUnreadable: Bool
    /// What is wrong.
    public let problem: String
    /// What was done, or is to be done.
    public internal(set) var remedy: String
    /// What has been done about it.
    public internal(set) var outcome = Outcome.found
}

extension VolumeStore {
    /// Looks whether every volume has its document, as it is known, and the directory of its files; and tells of directories that are no volumes any more.
    ///
    /// Repairing, a document is written anew as it is known, a directory of files that is missing is made, and files without a document become a volume of that name
    /// again. A document that cannot be read stays aside: what it said, the volume's options above all, is not made up. Nothing is ever deleted. Repeating is fine.
    ///
    /// - Parameter repairs: whether anything is changed.
    /// - Throws: `storage`, `busy`.
    public func check(repairing repairs: Bool = false) async throws(VolumeError) -> [VolumeFault] {
        var faults: [VolumeFault] = []
        for volume in all() {
            guard var fault = try await lane.run({ () throws(VolumeError) in try self.fault(of: volume) }) else { continue }
            if repairs { await mend(&fault) { () throws(VolumeError) in try self.makeWhole(volume) } }
            faults.append(fault)
        }
        for (name, reason) in unreadable.sorted(by: { $0.key < $1.key }) {
            let isBare = reason == Self.withoutDocument
            var fault = VolumeFault(
                name: name, isUnreadable: true, problem: reason,
                remedy: isBare
                    ? "a repair makes it a volume of this name again, without options and labels"
                    : "put its document in volumes/\(name) right, or move that directory away; then start the engine again")
            if repairs, isBare { await mend(&fault) { () throws(VolumeError) in try self.adopt(name) } }
            faults.append(fault)
        }
        return faults
    }

    private func mend(_ fault: inout VolumeFault, by body: @escaping @Sendable () throws(VolumeError) -> Void) async {
        do throws(VolumeError) {
            try await lane.run { () throws(VolumeError) in try body() }
            (fault.outcome, fault.remedy) = (.repaired, "what was missing was made; the files that were there are as they were")
        } catch { (fault.outcome, fault.remedy) = (.failed, error.description) }
    }

    /// `nil`: nothing is wrong with it, or it is being removed.
    private func fault(of volume: Volume) throws(VolumeError) -> VolumeFault? {
        var problems: [String] = []
        do throws(StateError) {
            let document = try documents.read(id: volume.name)
            if document == nil { problems.append("its document is missing") }
            if let document, document != VolumeDocument(volume) { problems.append("its document does not say what the engine knows") }
        } catch {
            guard error.code == .invalid else { throw VolumeError(error) }
            problems.append("its document cannot be read: \(error.description)")
        }
        do throws(Errno) { _ = try Directory.open(path).openDirectory(try PathBytes(volume.name)).openDirectory("_data") } catch {
            guard error == .ENOENT || error == .ENOTDIR || error == .ELOOP else {
                throw .storage("cannot look at volume \(volume.name)", error)
            }
            problems.append("the directory of its files, _data, is \(error == .ENOENT ? "missing" : "none")")
        }
        guard !problems.isEmpty, index.withLock({ $0.volumes[volume.name] != nil }) else { return nil }
        return VolumeFault(
            name: volume.name, isUnreadable: false, problem: problems.joined(separator: "; "),
            remedy: "a repair makes what is missing, and cannot bring lost files back")
    }

    private func makeWhole(_ volume: Volume) throws(VolumeError) {
        do {
            let all = try Directory.open(path)
            let name = try PathBytes(volume.name)
            if try !all.contains(name) { try all.makeDirectory(name, permissions: 0o701) }
            let own = try all.openDirectory(name)
            if try !own.contains("_data") { try own.makeDirectory("_data", permissions: 0o755) }
            _ = try own.openDirectory("_data")
            try documents.write(VolumeDocument(volume), id: volume.name)
            try all.synchronize()
        } catch { throw Self.told(error, "cannot mend volume \(volume.name)") }
    }

    /// Makes files without a document a volume.
    private func adopt(_ name: String) throws(VolumeError) {
        try VolumeName.check(name)
        let document = VolumeDocument(createdAt: .now, driver: VolumeConfiguration.localDriver, options: nil, labels: nil)
        let object = VolumeObject(volume(name, document))
        try makeWhole(object.volume)
        index.withLock { index in
            index.setAside[name] = nil
            index.volumes[name] = object
        }
        publish("create", object.volume)
    }
}

extension VolumeDocument {
    /// What is kept of a volume.
    fileprivate init(_ volume: Volume) {
        self.init(createdAt: volume.createdAt, driver: volume.driver, options: volume.options, labels: volume.labels)
    }
}
