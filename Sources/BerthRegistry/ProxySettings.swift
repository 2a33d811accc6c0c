/// The way out through proxies, as the field's environment variables say it.
public struct ProxySettings: Hashable, Sendable {
    /// The proxy for plain HTTP: `http://user:password@host:port`. Holds secrets.
    public var http: String?
    /// The proxy for HTTPS.
    public var https: String?
    /// Hosts that are reached without: names with those below them (`example.com`), those below alone (`.example.com`), addresses, ranges (`10.0.0.0/8`),
    /// any of these with a port, or `*` for all. This machine itself is always reached without.
    public var exceptions: [String] = []

    /// None.
    public init() {}

    /// What `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` say, in capitals or not.
    public init(environment: [String: String]) {
        func value(_ name: String) -> String? {
            [name, name.lowercased()].compactMap { environment[$0] }.first { !$0.isEmpty }
        }
        http = value("HTTP_PROXY")
        https = value("HTTPS_PROXY")
        exceptions =
            value("NO_PROXY")?.split { $0 == "," || $0 == " " }.map { String($0) } ?? []
    }

    /// Which proxy leads to a host; `nil` for none.
    func proxy(to scheme: RegistryAddress.Scheme, host: String, port: UInt16) -> String? {
        guard let proxy = scheme == .https ? https : http else { return nil }
        if RegistryAddress.isLoopback(host) { return nil }
        return exceptions.contains { Self.matches($0, host, port) } ? nil : proxy
    }

    private static func matches(_ exception: String, _ host: String, _ port: UInt16) -> Bool {
        if exception == "*" { return true }
        if let number = IPNumber(host), let range = IPRange(exception) { return range.contains(number) }
        // The last part of an address of version 6 could be read as a port.
        if let one = IPNumber(exception) { return IPNumber(host) == one }
        let (name, exceptionPort) = RegistryAddress.splitting(registry: exception.lowercased())
        if let exceptionPort, exceptionPort != port { return false }
        if let one = IPNumber(name) { return IPNumber(host) == one }
        if name.hasPrefix("*.") { return host.hasSuffix(name.dropFirst()) }
        if name.hasPrefix(".") { return host.hasSuffix(name) }
        return host == name || host.hasSuffix("." + name)
    }
}

extension ProxySettings: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Whether there are any.
    public var description: String { http == nil && https == nil ? "no proxies" : "proxies" }
    /// The same.
    public var debugDescription: String { description }
    /// Nothing in it is shown: a proxy's address may hold a password.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
