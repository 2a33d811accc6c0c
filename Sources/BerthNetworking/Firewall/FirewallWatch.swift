internal import BerthLinux
internal import BerthNetlink
internal import BerthReactor
internal import Synchronization

/// A thread that is told of each change of the rule set, and has somebody look where a change by others may have touched what he minds.
final class FirewallWatch: Sendable {
    /// What the thread and who began it share.
    private let course: Course

    /// The shortest time between two looks: others may change their rules as often as they like.
    private static let shortestPause: Duration = .milliseconds(100)
    /// How long a wait is at most: nothing happens at its end.
    private static let longestWaitMilliseconds: Int32 = 3_600_000

    /// Begins to watch.
    ///
    /// - Parameters:
    ///   - port: that of the socket that makes our own changes.
    ///   - onChange: looks at the table. It is called once at the beginning, for what happened before.
    ///   - onFailure: is told why there is no more watching.
    /// - Throws: `system` where there is no descriptor or no thread for it.
    convenience init(
        _ table: NfTableName, ownPort port: UInt32, in namespace: NamespaceHandle?, onChange: @escaping @Sendable () -> Void,
        onFailure: @escaping @Sendable (String) -> Void
    ) throws(NetworkError) {
        try self.init(
            ownPort: port, in: namespace, concerns: { Course.concerns(table, $0) }, onChange: onChange, onFailure: onFailure)
    }

    /// The same for those messages of others that `concerns` names.
    init(
        ownPort port: UInt32, in namespace: NamespaceHandle?, concerns: @escaping @Sendable (NetlinkMessage) -> Bool,
        onChange: @escaping @Sendable () -> Void, onFailure: @escaping @Sendable (String) -> Void
    ) throws(NetworkError) {
        let subscription: NetlinkSubscription
        do throws(NetlinkError) { subscription = try NetlinkSubscription([.ruleSet], in: namespace) } catch {
            throw NetworkError(firewall: error)
        }
        do throws(Errno) {
            let course = Course(subscription, try Interruption())
            try startThread {
                do throws(NetlinkError) {
                    try course.run(port, concerns, onChange)
                } catch {
                    onFailure(error.description)
                }
            }
            self.course = course
        } catch {
            throw NetworkError(.system, "cannot watch the firewall: \(error)")
        }
    }

    /// Ends the watch; the thread goes by itself.
    func end() { course.interruption.signal() }

    private final class Course: Sendable {
        let interruption: Interruption
        private let place: Mutex<NetlinkSubscription?>

        init(_ subscription: consuming NetlinkSubscription, _ interruption: consuming Interruption) {
            self.interruption = interruption
            place = Mutex(subscription)
        }

        func run(
            _ port: UInt32, _ concerns: (NetlinkMessage) -> Bool, _ onChange: () -> Void
        ) throws(NetlinkError) {
            guard var subscription = place.withLock({ $0.take() }) else { return }
            let clock = ContinuousClock()
            var (mayBeOtherwise, nextLook) = (true, clock.now)
            while true {
                let left = clock.now.duration(to: nextLook)
                if mayBeOtherwise, left <= .zero {
                    onChange()
                    (mayBeOtherwise, nextLook) = (false, clock.now + FirewallWatch.shortestPause)
                    continue
                }
                let milliseconds = mayBeOtherwise ? left.wholeMilliseconds : FirewallWatch.longestWaitMilliseconds
                switch try subscription.next(withinMilliseconds: milliseconds, orUntil: interruption) {
                case .messages(let messages):
                    if messages.contains(where: { $0.port != port && concerns($0) }) { mayBeOtherwise = true }
                case .someWereLost: mayBeOtherwise = true
                case .nothing: break
                case .interrupted: return
                }
            }
        }

        /// Whether a message may be about our table. Of what is in tables, the family is all that is told.
        static func concerns(_ table: NfTableName, _ message: NetlinkMessage) -> Bool {
            do throws(NetlinkDecodingError) {
                switch try RuleSetChange(message) {
                case .table(let other), .tableRemoved(let other): return other.id == table
                case .content(let family): return family == table.family
                case .generation, nil: return false
                }
            } catch {
                // What cannot be read may be anything.
                return true
            }
        }
    }
}

extension Duration {
    /// Rounded up, at least one.
    fileprivate var wholeMilliseconds: Int32 {
        let (seconds, attoseconds) = components
        return Int32(clamping: max(1, seconds * 1000 + attoseconds / 1_000_000_000_000_000 + 1))
    }
}
