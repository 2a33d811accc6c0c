/// Network namespaces by the numbers that another namespace has for them.
///
/// Such a number is there as long as both namespaces are, whoever asked for it: also a process that holds no descriptor of the other one finds it again, and
/// can look at what is in it. When a namespace has ended its number may become another's.
public struct NumberedNamespace: Hashable, Sendable {
    /// The number, in the namespace of the socket that told it.
    public let number: Int32

    /// The namespace of a number.
    public init(number: Int32) { self.number = number }

    fileprivate enum Attribute {
        static let number: UInt16 = 1
        static let descriptor: UInt16 = 3
    }

    /// What a message about a number says; `nil` where the namespace has none.
    init?(_ message: NetlinkMessage) throws(NetlinkDecodingError) {
        var reader = NetlinkReader(message.body)
        // A family, which stands alone, with what fills it up.
        _ = try reader.take(4)
        guard let number: Int32 = try NetlinkAttributes(parsing: reader.rest).number(Attribute.number), number >= 0 else { return nil }
        self.init(number: number)
    }
}

extension NetlinkRequest {
    /// Gives a namespace a number that is free. One that has a number keeps it: `exists`.
    static func number(_ namespace: NamespaceHandle) -> NetlinkRequest {
        NetlinkRequest(type: RouteMessage.newNamespaceID, purpose: "number a network namespace", namespaces: [namespace]) { writer in
            writer.append(UInt32(0))
            writer.attribute(NumberedNamespace.Attribute.descriptor, namespace: namespace)
            writer.attribute(NumberedNamespace.Attribute.number, Int32(-1))
        }
    }

    /// Removes an interface of another namespace. Repeating it is `notFound`, and `invalid` when the namespace has ended.
    public static func removeLink(index: Int32, in namespace: NumberedNamespace) -> NetlinkRequest {
        NetlinkRequest(
            type: RouteMessage.removeLink,
            purpose: "remove the interface number \(index) of the network namespace number \(namespace.number)"
        ) { writer in
            writer.linkHeader(index: index)
            writer.attribute(LinkAttribute.targetNamespaceID, namespace.number)
        }
    }
}

extension NetlinkSocket {
    /// The number of a namespace, which it is given if it has none. Repeating gives the same.
    public mutating func number(of namespace: NamespaceHandle) throws(NetlinkError) -> NumberedNamespace {
        do throws(NetlinkError) { try perform(.number(namespace)) } catch {
            guard error.code == .exists else { throw error }
        }
        let request = NetlinkRequest(
            type: RouteMessage.getNamespaceID, purpose: "ask for a network namespace's number", namespaces: [namespace]
        ) { writer in
            writer.append(UInt32(0))
            writer.attribute(NumberedNamespace.Attribute.descriptor, namespace: namespace)
        }
        let message = try query(request)
        do throws(NetlinkDecodingError) {
            if let found = try NumberedNamespace(message) { return found }
        } catch { throw NetlinkError(error, request.purpose) }
        throw NetlinkError(.changed, request.purpose, "it has none any more")
    }

    /// All namespaces that have a number in the socket's.
    public mutating func numberedNamespaces() throws(NetlinkError) -> [NumberedNamespace] {
        let request = NetlinkRequest(type: RouteMessage.getNamespaceID, purpose: "list the numbers of network namespaces") { writer in
            writer.append(UInt32(0))
        }
        return try list(request, of: [RouteMessage.newNamespaceID]) { (message) throws(NetlinkDecodingError) in
            try NumberedNamespace(message)
        }.compactMap(\.self)
    }

    /// The addresses of another namespace's interfaces; none when it has ended.
    public mutating func addresses(in namespace: NumberedNamespace) throws(NetlinkError) -> [InterfaceAddress] {
        let request = NetlinkRequest(
            type: RouteMessage.getAddress, purpose: "list the addresses of the network namespace number \(namespace.number)"
        ) { writer in
            writer.append(UInt32(0))
            writer.append(UInt32(0))
            writer.attribute(InterfaceAddress.targetNamespaceID, namespace.number)
        }
        do throws(NetlinkError) {
            return try list(request, of: [RouteMessage.newAddress]) { (message) throws(NetlinkDecodingError) in
                try InterfaceAddress(message)
            }.compactMap(\.self)
        } catch {
            // The kernel's word for a number that is nobody's.
            if error.code == .invalid { return [] }
            throw error
        }
    }

    /// The interfaces of another namespace, in the kernel's order; none when it has ended.
    public mutating func links(in namespace: NumberedNamespace) throws(NetlinkError) -> [Link] {
        let request = NetlinkRequest(
            type: RouteMessage.getLink, purpose: "list the interfaces of the network namespace number \(namespace.number)"
        ) { writer in
            writer.linkHeader(index: 0)
            writer.attribute(LinkAttribute.extendedMask, Self.withoutCounters)
            writer.attribute(LinkAttribute.targetNamespaceID, namespace.number)
        }
        do throws(NetlinkError) {
            return try list(request, of: [RouteMessage.newLink]) { (message) throws(NetlinkDecodingError) in try Link(message) }
        } catch {
            // The kernel's word for a number that is nobody's.
            if error.code == .invalid { return [] }
            throw error
        }
    }
}
