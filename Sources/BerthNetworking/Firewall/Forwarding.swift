internal import BerthLinux
public import BerthNetlink

/// A setting of the kernel's that was changed, to be logged.
public struct SettingChange: Hashable, Sendable, CustomStringConvertible {
    /// The setting's name, as `net.ipv4.conf.eth0.forwarding`; an interface's own dots stand in it as slashes.
    public var name: String
    /// What it was.
    public var old: String
    /// What it is.
    public var new: String

    /// As `net.ipv4.conf.eth0.forwarding: 0 to 1`.
    public var description: String { "\(name): \(old) to \(new)" }
}

/// The kernel's settings without which containers are not reached: below /proc/sys/net, of one network namespace, and no more of them than needed.
///
/// What is so already is left alone, so repeating changes nothing. Calls block for a moment; each change that was made is told, also if a later one fails.
/// Nothing is taken back by itself: others may have come to rely on it.
public struct Forwarding: Sendable {
    private let namespace: NamespaceHandle?
    private let willOpen: @Sendable ([ForwardingOpening]) throws(NetworkError) -> Void
    private let onChange: @Sendable (SettingChange) -> Void

    /// The settings of a namespace; `nil` for the process's own.
    ///
    /// - Parameter willOpen: is told of what ``open(_:_:)`` is about to switch on; if it throws, that is left as it is.
    public init(
        in namespace: NamespaceHandle? = nil, willOpen: @escaping @Sendable ([ForwardingOpening]) throws(NetworkError) -> Void = { _ in },
        onChange: @escaping @Sendable (SettingChange) -> Void
    ) {
        (self.namespace, self.willOpen, self.onChange) = (namespace, willOpen, onChange)
    }

    /// Makes a bridge of ours ready: what comes from its containers is forwarded, and, of version 4, what the host sends to 127.0.0.1 may go to them.
    /// The host learns nothing from a container that plays the router.
    ///
    /// - Throws: `system` if a setting cannot be written, as where /proc/sys is read-only.
    public func prepare(bridge: InterfaceName, versions: Set<IPAddress.Version>) throws(NetworkError) {
        try inNamespace { settings throws(NetworkError) in
            if versions.contains(.v4) {
                try settings.set(.of(.v4, bridge, "forwarding"), to: "1")
                try settings.set(.of(.v4, bridge, "route_localnet"), to: "1")
            }
            if versions.contains(.v6) {
                if settings.value(.of(.v6, bridge, "disable_ipv6")) != nil { try settings.set(.of(.v6, bridge, "disable_ipv6"), to: "0") }
                try settings.set(.of(.v6, bridge, "accept_ra"), to: "0")
                try settings.forward6(by: bridge)
            }
        }
    }

    /// Has what comes by the host's own interfaces forwarded to containers.
    ///
    /// Where the host forwards everything already, nothing is changed. Of version 4, and of version 6 from Linux 6.17 on, it is switched on by interface, and
    /// the host stays no router. Before that, version 6 knows only all or nothing: then interfaces that learn from router advertisements go on learning.
    /// - Returns: the interfaces on which it was switched on here: for ``FirewallChange/open(_:)``, which keeps the host from forwarding between them.
    /// - Throws: `system` if a setting cannot be written.
    public func open(_ interfaces: [InterfaceName], _ version: IPAddress.Version) throws(NetworkError) -> [ForwardingOpening] {
        try inNamespace { [willOpen] settings throws(NetworkError) in
            if settings.forwardsEverything(version) { return [] }
            if version == .v6, interfaces.contains(where: { settings.value(.of(.v6, $0, "force_forwarding")) == nil }) {
                let openings = interfaces.map { ForwardingOpening($0, .v6) }
                try willOpen(openings)
                try settings.forwardAll6()
                return openings
            }
            var openings: [ForwardingOpening] = []
            for interface in interfaces {
                let setting = Setting.of(version, interface, version == .v4 ? "forwarding" : "force_forwarding")
                // An interface may have gone since it was listed.
                guard let value = settings.value(setting), value != "1" else { continue }
                try willOpen([ForwardingOpening(interface, version)])
                try settings.set(setting, to: "1")
                openings.append(ForwardingOpening(interface, version))
            }
            return openings
        }
    }

    /// Whether the host forwards whatever comes, by somebody else's will: then no opening is ours any more.
    public func forwardsEverything(_ version: IPAddress.Version) throws(NetworkError) -> Bool {
        try inNamespace { settings throws(NetworkError) in settings.forwardsEverything(version) }
    }

