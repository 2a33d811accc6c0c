internal import BerthNetlink
internal import Synchronization

/// The interfaces of the host's that networks are parts of: who uses which, and those that were made for it.
///
/// What is made carries the id of a network that uses it, so that it is known again. Shared by the drivers, for several networks may use one.
final class LanParents: Sendable {
    private struct Use {
        let kind: LanKind
        let parent: InterfaceName
        let mode: LanOptions.Mode
    }
    private let uses = Mutex<[String: Use]>([:])
    private let engineID: String
    private let host: HostNetwork

    init(engineID: String, host: HostNetwork) { (self.engineID, self.host) = (engineID, host) }

    /// Whether a network can have its parent.
    ///
    /// - Throws: `invalid` where there is none of that name, nor one that it is a VLAN of; `forbidden` where another network has it alone; `unsupported` where
    ///   the kernel lacks what has to be made.
    func check(_ options: LanOptions, _ kind: LanKind) throws(NetworkError) {
        try KernelLinks.require(kind.rawValue)
        guard let parent = options.parent else { return }
        try uses.withLock { (uses) throws(NetworkError) in try Self.refuseSharing(parent, options.mode, kind, besides: uses, id: nil) }
        guard try host.link(parent) == nil else { return }
        let vlan = try VLANName(parent)
        guard try host.link(vlan.base) != nil else {
            throw NetworkError(.invalid, "-o parent interface was not found on the host: \(vlan.base)")
        }
        try KernelLinks.require("vlan")
    }

    /// Docker's rules: an ipvlan network has its parent alone, of several macvlan networks none may hand it through.
    private static func refuseSharing(
        _ parent: InterfaceName, _ mode: LanOptions.Mode, _ kind: LanKind, besides uses: [String: Use], id: String?
    ) throws(NetworkError) {
        for (other, use) in uses.sorted(by: { $0.key < $1.key }) where use.parent == parent && use.kind == kind && other != id {
            switch kind {
            case .ipvlan: throw NetworkError(.forbidden, "network \(other.prefix(12)) is already using parent interface \(parent)")
            case .macvlan:
                if mode == .macvlan(.passthru) {
                    throw NetworkError(
                        .forbidden,
                        "cannot use mode passthru, macvlan network \(other.prefix(12)) is already using parent interface \(parent)")
                }
                if use.mode == .macvlan(.passthru) {
                    throw NetworkError(
                        .forbidden, "macvlan network \(other.prefix(12)) is already using parent interface \(parent) in mode passthru")
                }
            }
        }
    }

    /// The parent's number; it is made if it is not there and can be.
    ///
    /// - Throws: as ``check(_:_:)``; `conflict` if an interface has the name of one that is to be made.
    func make(_ network: Network, _ options: LanOptions, _ kind: LanKind) throws(NetworkError) -> Int32 {
        let name = try name(network, options, kind)
        return try uses.withLock { (uses) throws(NetworkError) in
            try Self.refuseSharing(name, options.mode, kind, besides: uses, id: network.id)
            let found = try find(name, network, options, kind)
            let index = if let found { found } else { try build(name, network, options, kind) }
            uses[network.id] = Use(kind: kind, parent: name, mode: options.mode)
            return index
        }
    }

    private func find(_ name: InterfaceName, _ network: Network, _ options: LanOptions, _ kind: LanKind) throws(NetworkError) -> Int32? {
        guard let link = try host.link(name) else { return nil }
        if options.parent == nil, InterfaceAlias(link.alias, engineID: engineID) != .parent(driver: kind.rawValue, network: network.id) {
            throw NetworkError(
                .conflict,
                "the parent of network \(network.name) cannot be made: an interface '\(name)' exists already, and is not this engine's")
        }
        return link.index
    }

