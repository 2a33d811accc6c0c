import BerthClient
import Glibc
import Synchronization

/// A Unix socket that gives prepared answers, connection by connection, and keeps what it was asked.
final class ScriptedServer: Sendable {
    /// What one connection does: each answer is given once a request's head is there; then the connection is closed, or kept open.
    struct Conversation: Sendable {
        var answers: [String]
        /// Whether everything that follows is sent back as it came, until the client has ended its side.
        var echoes = false
    }

    let address: DaemonAddress
    private let path: String
    private let asked = Mutex<[String]>([])

    /// What was asked so far: a text for each request's head and the bytes that came with it.
    var requests: [String] { asked.withLock(\.self) }

    init(_ conversations: [Conversation]) {
        path = "/tmp/berth-client-test-\(getpid())-\(UInt64.random(in: 0 ... .max)).sock"
        address = .unix(path: path)
        let listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var name = sockaddr_un()
        name.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        unsafe withUnsafeMutableBytes(of: &name.sun_path) { unsafe $0.copyBytes(from: bytes) }
        let bound = unsafe withUnsafePointer(to: &name) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe bind(listener, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        precondition(bound == 0 && listen(listener, 16) == 0, "the test's socket cannot be made")
        let thread = Worker { [self] in
            for conversation in conversations {
                let client = accept(listener, nil, nil)
                guard client >= 0 else { break }
                serve(client, conversation)
                close(client)
            }
            close(listener)
        }
        thread.start()
    }

    deinit { unsafe unlink(path) }

    private func serve(_ client: CInt, _ conversation: Conversation) {
        var rest: [UInt8] = []
        for answer in conversation.answers {
            guard let head = request(client, &rest) else { return }
            asked.withLock { $0.append(head) }
            send(client, Array(answer.utf8))
        }
        while conversation.echoes {
            if !rest.isEmpty { send(client, rest) }
            rest = []
            var chunk = [UInt8](repeating: 0, count: 4096)
            let count = unsafe read(client, &chunk, 4096)
            if count <= 0 { return }
            rest = Array(chunk[..<count])
        }
    }

    /// A request's head, and as much of its body as its length or its last chunk says.
    private func request(_ client: CInt, _ rest: inout [UInt8]) -> String? {
        while true {
            let text = String(decoding: rest, as: UTF8.self)
            if let end = text.range("\r\n\r\n") {
                let head = text[..<end]
                let length =
                    head.split(separator: "\r\n").first { $0.lowercased().hasPrefix("content-length:") }
                    .flatMap { Int($0.split(separator: " ").last ?? "") } ?? 0
                let isChunked = head.lowercased().contains("transfer-encoding: chunked")
                let whole = head.utf8.count + 4 + length
                if isChunked ? text.hasSuffix("0\r\n\r\n") : rest.count >= whole {
                    let size = isChunked ? rest.count : whole
                    defer { rest.removeFirst(size) }
                    return String(decoding: rest[..<size], as: UTF8.self)
                }
            }
            var chunk = [UInt8](repeating: 0, count: 4096)
            let count = unsafe read(client, &chunk, 4096)
            if count <= 0 { return nil }
            rest += chunk[..<count]
        }
    }

    private func send(_ client: CInt, _ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes { unsafe Glibc.send(client, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            if count <= 0 { return }
            rest = rest.dropFirst(count)
        }
    }
}

extension String {
    /// Where a text first stands.
    fileprivate func range(_ text: String) -> Index? {
        var index = startIndex
        while index < endIndex {
            if self[index...].hasPrefix(text) { return index }
            index = self.index(after: index)
        }
        return nil
    }
}

/// A thread of its own: the calls in it block.
private final class Worker: Sendable {
    private let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }

    func start() {
        let box = unsafe Unmanaged.passRetained(self)
        var thread = pthread_t()
        _ = unsafe pthread_create(
            &thread, nil,
            { argument in
                let worker = unsafe Unmanaged<Worker>.fromOpaque(argument!).takeRetainedValue()
                worker.body()
                return nil
            }, unsafe box.toOpaque())
        pthread_detach(thread)
    }
}