    /// The interfaces by which the world outside may come. No loopback and no bridge's port; a bridge only if a router is behind it, and an end of a veth only
    /// if it has an address: others are the networks of other engines, and of virtual machines.
    ///
    /// - Parameter ours: our own bridges, which are none.
    public func outerInterfaces(besides ours: Set<InterfaceName>) throws(NetworkError) -> [InterfaceName] {
        do throws(NetlinkError) {
            var socket = if let namespace { try NetlinkSocket(.route, in: namespace) } else { try NetlinkSocket(.route) }
            let hops = try socket.routes(.v4).flatMap(\.hops) + socket.routes(.v6).flatMap(\.hops)
            let leading = Set(hops.filter { $0.gateway != nil }.compactMap(\.interface))
            let addressed = Set(try socket.addresses().filter { $0.scope == 0 }.map(\.interface))
            return try socket.links().filter { link in
                switch link.kind {
                case _ where link.isLoopback || link.master != nil: false
                case "bridge": leading.contains(link.index)
                case "veth": leading.contains(link.index) || addressed.contains(link.index)
                default: true
                }
            }.compactMap { InterfaceName($0.name) }.filter { !ours.contains($0) }
        } catch {
            throw NetworkError(.system, error.description)
        }
    }

    /// Whether what a bridge passes on by itself meets the rules of either version as well, which somebody has asked for by loading `br_netfilter`. A container then
    /// reaches its own published port only if its bridge port is a hairpin.
    public func bridgesMeetRules() throws(NetworkError) -> Bool {
        try inNamespace { settings throws(NetworkError) in
            ["iptables", "ip6tables"].contains { settings.value(Setting(path: ["bridge", "bridge-nf-call-\($0)"])) == "1" }
        }
    }

    /// Makes a router of the host: what is done where version 6 knows only all or nothing.
    func forwardAll6() throws(NetworkError) { try inNamespace { settings throws(NetworkError) in try settings.forwardAll6() } }

    private func inNamespace<Value: Sendable>(
        _ body: @escaping @Sendable (Settings) throws(NetworkError) -> Value
    ) throws(NetworkError) -> Value {
        let settings = Settings(onChange: onChange)
        guard let namespace else { return try body(settings) }
        let result: Result<Value, NetworkError>
        do throws(NetlinkError) {
            // /proc/sys/net is that of the thread that looks.
            result = try namespace.run { () throws(NetlinkError) in
                do throws(NetworkError) { return .success(try body(settings)) } catch { return .failure(error) }
            }
        } catch {
            throw NetworkError(.system, error.description)
        }
        return try result.get()
    }
}

/// One setting below /proc/sys/net.
private struct Setting: Hashable, Sendable {
    /// The parts of its path; none of them has a slash.
    var path: [String]

    static func of(_ version: IPAddress.Version, _ interface: InterfaceName, _ name: String) -> Setting {
        of(version, interface.description, name)
    }

    static func of(_ version: IPAddress.Version, _ interface: String, _ name: String) -> Setting {
        Setting(path: [version == .v4 ? "ipv4" : "ipv6", "conf", interface, name])
    }

    var file: String { "/proc/sys/net/" + path.joined(separator: "/") }
    /// As sysctl(8) writes it: a dot of a name is a slash.
    var name: String {
        (["net"] + path.map { $0.split(separator: ".", omittingEmptySubsequences: false).joined(separator: "/") }).joined(separator: ".")
    }
}

/// The settings of the calling thread's network namespace.
private struct Settings: Sendable {
    let onChange: @Sendable (SettingChange) -> Void
    private static let longestValue = 4096

    /// What a setting is; `nil` where the kernel, or the interface, does not have it.
    func value(_ setting: Setting) -> String? {
        do throws(Errno) {
            return String(decoding: try HostFile.read(setting.file, limit: Self.longestValue).filter { $0 > 32 }, as: UTF8.self)
        } catch {
            return nil
        }
    }

    func set(_ setting: Setting, to new: String) throws(NetworkError) {
        let old = value(setting)
        if old == new { return }
        do throws(Errno) { try HostFile.write(new, to: setting.file) } catch {
            throw NetworkError(
                .system,
                "cannot set \(setting.name) to \(new), without which containers are not reached: \(error); set it by sysctl before the engine starts"
            )
        }
        onChange(SettingChange(name: setting.name, old: old ?? "", new: new))
    }

    func forwardsEverything(_ version: IPAddress.Version) -> Bool {
        value(version == .v4 ? Setting(path: ["ipv4", "ip_forward"]) : .of(.v6, "all", "forwarding")) == "1"
    }

    /// What comes by an interface is forwarded, by itself where the kernel can.
    func forward6(by interface: InterfaceName) throws(NetworkError) {
        if forwardsEverything(.v6) { return }
        let alone = Setting.of(.v6, interface, "force_forwarding")
        if value(alone) == nil { try forwardAll6() } else { try set(alone, to: "1") }
    }

    /// Makes a router of the host: the only way before Linux 6.17. A router does not listen to advertisements unless it is told to, and loses what
    /// it has learnt at once.
    func forwardAll6() throws(NetworkError) {
        for interface in try interfaces() {
            let setting = Setting.of(.v6, interface, "accept_ra")
            if value(setting) == "1" { try set(setting, to: "2") }
        }
        try set(.of(.v6, "all", "forwarding"), to: "1")
    }

    /// The interfaces, and `default` for those to come.
    private func interfaces() throws(NetworkError) -> [String] {
        do throws(NetlinkError) {
            var socket = try NetlinkSocket(.route)
            return try socket.links().compactMap { InterfaceName($0.name)?.description } + ["default"]
        } catch {
            throw NetworkError(.system, error.description)
        }
    }
}
