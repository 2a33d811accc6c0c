internal import BerthNetlink
internal import Synchronization

/// Which kinds of interfaces this kernel can make. What it can is remembered: a module that is missing may come.
enum KernelLinks {
    private static let known = Mutex<Set<String>>([])

    /// Whether it can make one: tried in a namespace that is thrown away, where the kernel loads the module if it has one. Blocks.
    static func has(_ kind: String) throws(NetworkError) -> Bool {
        if known.withLock({ $0.contains(kind) }) { return true }
        do throws(NetlinkError) {
            var socket = try NetlinkSocket(.route, in: try .make())
            // It is looked for before anything else is: with a parent that is nobody's, only a kind that exists is refused for that.
            let tried: NewLink.Kind =
                switch kind {
                case "macvlan": .macvlan(parent: .max, .bridge)
                case "ipvlan": .ipvlan(parent: .max, .l2, .bridge)
                case "vlan": .vlan(parent: .max, id: 1)
                default: .dummy
                }
            do throws(NetlinkError) { try socket.perform(.makeLink(NewLink(LinkEnd(), tried))) } catch {
                if error.code == .unsupported { return false }
                // Whatever else it says, it says of that kind; without the right to ask, nothing is known.
                if error.code == .denied { throw error }
            }
        } catch { throw NetworkError(error) }
        _ = known.withLock { $0.insert(kind) }
        return true
    }

    /// - Throws: `unsupported`, with the module's name, where it cannot.
    static func require(_ kind: String) throws(NetworkError) {
        guard try !has(kind) else { return }
        let module = kind == "vlan" ? "8021q" : kind
        throw NetworkError(
            .unsupported,
            "this kernel cannot make interfaces of the kind \(kind): its module \(module) is missing; load it, or use a kernel that has it, or say --driver bridge"
        )
    }
}

extension HostNetwork {
    /// An interface of the host's, or `nil` where there is none.
    func link(_ name: InterfaceName) throws(NetworkError) -> Link? {
        do throws(NetlinkError) { return try ask { (socket) throws(NetlinkError) in try socket.link(.name(name)) } } catch {
            throw NetworkError(error)
        }
    }

    /// All of them.
    func links() throws(NetworkError) -> [Link] {
        do throws(NetlinkError) { return try ask { (socket) throws(NetlinkError) in try socket.links() } } catch {
            throw NetworkError(error)
        }
    }

    /// Has the kernel do several things, in order.
    func perform(_ requests: [NetlinkRequest]) throws(NetworkError) {
        do throws(NetlinkError) { try ask { (socket) throws(NetlinkError) in try socket.perform(requests) } } catch {
            throw NetworkError(error)
        }
    }

    /// Removes an interface. Repeating is fine.
    func removeLink(_ link: LinkReference) throws(NetworkError) {
        do throws(NetlinkError) { try ask { (socket) throws(NetlinkError) in try socket.perform(.removeLink(link)) } } catch {
            if error.code != .notFound { throw NetworkError(error) }
        }
    }
}
