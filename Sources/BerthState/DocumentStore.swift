public import BerthLinux
internal import BerthOCI
internal import FoundationEssentials

/// A directory of JSON documents, one an object: the single source of truth for that object.
///
/// A document is written whole: temporary file, sync, rename, sync of the directory. Every document carries the version of its format. What
/// cannot be read, or is of a later version, is set aside and reported, never deleted. All calls block: they belong in a lane.
public struct DocumentStore<Document: Codable & Sendable>: Sendable {
    /// A document that could not be loaded. It keeps its claim: its id is not given out again.
    public struct SetAside: Hashable, Sendable {
        /// The object's id, as its file's name has it.
        public let id: String
        /// The file's new name.
        public let fileName: String
        /// Why.
        public let reason: String
    }

    /// How documents lie in the directory.
    public enum Layout: Sendable {
        /// `<id>.json`.
        case files
        /// `<id>/<name>`, where the object has a directory of its own.
        case directories(fileName: String)
    }

    /// The largest document that is read: 16 MiB.
    public static var maximumByteCount: Int { 16 << 20 }

    private let directory: DirectoryHolder
    private let layout: Layout
    private let version: Int

    /// The key of the version in every document.
    private struct Versioned: Codable {
        var version: Int
        var document: Document
    }
    private struct VersionOnly: Decodable {
        var version: Int
    }

    /// Opens the directory, making it where it is missing.
    ///
    /// - Parameters:
    ///   - path: an absolute path of the engine's own.
    ///   - version: the version that is written. Documents of earlier versions are read, of later ones set aside.
    public init(directory path: String, layout: Layout = .files, version: Int = 1) throws(StateError) {
        do throws(Errno) {
            directory = DirectoryHolder(try Directory.open("/").makeDirectories(try PathBytes(path), permissions: 0o710))
            if case .directories = layout { directory.value.spreadSubdirectories() }
        } catch {
            throw StateError(.storage, "cannot open the directory '\(path)': \(error)", underlying: error)
        }
        self.layout = layout
        self.version = version
    }

    /// Reads every document.
    ///
    /// Temporary files that a kill has left are removed. A directory without its document is not an object (yet, or any more) and is left out.
    /// - Throws: `storage` if the directory itself cannot be read; a single document never makes it fail.
    public func load() throws(StateError) -> (found: [(id: String, document: Document)], setAside: [SetAside]) {
        var found: [(id: String, document: Document)] = []
        var setAside: [SetAside] = []
        do throws(Errno) {
            for entry in try directory.value.entries().sorted(by: { $0.name.description < $1.name.description }) {
                let name = entry.name.description
                switch layout {
                case .files:
                    if name.hasPrefix(".tmp-") {
                        try directory.value.removeFile(entry.name)
                    } else if let id = name.hasSuffix(".json") ? String(name.dropLast(5)) : nil {
                        read(id, entry.name, in: directory.value, &found, &setAside)
                    } else if let id = Self.idOfSetAside(name) {
                        setAside.append(SetAside(id: id, fileName: name, reason: "set aside earlier"))
                    }
                case .directories(let fileName):
                    guard entry.isDirectory != false else { continue }
                    let own = try directory.value.openDirectory(entry.name)
                    let file = try PathBytes(fileName)
                    try finish(file, in: own)
                    if try own.contains(file) {
                        read(name, file, in: own, &found, &setAside)
                    } else if let aside = try own.entries().first(where: { $0.name.description.hasPrefix(fileName + ".unreadable-") }) {
                        setAside.append(SetAside(id: name, fileName: aside.name.description, reason: "set aside earlier"))
                    }
                }
            }
        } catch {
            throw StateError(.storage, "cannot read the documents: \(error)", underlying: error)
        }
        return (found, setAside)
    }

