internal import BerthLaunch
internal import BerthLinux
internal import CBerth

/// What a monitor holds for its sandbox, by the engine's keys.
final class HeldSockets {
    private enum Holding {
        case descriptor(DescriptorHolder)
        case listener(TCPListener)
        case datagrams(UDPRelay)
    }
    private final class DescriptorHolder {
        let descriptor: OwnedDescriptor
        init(_ descriptor: consuming OwnedDescriptor) { self.descriptor = descriptor }
    }

    private var holdings: [UInt64: (socket: HeldSocket, holding: Holding)] = [:]
    /// What relays, once something has been relayed.
    private(set) var relay: Relay?
    /// How many descriptors this process could have, before it was given more for the relay's sake.
    private(set) var fileLimitBefore: UInt64?

    var isEmpty: Bool { holdings.isEmpty }

    /// Takes sockets, all or none.
    ///
    /// - Throws: `EINVAL` where there are fewer descriptors than sockets, or one is not what it is to be used as; `EEXIST` for a key that is in use;
    ///   `EMFILE` for more than ``HeldSocket/maximumCount``, or than there is room for.
    func hold(_ sockets: [HeldSocket], _ message: inout MessageSocket.Message) throws(Errno) {
        guard holdings.count + sockets.count <= HeldSocket.maximumCount else { throw .EMFILE }
        var taken: [DescriptorHolder] = []
        for socket in sockets {
            guard let descriptor = message.takeDescriptor() else { throw .EINVAL }
            let kind = descriptor.withRawDescriptor { UInt32(berth_socket_kind($0)) }
            switch socket.use {
            case .tcpRelay: guard kind == BERTH_SOCKET_TCP_LISTENER.rawValue else { throw .EINVAL }
            case .udpRelay: guard kind == BERTH_SOCKET_UDP.rawValue else { throw .EINVAL }
            case .kept, .reserved: break
            }
            taken.append(DescriptorHolder(descriptor))
        }
        guard Set(sockets.map(\.key)).count == sockets.count, sockets.allSatisfy({ holdings[$0.key] == nil }) else { throw .EEXIST }
        let relay = try openRelay()
        guard relay.reserve(sockets.count) else { throw .EMFILE }
        var begun: [UInt64] = []
        do throws(Errno) {
            for (socket, holder) in zip(sockets, taken) {
                let holding: Holding =
                    switch socket.use {
                    case .kept, .reserved: .descriptor(holder)
                    case .tcpRelay(let target): .listener(try TCPListener(try holder.descriptor.duplicate(), to: target, relay))
                    case .udpRelay(let target): .datagrams(try UDPRelay(try holder.descriptor.duplicate(), to: target, relay))
                    }
                holdings[socket.key] = (socket, holding)
                begun.append(socket.key)
            }
        } catch {
            drop(begun)
            relay.release(sockets.count - begun.count)
            throw error
        }
    }

    private func openRelay() throws(Errno) -> Relay {
        if let relay { return relay }
        var (before, now): (UInt64, UInt64) = (0, 0)
        guard unsafe berth_raise_file_limit(&before, &now) == 0 else { throw .current }
        let made = try Relay(fileLimit: now)
        fileLimitBefore = before
        relay = made
        return made
    }

    /// Closes sockets and what goes through them. Keys that name nothing are fine.
    func drop(_ keys: some Collection<UInt64>) {
        var endsConnections = false
        for key in keys {
            guard let (_, holding) = holdings.removeValue(forKey: key) else { continue }
            relay?.release(1)
            switch holding {
            case .descriptor: break
            case .listener(let listener):
                listener.close()
                endsConnections = true
            case .datagrams(let relay): relay.close()
            }
        }
        if endsConnections { relay?.forEachConnection { if $0.listener.isClosed { $0.endForGood() } } }
    }

    /// Closes everything.
    func dropAll() { drop(Array(holdings.keys)) }

    /// Those of the keys that there are, in the order of the keys as given, and a duplicate of each kept one.
    func lend(_ keys: [UInt64], _ body: (_ sockets: [HeldSocket], _ numbers: [Int32]) -> Void) {
        var (sockets, numbers): ([HeldSocket], [Int32]) = ([], [])
        for key in keys {
            guard let (socket, holding) = holdings[key] else { continue }
            sockets.append(socket)
            if socket.use == .kept, case .descriptor(let holder) = holding { numbers.append(holder.descriptor.withRawDescriptor { $0 }) }
        }
        // The numbers are held open by the holdings, which do not change meanwhile.
        body(sockets, numbers)
    }

    /// A page of what is held.
    func list(from key: UInt64) -> MonitorAnswer {
        let keys = holdings.keys.filter { $0 >= key }.sorted()
        let page = keys.prefix(HeldSocket.maximumCountPerAnswer)
        return .held(page.compactMap { holdings[$0]?.socket }, hasMore: page.count < keys.count)
    }
}
