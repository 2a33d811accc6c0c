internal import BerthNetlink

/// A published port as it stands in the table that an earlier engine has left: whose it is nobody says but the address.
struct LeftPort: Hashable, Sendable {
    var transport: PublishedPort.Transport
    /// `nil` for all of the host's.
    var hostAddress: IPAddress?
    /// 0 where the container is reached at its own address.
    var hostPort: UInt16
    var containerAddress: IPAddress
    var containerPort: UInt16
}

extension Firewall {
    /// The ports that the table in the kernel has, as far as there is one and as it makes sense.
    func leftPorts() throws(NetworkError) -> [LeftPort] {
        var found: [LeftPort] = []
        for version in IPAddress.Version.allCases {
            for element in try leftElements(of: .of(version, .ports4, .ports6)) {
                var (key, target) = (LeftBytes(element.key), LeftBytes(element.data))
                guard let transport = key.transport(), let number = key.port(), let address = target.address(version),
                    let port = target.port()
                else { continue }
                found.append(LeftPort(transport: transport, hostPort: number, containerAddress: address, containerPort: port))
            }
            for element in try leftElements(of: .of(version, .addressed4, .addressed6)) {
                var (key, target) = (LeftBytes(element.key), LeftBytes(element.data))
                guard let transport = key.transport(), let host = key.address(version), let number = key.port(),
                    let address = target.address(version), let port = target.port()
                else { continue }
                found.append(
                    LeftPort(transport: transport, hostAddress: host, hostPort: number, containerAddress: address, containerPort: port))
            }
            for element in try leftElements(of: .of(version, .routed4, .routed6)) {
                var key = LeftBytes(element.key)
                guard let transport = key.transport(), let address = key.address(version), let port = key.port() else { continue }
                found.append(LeftPort(transport: transport, hostPort: 0, containerAddress: address, containerPort: port))
            }
        }
        return found
    }
}

/// The parts of an element, each of which begins at a multiple of four bytes.
private struct LeftBytes {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) { rest = bytes[...] }

    init(_ data: NfData?) {
        if case .value(let bytes) = data { self.init(bytes) } else { self.init([]) }
    }

    private mutating func take(_ count: Int) -> ArraySlice<UInt8>? {
        guard rest.count >= count else { return nil }
        defer { rest = rest.dropFirst((count + 3) / 4 * 4) }
        return rest.prefix(count)
    }

    mutating func transport() -> PublishedPort.Transport? {
        guard let number = take(1)?.first else { return nil }
        return PublishedPort.Transport.allCases.first { $0.number == number }
    }

    mutating func port() -> UInt16? { take(2).map { $0.reduce(0) { $0 << 8 | UInt16($1) } } }

    mutating func address(_ version: IPAddress.Version) -> IPAddress? {
        take(version == .v4 ? 4 : 16).flatMap { IPAddress(bytes: Array($0)) }
    }
}
