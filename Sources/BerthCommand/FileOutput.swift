internal import BerthCommandLine
internal import BerthLinux

/// A file that is there whole or not at all.
enum FileOutput {
    /// Writes a file under another name beside it, and gives it its own when `body` has returned. What was there stays until then, and if it throws.
    static func write(to path: String, _ body: (borrowing OwnedDescriptor) throws -> Void) throws {
        let temporary = ".berth-\(HostFile.ownProcessID)"
        do {
            let place = try HostPlace(path)
            if let status = try? place.directory.status(place.name), status.kind != .regular, status.kind != .symbolicLink {
                throw Failure("invalid output path: \"\(path)\" is there already, and is no regular file")
            }
            let file = try place.directory.createFile(try PathBytes(temporary), permissions: 0o600)
            do {
                try body(file)
                try place.directory.rename(try PathBytes(temporary), to: place.name)
            } catch {
                try? place.directory.removeFile(try PathBytes(temporary))  // the reason is the other's
                throw error
            }
        } catch let error as Errno {
            throw Failure("invalid output path: \"\(path)\": \(error)")
        }
    }
}