    /// Gives an object's first document its name, which a kill or a loss of power has kept from it, if it is whole: somebody may have been told of it.
    /// Otherwise nobody was. Beside a document that has its name, it is what a kill has left of a change.
    private func finish(_ file: PathBytes, in own: borrowing Directory) throws(Errno) {
        let unnamed = try Directory.temporaryName(of: file)
        guard try own.contains(unnamed) else { return }
        if try own.contains(file) { return try own.removeFile(unnamed) }
        // Also one of a later version.
        guard (try? JSONDecoder().decode(VersionOnly.self, from: Data(own.readFile(unnamed, limit: Self.maximumByteCount)))) != nil else {
            return
        }
        try own.openForReading(unnamed).synchronize()
        try own.rename(unnamed, to: file, replacing: .nothing)
        try own.synchronize()
    }

    private static func idOfSetAside(_ name: String) -> String? {
        let parts = name.split(separator: ".", maxSplits: 1)
        return parts.count == 2 && parts[1].hasPrefix("json.unreadable-") ? String(parts[0]) : nil
    }

    private func read(
        _ id: String, _ file: PathBytes, in directory: borrowing Directory, _ found: inout [(id: String, document: Document)],
        _ setAside: inout [SetAside]
    ) {
        let reason: String
        switch decoded(file, in: directory) {
        case .success(let document): return found.append((id, document))
        case .failure(let error): reason = error.description
        }
        // The name tells when; the claim is by the part before it.
        var aside = "\(file).unreadable-\(realtimeNanoseconds())"
        do throws(Errno) { try directory.rename(file, to: try PathBytes(aside), replacing: .nothing) } catch { aside = file.description }
        setAside.append(SetAside(id: id, fileName: aside, reason: reason))
    }

    private func decoded(_ file: PathBytes, in directory: borrowing Directory) -> Result<Document, StateError> {
        do {
            let data = Data(try directory.readFile(file, limit: Self.maximumByteCount))
            let itsVersion = try JSONDecoder().decode(VersionOnly.self, from: data).version
            guard itsVersion <= version else {
                return .failure(StateError(.invalid, "it has version \(itsVersion), and this engine reads up to \(version)"))
            }
            return .success(try JSONDecoder().decode(Versioned.self, from: data).document)
        } catch {
            return .failure(StateError(.invalid, "it cannot be read: \(error)", underlying: error as? Errno))
        }
    }

    /// Reads one document, and leaves it where it is whatever is wrong with it.
    ///
    /// - Returns: `nil` if there is none.
    /// - Throws: `invalid` for one that cannot be read, or is of a later version.
    public func read(id: String) throws(StateError) -> Document? {
        let result: Result<Document, StateError>
        do throws(Errno) {
            switch layout {
            case .files:
                let file = try Self.name("\(id).json")
                guard try directory.value.contains(file) else { return nil }
                result = decoded(file, in: directory.value)
            case .directories(let fileName):
                guard try directory.value.contains(try Self.name(id)) else { return nil }
                let own = try directory.value.openDirectory(try Self.name(id))
                guard try own.contains(try PathBytes(fileName)) else { return nil }
                result = decoded(try PathBytes(fileName), in: own)
            }
        } catch {
            throw StateError(.storage, "cannot read the document of '\(id)': \(error)", underlying: error)
        }
        return try result.get()
    }

    /// Writes the first document of an object that has a directory of its own, made just before.
    ///
    /// It is on the disk when this returns, and, where the file system's journal keeps the order of changes, so is the making of what was made before it; all of
    /// that is waited for once. The name is given after: ``load()`` gives it again to one that is whole and has lost it.
    /// - Parameter written: as with ``write(_:id:durability:version:)``.
    /// - Throws: `storage` if there is no such directory, or a document in it; `invalid`.
    public func create(_ document: Document, id: String, version written: Int? = nil) throws(StateError) {
        guard case .directories(let fileName) = layout else { return try write(document, id: id, version: written) }
        let bytes = try encoded(document, id, written)
        do throws(Errno) {
            let own = try directory.value.openDirectory(try Self.name(id))
            let name = try PathBytes(fileName)
            let unnamed = try Directory.temporaryName(of: name)
            do throws(Errno) {
                let file = try own.createFile(unnamed, permissions: 0o600)
                try SystemCallSeam.passWrite()
                try unsafe file.writeAll(bytes.span.bytes)
                try file.synchronize()
                try own.synchronize()
                try directory.value.synchronize()
                try own.rename(unnamed, to: name, replacing: .nothing)
            } catch {
                // Nobody is told of the object. Where this fails as well, its maker takes the directory away.
                try? own.removeFile(unnamed)
                throw error
            }
        } catch {
            throw StateError(.storage, "cannot write the document of '\(id)': \(error)", underlying: error)
        }
    }

