internal import Glibc

/// How fast blobs are handed out: by Berth's registry, and by nginx, which serves the same files.
struct BlobRates {
    private let registries: Registries
    private let network: Network
    private let paths: [String]
    /// How often all of them are fetched.
    private static let roundCount = 4

    static let connectionCounts = [1, 4]

    init(_ registries: Registries, _ network: Network) throws(Trouble) {
        (self.registries, self.network) = (registries, network)
        let folder = "\(registries.full(.own))/content/blobs/sha256"
        // Layers; documents are small.
        paths = Files.names(in: folder).filter { (Files.byteCount("\(folder)/\($0)") ?? 0) > 1 << 20 }.sorted()
        guard !paths.isEmpty else { throw Trouble("the registry has no blobs in \(folder)") }
    }

    /// MB/s of Berth's registry.
    func own(_ connections: Int) throws(Trouble) -> Double {
        try registries.serving(.own, registries.full(.own), in: network) { () throws(Trouble) in
            try rate(connections, paths.map { "/v2/bench/big/blobs/sha256:\($0)" })
        }
    }

    /// MB/s of nginx.
    func nginx(_ connections: Int) throws(Trouble) -> Double {
        guard let program = Files.program("nginx") else { throw Trouble("nginx is not installed") }
        let place = "\(registries.folder)/nginx"
        unsafe mkdir(place, 0o755)
        let text = """
            worker_processes auto; pid \(place)/pid; error_log \(place)/error.log; daemon off; user root;
            events { worker_connections 768; }
            http { sendfile on; tcp_nopush on; access_log off; client_body_temp_path \(place)/body; proxy_temp_path \(place)/proxy;
              fastcgi_temp_path \(place)/fastcgi; uwsgi_temp_path \(place)/uwsgi; scgi_temp_path \(place)/scgi;
              server { listen \(Registries.address); root \(registries.full(.own))/content/blobs; } }
            """
        try Files.write(Array(text.utf8), to: "\(place)/nginx.conf")
        let child = try Command.spawn([program, "-c", "\(place)/nginx.conf"], in: Surroundings(network: network))
        defer {
            kill(child, SIGTERM)
            _ = Command.wait(child)
        }
        try Host.awaitPort(5000, in: network, limit: 20)
        return try rate(connections, paths.map { "/sha256/\($0)" })
    }

    /// Clients that fetch all of them, each some times, at once.
    private func rate(_ connections: Int, _ paths: [String]) throws(Trouble) -> Double {
        let words = ["/proc/\(getpid())/exe", "--fetch", String(Self.roundCount)] + paths
        var children: [(pid_t, CInt)] = []
        let began = Clock.seconds()
        for _ in 0..<connections {
            let output = try Command.scratchFile()
            children.append((try Command.spawn(words, in: Surroundings(network: network), out: output), output))
        }
        var byteCount = 0.0
        for (child, output) in children {
            let status = Command.wait(child)
            defer { close(output) }
            guard status == 0, let count = Double(Command.contents(output)) else { throw Trouble("a client ended with \(status)") }
            byteCount += count
        }
        return byteCount / (Clock.seconds() - began) / 1e6
    }

    // MARK: The client

    /// Fetches what the words name, over one connection, and prints how many bytes that were.
    static func fetch(_ words: [String]) throws(Trouble) {
        guard let rounds = words.first.flatMap({ Int($0) }) else { throw Trouble("--fetch needs a number and paths") }
        let connection = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        defer { close(connection) }
        var name = sockaddr_in()
        (name.sin_family, name.sin_port) = (sa_family_t(AF_INET), UInt16(5000).bigEndian)
        name.sin_addr.s_addr = unsafe inet_addr("127.0.0.1")
        let connected = unsafe withUnsafePointer(to: &name) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe Glibc.connect(connection, $0, 16) }
        }
        guard connected == 0 else { throw Trouble("nobody listens") }
        var total = 0
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        for _ in 0..<rounds { for path in words.dropFirst() { total += try fetch(path, over: connection, &buffer) } }
        print(total)
    }

    private static func fetch(_ path: String, over connection: CInt, _ buffer: inout [UInt8]) throws(Trouble) -> Int {
        let request = Array("GET \(path) HTTP/1.1\r\nHost: \(Registries.address)\r\n\r\n".utf8)
        guard unsafe write(connection, request, request.count) == request.count else { throw Trouble("\(path) cannot be asked for") }
        var head: [UInt8] = []
        var end: Int?
        while end == nil {
            let count = unsafe read(connection, &buffer, buffer.count)
            guard count > 0, head.count < 1 << 16 else { throw Trouble("\(path) is not answered") }
            head += buffer[..<count]
            end = head.indices.dropFirst(3).first { head[$0] == 10 && head[$0 - 2] == 10 && head[$0 - 1] == 13 }
            if end == nil, head.count > 1 << 15 { throw Trouble("the answer for \(path) has no end of its head") }
        }
        let lines = String(decoding: head[..<(end ?? 0)], as: UTF8.self).lowercased().split(separator: "\r\n")
        guard lines.first?.contains(" 200 ") == true,
            let length = lines.first(where: { $0.hasPrefix("content-length:") }).flatMap({ Int($0.dropFirst(15).drop { $0 == " " }) })
        else { throw Trouble("\(path) is answered by \(lines.first ?? "nothing")") }
        var left = length - (head.count - (end ?? 0) - 1)
        while left > 0 {
            let count = unsafe read(connection, &buffer, min(left, buffer.count))
            guard count > 0 else { throw Trouble("\(path) ends before its time") }
            left -= count
        }
        return length
    }
}

extension Measuring {
    /// Blobs from Berth's registry and from nginx, in turn.
    mutating func serve(_ engines: [Engine]) {
        guard let image = material.bigImage, let registries = material.registries, let engine = engines.first(where: { $0.name == "berth" })
        else { return }
        if !isFilled {
            let isDone = guarded(.serve, engine) { () throws(Trouble) in try registries.fill(image, by: engine) }
            isFilled = isDone
        }
        var found: [String: [Int: [Double]]] = [:]
        var version = ""
        let roundCount = max(1, min(5, options.samples))
        _ = guarded(.serve, engine) { () throws(Trouble) in
            let rates = try BlobRates(registries, engine.network)
            for _ in 0..<roundCount {
                for count in BlobRates.connectionCounts {
                    found["berth", default: [:]][count, default: []].append(try rates.own(count))
                    found["nginx", default: [:]][count, default: []].append(try rates.nginx(count))
                }
            }
            version = try Command.run([Files.program("nginx") ?? "nginx", "-v"]).errors
        }
        report.engines["nginx"] = version.split(separator: "/").last.map(String.init) ?? ""
        for count in BlobRates.connectionCounts {
            for name in ["berth", "nginx"] {
                report.add(Text.blobs(count), name, found[name]?[count] ?? [], unit: "MB/s", isRate: true)
            }
        }
    }
}

extension Text {
    static func blobs(_ connections: Int) -> String {
        "blobs from the registry, \(connections) \(connections == 1 ? "connection" : "connections")"
    }
}
