internal import Berth
internal import BerthLinux
internal import DockerAPI
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix

/// Files copied into and out of containers.
struct ContainerArchiveRoutes: Sendable {
    let engine: Engine
    let group: MultiThreadedEventLoopGroup

    var routes: [Route] {
        [
            Route(.HEAD, "/containers/{id}/archive") { try await status($0) },
            Route(.GET, "/containers/{id}/archive") { try await archive($0) },
            Route(.PUT, "/containers/{id}/archive") { try await unpack($0) },
        ]
    }

    /// How much waits between the connection and the files.
    private static let pipeByteCount: Int32 = 1 << 20

    private static func path(_ call: Call) throws(APIFailure) -> String {
        guard let path = call.query["path"] else { throw .invalid("bad parameter: 'path' cannot be empty") }
        return path
    }

    private func status(_ call: Call) async throws {
        let path = try Self.path(call)
        let container = try engine.containers.find(call.subject)
        let status: PathStatus
        do { status = try await container.status(ofPath: path) } catch { throw Self.failure(error, path, call) }
        try await call.reply.whole(.ok, type: "application/json", [], headers: [(PathStat.headerName, PathStat(status).header)])
    }

    private func archive(_ call: Call) async throws {
        let path = try Self.path(call)
        let container = try engine.containers.find(call.subject)
        let archive: ContainerArchive
        do { archive = try await container.archive(of: path) } catch { throw Self.failure(error, path, call) }
        try await call.reply.begin(
            type: "application/x-tar", headers: [(PathStat.headerName, PathStat(archive.status).header)])
        try await archive.write(to: ReplySink(call.reply.channel))
        try await call.reply.end()
    }

    private func unpack(_ call: Call) async throws {
        let path = try Self.path(call)
        let container = try engine.containers.find(call.subject)
        var options = CopyInOptions()
        options.replacesOtherKinds = !call.query.bool("noOverwriteDirNonDir")
        options.ownedByContainerUser = call.query.bool("copyUIDGID")
        let pipe = try BerthLinux.Pipe()
        pipe.extend(to: Self.pipeByteCount)
        let chosen = options
        let (work, writing) = pipe.take { reading, writing in
            let archive = container.unpacking(reading, into: path, chosen)
            return (Task { try await archive() }, writing.release())
        }
        do { try await feed(writing, call) } catch {
            // The reason is the connection's: what comes of the part that has come does not matter.
            _ = try? await work.value
            throw error
        }
        do { try await work.value } catch {
            // The rest of a body that was refused is not read.
            call.reply.closes = true
            throw Self.failure(error, path, call)
        }
        try await call.reply.whole(.ok, type: "text/plain; charset=utf-8", [])
    }

    private func feed(_ descriptor: CInt, _ call: Call) async throws {
        let pipe = try await NIOPipeBootstrap(group: group).takingOwnershipOfDescriptor(output: descriptor).get()
        do {
            while let piece = try await call.parts.nextBody() {
                // Who has failed does not read on, and its own error is the better one.
                do { try await pipe.writeAndFlush(piece).get() } catch { break }
            }
        } catch {
            pipe.close(promise: nil)
            throw error
        }
        // Whoever has failed has closed its end, which closes this one.
        try? await pipe.close().get()
    }

    /// Docker names the container as its client does.
    private static func failure(_ error: any Error, _ path: String, _ call: Call) -> any Error {
        guard let error = error as? ContainerError, error.code == .notFound else { return error }
        return APIFailure.notFound("Could not find the file \(path) in container \(call.subject)")
    }
}

extension PathStat {
    init(_ status: PathStatus) {
        let kind: FileMode.Kind =
            switch status.kind {
            case .regular: .regular
            case .directory: .directory
            case .symbolicLink: .symbolicLink
            case .blockDevice: .blockDevice
            case .characterDevice: .characterDevice
            case .fifo: .fifo
            case .socket: .socket
            }
        let time = Timestamp(nanoseconds: status.modificationTime.seconds &* 1_000_000_000 &+ status.modificationTime.nanoseconds)
        self.init(
            name: status.name, byteCount: status.byteCount, mode: FileMode(kind, permissions: status.permissions), modifiedAt: time.rfc3339,
            linkTarget: status.linkTarget)
    }
}