    /// Writes a document whole, replacing the one before. In the layout of directories the object's directory must exist.
    ///
    /// - Parameter written: the version that it gets: an earlier one than the store's where whoever reads only up to that misses nothing in it. `nil` is the store's.
    public func write(
        _ document: Document, id: String, durability: Directory.Durability = .synchronized, version written: Int? = nil
    ) throws(StateError) {
        let bytes = try encoded(document, id, written)
        do throws(Errno) {
            switch layout {
            case .files: try unsafe directory.value.replaceFile(try PathBytes("\(id).json"), with: bytes.span.bytes, durability: durability)
            case .directories(let fileName):
                let own = try directory.value.openDirectory(try Self.name(id))
                try unsafe own.replaceFile(try PathBytes(fileName), with: bytes.span.bytes, durability: durability)
            }
        } catch {
            throw StateError(.storage, "cannot write the document of '\(id)': \(error)", underlying: error)
        }
    }

    private func encoded(_ document: Document, _ id: String, _ written: Int?) throws(StateError) -> [UInt8] {
        do {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            return Array(try encoder.encode(Versioned(version: written ?? version, document: document))) + [10]
        } catch {
            throw StateError(.invalid, "the document of '\(id)' cannot be encoded: \(error)")
        }
    }

    /// Removes a document. One that is not there is removed already.
    ///
    /// - Parameter durability: with `.none` a loss of power may bring it back: for objects that are then removed again.
    public func remove(id: String, durability: Directory.Durability = .synchronized) throws(StateError) {
        do throws(Errno) {
            switch layout {
            case .files: try Self.removeIfThere(try PathBytes("\(id).json"), in: directory.value, durability)
            case .directories(let fileName):
                guard try directory.value.contains(try Self.name(id)) else { return }
                let own = try directory.value.openDirectory(try Self.name(id))
                let name = try PathBytes(fileName)
                // What a failed change may have left would otherwise be taken for the first one.
                try Self.removeIfThere(try Directory.temporaryName(of: name), in: own, .none)
                try Self.removeIfThere(name, in: own, durability)
            }
        } catch {
            throw StateError(.storage, "cannot remove the document of '\(id)': \(error)", underlying: error)
        }
    }

    /// Waits until what was removed without waiting is removed on the disk as well. Repeating is fine.
    ///
    /// - Throws: `storage`; in the layout of directories also if the object's own is not there any more.
    public func synchronize(id: String) throws(StateError) {
        do throws(Errno) {
            switch layout {
            case .files: try directory.value.synchronize()
            case .directories: try directory.value.openDirectory(try Self.name(id)).synchronize()
            }
        } catch {
            throw StateError(.storage, "cannot sync the removal of '\(id)': \(error)", underlying: error)
        }
    }

    private static func name(_ id: String) throws(Errno) -> PathBytes {
        let name = try PathBytes(id)
        guard name.isName else { throw .EINVAL }
        return name
    }

    private static func removeIfThere(
        _ name: PathBytes, in directory: borrowing Directory, _ durability: Directory.Durability
    ) throws(Errno) {
        do { try directory.removeFile(name) } catch {
            if error == .ENOENT { return }
            throw error
        }
        if durability == .synchronized { try directory.synchronize() }
    }
}

/// A directory that several values share.
final class DirectoryHolder: Sendable {
    let value: Directory
    init(_ value: consuming Directory) { self.value = value }
}
