internal import BerthClient
internal import BerthCommandLine
internal import BerthLinux
internal import Glibc

/// One run of the program: whom it talks to, and as what it was called.
final class Session {
    /// The command as it was typed, as `berth container ls`.
    let path: String
    /// What follows that.
    let words: [String]
    private let options: GlobalOptions
    private var connected: Daemon?
    /// Docker's `config.json`, as far as it is about this program.
    private lazy var configuration = Self.readConfiguration()

    init(path: String, words: [String] = [], options: GlobalOptions) { (self.path, self.words, self.options) = (path, words, options) }

    /// Has the daemon begin with its answer to the first question, if it listens on this machine and runs. What is wrong is said when it is needed.
    func greet() {
        guard let address = try? address(), case .unix(let socket) = address, HostFile.exists(socket) else { return }
        try? daemon(mayStart: false).greet()
    }

    /// One that cannot be read is told of, as Docker does, and says nothing.
    private static func readConfiguration() -> ClientConfiguration {
        guard let directory = Surroundings.variable("DOCKER_CONFIG") ?? Surroundings.variable("HOME").map({ $0 + "/.docker" }) else {
            return ClientConfiguration()
        }
        let path = directory + "/config.json"
        let bytes: [UInt8]
        do throws(Errno) { bytes = try HostFile.read(path, limit: configurationByteLimit) } catch {
            if error != .ENOENT && error != .ENOTDIR { Output.complain("WARNING: Error loading config file: \(path): \(error)") }
            return ClientConfiguration()
        }
        do throws(ClientError) { return try bytes.isEmpty ? ClientConfiguration() : ClientConfiguration(parsing: bytes) } catch {
            Output.complain("WARNING: Error loading config file: \(path): \(error.description)")
            return ClientConfiguration()
        }
    }

    private static let configurationByteLimit = 4 << 20

    /// How a list is printed where `--format` does not say it: with `-q`, only ids are.
    func format(of list: ClientConfiguration.List, quiet: Bool = false) -> String? { quiet ? nil : configuration.format(of: list) }

    /// The keys with which one leaves a container, as they are told to the daemon.
    func detachKeys(_ given: String?) -> String? { given ?? configuration.detachKeys }

    /// The filters of a pruning.
    func pruneFilters(_ given: [String]) -> [String] { configuration.pruneFilters(given) }

    /// A new container's environment, with what leads through proxies.
    func environment(_ given: [String]) throws -> [String] { configuration.environment(given, for: try address().description) }

    /// The platform that is meant where none is named.
    static var standardPlatform: String? { Surroundings.variable("DOCKER_DEFAULT_PLATFORM") }

    private var named: String? { options.host.last ?? Surroundings.variable("BERTH_HOST") ?? Surroundings.variable("DOCKER_HOST") }

    private func address() throws(ClientError) -> DaemonAddress {
        try named.map { text throws(ClientError) in try DaemonAddress(parsing: text) } ?? .standard
    }

    /// The daemon; if it is ours and does not run, root starts it where that is allowed.
    func daemon(mayStart: Bool = true) throws -> Daemon {
        if let connected { return connected }
        let address = try address()
        if Surroundings.variable("DOCKER_TLS_VERIFY") != nil, case .tcp = address {
            throw Failure("DOCKER_TLS_VERIFY is set, and TLS is not available yet: unset it to speak to \(address) without.", status: 125)
        }
        if mayStart, named == nil, case .unix(let socket) = address { try DaemonStart.ifNeeded(socket: socket) }
        let daemon = try Daemon(
            at: address, version: Surroundings.variable("DOCKER_API_VERSION"), userAgent: "Berth-Client/\(Version.own) (linux)",
            headers: configuration.headers.map { ($0.name, $0.value) })
        connected = daemon
        return daemon
    }
}

/// What stands before the command.
struct GlobalOptions {
    var host: [String] = []
    var debug = false
}

/// This program's version.
enum Version {
    static let own = "0.1.0"
}

/// A command of this program.
protocol Verb: DockerCommand {
    /// Does it.
    ///
    /// - Returns: the exit status.
    func perform(_ session: Session) throws -> Int32

    /// Whether it needs no daemon. Default: it does.
    static var isLocal: Bool { get }
}

extension Verb {
    static var isLocal: Bool { false }
}
