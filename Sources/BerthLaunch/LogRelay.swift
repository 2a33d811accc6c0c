public import BerthLinux
internal import CBerth

/// A program that speaks TLS with a receiver of logs for a monitor, which does not: what the monitor writes goes there, and what comes from there to the monitor.
///
/// It says first how its connecting has ended: ``accepted``, or ``refused`` and the reason, and then ends.
public struct LogRelay: Hashable, Sendable {
    /// The program's file.
    public var program: String
    /// Where the receiver listens.
    public var endpoint: InternetEndpoint
    /// The name, or the address, that the receiver's certificate is to be for.
    public var serverName: String
    /// Whether its certificate is looked at.
    public var verifies = true
    /// A file of authorities, in PEM, beside the host's; empty for none.
    public var authorities = ""
    /// A certificate that is shown to the receiver: a file in PEM; empty for none.
    public var certificate = ""
    /// The certificate's private key, likewise.
    public var privateKey = ""

    /// The argument 0 with which a program that links `BerthLogRelay` is one.
    public static var programName: String { unsafe String(cString: berth_relay_argument()) }
    /// Whether the running program links it.
    public static var isLinked: Bool { berth_has_relay_entry() != 0 }

    /// The first byte of a relay that is connected.
    public static let accepted = UInt8(ascii: "+")
    /// The first byte of one that cannot be; the reason follows.
    public static let refused = UInt8(ascii: "-")

    /// These, and everything else by default.
    public init(program: String, endpoint: InternetEndpoint, serverName: String) {
        (self.program, self.endpoint, self.serverName) = (program, endpoint, serverName)
    }

    /// What the program is told, behind its name.
    public var arguments: [String] {
        [
            endpoint.address.map { String(Int($0) + 256, radix: 16).dropFirst() }.joined(), "\(endpoint.port)", "\(endpoint.scope)",
            serverName, verifies ? "verified" : "any", authorities, certificate, privateKey,
        ]
    }

    /// What it was told; `nil` for anything else.
    public init?(program: String, arguments: [String]) {
        guard arguments.count == 8, let port = UInt16(arguments[1]), let scope = UInt32(arguments[2]) else { return nil }
        let digits = Array(arguments[0])
        let address = stride(from: 0, to: digits.count - 1, by: 2).compactMap { UInt8(String(digits[$0...$0 + 1]), radix: 16) }
        guard address.count * 2 == digits.count, let endpoint = InternetEndpoint(address: address, port: port, scope: scope),
            ["verified", "any"].contains(arguments[4])
        else { return nil }
        self.init(program: program, endpoint: endpoint, serverName: arguments[3])
        verifies = arguments[4] == "verified"
        (authorities, certificate, privateKey) = (arguments[5], arguments[6], arguments[7])
    }
}