    private func build(_ name: InterfaceName, _ network: Network, _ options: LanOptions, _ kind: LanKind) throws(NetworkError) -> Int32 {
        var made: NewLink.Kind
        if options.parent == nil {
            // Frames that a pair's other end gets, which nobody has, vanish just so.
            made = try KernelLinks.has("dummy") ? .dummy : .veth(peer: LinkEnd())
        } else {
            let vlan = try VLANName(name)
            guard let base = try host.link(vlan.base) else {
                throw NetworkError(.invalid, "-o parent interface was not found on the host: \(vlan.base)")
            }
            try KernelLinks.require("vlan")
            made = .vlan(parent: base.index, id: vlan.id)
        }
        do throws(NetworkError) {
            let alias = InterfaceAlias.parent(driver: kind.rawValue, network: network.id).text(engineID: engineID)
            try host.perform([.makeLink(NewLink(LinkEnd(name: name), made)), .changeLink(.name(name), LinkChange(alias: alias))])
            guard let link = try host.link(name) else { throw NetworkError(.system, "the interface '\(name)' was made, and is not there") }
            if case .veth = made, let peer = link.peer { try host.perform([.changeLink(.index(peer), LinkChange(isUp: true))]) }
            try host.perform([.changeLink(.index(link.index), LinkChange(isUp: true))])
            return link.index
        } catch {
            try? release(name, of: network.id, to: nil)  // what went wrong first is told; what stays is found at the next start
            throw error
        }
    }

    /// The number of the parent of a network that was made before; `nil` if it has gone.
    func index(of network: Network, _ options: LanOptions, _ kind: LanKind) throws(NetworkError) -> Int32? {
        try host.link(try name(network, options, kind))?.index
    }

    private func name(_ network: Network, _ options: LanOptions, _ kind: LanKind) throws(NetworkError) -> InterfaceName {
        if let parent = options.parent { return parent }
        guard let name = InterfaceName(kind.parentPrefix + network.shortID) else {
            throw NetworkError(.invalid, "'\(network.id)' is no network's id")
        }
        return name
    }

    /// Takes away what was made for a network, unless another one uses it. Repeating is fine.
    func remove(_ network: Network, _ options: LanOptions, _ kind: LanKind) throws(NetworkError) {
        let name = try name(network, options, kind)
        try uses.withLock { (uses) throws(NetworkError) in
            uses[network.id] = nil
            try release(name, of: network.id, to: uses.first { $0.value.parent == name }.map { ($0.key, $0.value.kind) })
        }
    }

    /// What was made for a network is removed, or becomes its heir's. What was not made for it is left alone.
    private func release(_ name: InterfaceName, of id: String, to heir: (id: String, kind: LanKind)?) throws(NetworkError) {
        guard let link = try host.link(name), case .parent(_, id) = InterfaceAlias(link.alias, engineID: engineID) else { return }
        if let heir {
            let alias = InterfaceAlias.parent(driver: heir.kind.rawValue, network: heir.id).text(engineID: engineID)
            try host.perform([.changeLink(.index(link.index), LinkChange(alias: alias))])
        } else {
            try host.removeLink(.index(link.index))
        }
    }

    /// Takes up these networks of a kind, and removes what was made for others.
    func recover(_ networks: [Network], _ kind: LanKind) throws(NetworkError) {
        var known: [String: Use] = [:]
        for network in networks {
            let options = try LanOptions(network.configuration.options, kind)
            known[network.id] = Use(kind: kind, parent: try name(network, options, kind), mode: options.mode)
        }
        try uses.withLock { (uses) throws(NetworkError) in
            uses = uses.filter { $0.value.kind != kind }.merging(known) { $1 }
            for link in try host.links() {
                guard case .parent(kind.rawValue, let id) = InterfaceAlias(link.alias, engineID: engineID), uses[id] == nil,
                    let name = InterfaceName(link.name)
                else { continue }
                try release(name, of: id, to: uses.first { $0.value.parent == name }.map { ($0.key, $0.value.kind) })
            }
        }
    }
}
