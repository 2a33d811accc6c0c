internal import BerthClient
internal import BerthCommandLine
internal import BerthLinux
internal import BerthOCI
internal import BerthTar

/// An OCI layout in a directory of this machine, which takes an image in beside those that it has.
struct LayoutFolder {
    private let path: String
    private let name: String?

    init(_ path: String, _ name: String?) { (self.path, self.name) = (path, name) }

    private static let documentLimit = 4 << 20

    /// Takes a layout in a tar: blobs first, and the index, which then names the image besides those that it named before, last.
    func take(_ answer: consuming ResponseBody) throws {
        let reader = TarReader(AnswerSource(answer))
        do {
            let place = try HostPlace(path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path)
            let directory = try place.directory.makeDirectories(place.name)
            var index: JSONTree?
            var meter = Meter("Copying")
            while let entry = try reader.next() {
                guard entry.kind == .file else { continue }
                let member = String(decoding: entry.name, as: UTF8.self)
                if member == "index.json" {
                    index = try JSONTree(parsing: try document(reader))
                } else if member != "oci-layout" {
                    try takeBlob(member, reader, into: directory, &meter)
                }
            }
            try meter.end()
            guard let index else { throw Failure("the daemon's archive has no index.json") }
            let merged = try merge(index, in: directory)
            let marker = Array(#"{"imageLayoutVersion":"1.0.0"}"#.utf8)
            for (name, bytes) in [("oci-layout", marker), ("index.json", Array(merged.json().utf8))] {
                try unsafe directory.replaceFile(try PathBytes(name), with: bytes.span.bytes, permissions: 0o644)
            }
        } catch let error as Errno {
            throw Failure("cannot write a layout to '\(path)': \(error)")
        } catch let error as TarError {
            throw Failure("the daemon's archive cannot be taken: \(error)")
        }
    }

    private func document(_ reader: TarReader) throws -> [UInt8] {
        var bytes: [UInt8] = []
        while try unsafe reader.readData(
            { (piece) throws(TarError) in
                guard bytes.count + piece.count <= Self.documentLimit else {
                    throw TarError(.tooLarge, "its index.json has more than \(Self.documentLimit) bytes")
                }
                unsafe bytes.append(contentsOf: piece)
            }, wrapping: { $0 })
        {}
        return bytes
    }

    private func takeBlob(_ member: String, _ reader: TarReader, into directory: borrowing Directory, _ meter: inout Meter) throws {
        let parts = member.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == "blobs", let digest = try? Digest(parsing: "\(parts[1]):\(parts[2])") else {
            throw Failure("the daemon's archive has '\(member.prefix(512))', which is nothing of a layout")
        }
        let folder = try directory.makeDirectories(try PathBytes("blobs/\(digest.algorithm.rawValue)"))
        let name = try PathBytes(digest.hex)
        if try folder.statusIfThere(name) != nil { return }
        // It has its name when it is whole.
        let temporary = try PathBytes(".berth-\(HostFile.ownProcessID)")
        let file = try folder.createFile(temporary, permissions: 0o644)
        do {
            var count = 0
            while try unsafe reader.readData(
                { (piece) throws(TarError) in
                    count += piece.count
                    do throws(Errno) { try unsafe file.writeAll(RawSpan(_unsafeBytes: piece)) } catch {
                        throw TarError(.storage, "cannot write '\(member)': \(error)", underlying: error)
                    }
                }, wrapping: { $0 })
            {
                try meter.advance(count)
                count = 0
            }
            try folder.rename(temporary, to: name)
        } catch {
            try? folder.removeFile(temporary)  // the reason is the other's
            throw error
        }
    }

    /// The index that is there, with what has come in the place of what had its name.
    private func merge(_ index: JSONTree, in directory: borrowing Directory) throws -> JSONTree {
        guard try directory.statusIfThere("index.json") != nil else { return index }
        let known = try JSONTree(parsing: try directory.readFile("index.json", limit: Self.documentLimit))
        let come = index["manifests"]?.elements ?? []
        func named(_ descriptor: JSONTree) -> String? { descriptor["annotations"]?["org.opencontainers.image.ref.name"]?.text }
        let kept = (known["manifests"]?.elements ?? []).filter { old in
            !come.contains { named($0) == named(old) && (named($0) != nil || $0["digest"] == old["digest"]) }
        }
        return .object(
            known.members.map { ($0.name, $0.name == "manifests" ? .array(kept + come) : $0.value) }
                + (known["manifests"] == nil ? [("manifests", .array(come))] : []))
    }
}

/// An answer's body as a source of bytes.
private final class AnswerSource: ByteSource {
    private var answer: ResponseBody?
    private var rest: ArraySlice<UInt8> = []

    init(_ answer: consuming ResponseBody) { self.answer = consume answer }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(ByteSourceError) -> Int {
        if rest.isEmpty {
            do throws(ClientError) { rest = try answer?.read()?[...] ?? [] } catch {
                throw ByteSourceError(.storage, "\(error)", underlying: error.underlying)
            }
        }
        let piece = rest.prefix(buffer.count)
        unsafe buffer.copyBytes(from: piece)
        rest = rest.dropFirst(piece.count)
        return piece.count
    }
}
