internal import BerthLinux
internal import BerthNetlink
internal import BerthReactor
internal import Synchronization

/// A thread that is told of each change of the host's interfaces and routes, and has somebody look when the changes pause.
final class HostWatch: Sendable {
    private let interruption: Interruption
    private let subscription: Mutex<NetlinkSubscription?>

    /// How long changes are gathered before somebody looks: each start of a container makes several.
    private static let pause: Int32 = 250
    /// How long a wait is at most: nothing happens at its end.
    private static let longestWaitMilliseconds: Int32 = 3_600_000

    /// Begins to watch.
    ///
    /// - Parameters:
    ///   - onChange: looks. It may block.
    ///   - onFailure: is told why there is no more watching.
    /// - Throws: `system` where there is no descriptor or no thread for it.
    init(onChange: @escaping @Sendable () -> Void, onFailure: @escaping @Sendable (String) -> Void) throws(NetworkError) {
        do throws(NetlinkError) { subscription = Mutex(try NetlinkSubscription([.links, .addresses, .routes])) } catch {
            throw NetworkError(error)
        }
        do throws(Errno) {
            interruption = try Interruption()
            try startThread { [self] in
                do throws(NetlinkError) { try run(onChange) } catch {
                    onFailure("changes of the host's network are not seen any more: \(error)")
                }
            }
        } catch { throw NetworkError(.system, "cannot watch the host's network: \(error)") }
    }

    /// Ends the watch; the thread goes by itself.
    func end() { interruption.signal() }

    private func run(_ onChange: () -> Void) throws(NetlinkError) {
        guard var subscription = subscription.withLock({ $0.take() }) else { return }
        var hasChanged = false
        while true {
            let milliseconds = hasChanged ? Self.pause : Self.longestWaitMilliseconds
            switch try subscription.next(withinMilliseconds: milliseconds, orUntil: interruption) {
            case .messages(let messages): hasChanged = hasChanged || messages.contains(where: Self.isOfInterest)
            case .someWereLost: hasChanged = true
            case .nothing:
                if hasChanged { onChange() }
                hasChanged = false
            case .interrupted: return
            }
        }
    }

    /// Whether it may be about an interface by which the outside comes, or a route to elsewhere. Ports of bridges are neither.
    private static func isOfInterest(_ message: NetlinkMessage) -> Bool {
        do throws(NetlinkDecodingError) {
            switch try RouteChange(message) {
            case .link(let link): return link.master == nil && !link.isLoopback
            case .route(let route): return route.table == Route.mainTable && route.destination.length > 0
            case .address(let address): return address.scope == 0
            case .linkRemoved, .addressRemoved, .routeRemoved, nil: return false
            }
        } catch {
            // What cannot be read may be anything.
            return true
        }
    }
}
