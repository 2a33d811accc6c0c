internal import Glibc

/// A connection to a daemon's socket, which is kept from one request to the next.
struct UnixConnection: ~Copyable {
    private let descriptor: CInt

    init(to path: String) throws(Trouble) {
        let raw = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var name = sockaddr_un()
        name.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &name.sun_path) { unsafe $0.copyBytes(from: Array(path.utf8)) }
        let connected = unsafe withUnsafePointer(to: &name) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe connect(raw, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard connected == 0 else {
            let reason = unsafe String(cString: strerror(errno))
            close(raw)
            throw Trouble("\(path) cannot be connected to: \(reason)")
        }
        descriptor = raw
    }

    deinit { close(descriptor) }

    /// Asks for a path.
    ///
    /// - Returns: the body of the answer, as it came: one in chunks with their lengths.
    func get(_ path: String) throws(Trouble) -> [UInt8] {
        let request = Array("GET \(path) HTTP/1.1\r\nHost: x\r\n\r\n".utf8)
        guard unsafe write(descriptor, request, request.count) == request.count else { throw Trouble("\(path) cannot be asked for") }
        var answer: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 18)
        while true {
            let count = unsafe read(descriptor, &chunk, chunk.count)
            guard count > 0 else { throw Trouble("the answer for \(path) ends before its time") }
            answer += chunk[..<count]
            guard let head = Head(answer) else { continue }
            guard head.status == "200" else { throw Trouble("\(path) is answered with \(head.status)") }
            if head.isWhole(answer) { return Array(answer[head.byteCount...]) }
        }
    }

    /// The first lines of an answer.
    private struct Head {
        let byteCount: Int
        let status: Substring
        /// `nil` for a body in chunks.
        private let bodyByteCount: Int?

        /// - Returns: `nil` as long as it is not whole.
        init?(_ answer: [UInt8]) {
            let end = Array("\r\n\r\n".utf8)
            guard let place = (0...max(0, min(answer.count, 4096) - 4)).first(where: { answer[$0...].starts(with: end) }) else {
                return nil
            }
            byteCount = place + 4
            let lines = String(decoding: answer[..<place], as: UTF8.self).lowercased().split(separator: "\r\n")
            status = lines[0].split(separator: " ").dropFirst().first ?? ""
            bodyByteCount = lines.first { $0.hasPrefix("content-length:") }.flatMap { Int(String($0.dropFirst(15)).trimmed) }
        }

        func isWhole(_ answer: [UInt8]) -> Bool {
            guard let bodyByteCount else { return answer.suffix(5).elementsEqual("0\r\n\r\n".utf8) }
            return answer.count >= byteCount + bodyByteCount
        }
    }
}
