internal import BerthLinux
internal import BerthOCI
internal import Synchronization

/// Something that has happened to an object of the engine's.
public struct Event: Hashable, Sendable, Codable {
    /// The kind of object: `container`, `image`, `network`, `volume`, `daemon`.
    public var type: String
    /// What happened: `create`, `start`, `die` ….
    public var action: String
    /// The object.
    public var actorID: String
    /// Facts about it.
    public var attributes: [String: String]
    /// Nanoseconds since 1970. Two events of one engine never have the same.
    public var time: Int64

    /// An event of now; the hub makes the time unique.
    public init(type: String, action: String, actorID: String, attributes: [String: String] = [:]) {
        (self.type, self.action, self.actorID, self.attributes) = (type, action, actorID, attributes)
        time = realtimeNanoseconds()
    }
}

/// Tells subscribers what happens, and the latest 1,024 events to those who come late.
///
/// Publishing never waits for a subscriber: one that has 4,096 events unread gets the error `slowReader` instead of a gap it does not know of.
public final class EventHub: Sendable {
    /// How many past events are kept.
    public static let replayLimit = 1024

    private struct State {
        var ring: [Event] = []
        var lastTime: Int64 = 0
        var subscribers: [UInt64: AsyncThrowingStream<Event, any Error>.Continuation] = [:]
        var lastID: UInt64 = 0
    }
    private let state = Mutex(State())

    /// A hub at which nothing has happened.
    public init() {}

    /// Tells everybody. The event's time is moved on by a nanosecond where another has it.
    public func publish(_ event: Event) {
        state.withLock { state in
            var event = event
            event.time = max(event.time, state.lastTime + 1)
            state.lastTime = event.time
            state.ring.append(event)
            if state.ring.count > Self.replayLimit { state.ring.removeFirst(state.ring.count - Self.replayLimit) }
            for (id, subscriber) in state.subscribers {
                if case .dropped = subscriber.yield(event) {
                    subscriber.finish(throwing: StateError(.slowReader, "events came faster than they were read: 4096 are unread"))
                    state.subscribers[id] = nil
                }
            }
        }
    }

    /// How many read what happens.
    public var subscriberCount: Int { state.withLock { $0.subscribers.count } }

    /// The latest events, and from now on those that come.
    ///
    /// - Parameters:
    ///   - since: nanoseconds since 1970; kept events from then on come first. `nil`: only what is new.
    ///   - until: nanoseconds since 1970; the sequence ends then. If that is not later than now, kept events are all that there is.
    public func subscribe(since: Int64? = nil, until: Int64? = nil) -> AsyncThrowingStream<Event, any Error> {
        let (stream, continuation) = AsyncThrowingStream<Event, any Error>.makeStream(bufferingPolicy: .bufferingOldest(4096))
        state.withLock { state in
            if let since { for event in state.ring where event.time >= since && event.time <= until ?? .max { continuation.yield(event) } }
            if let until, until <= realtimeNanoseconds() { return continuation.finish() }
            state.lastID += 1
            let id = state.lastID
            state.subscribers[id] = continuation
            let clock = until.map { until in
                Task {
                    // A subscriber that has gone cancels it.
                    do { try await Task.sleep(for: .nanoseconds(until - realtimeNanoseconds())) } catch { return }
                    continuation.finish()
                }
            }
            continuation.onTermination = { [weak self] _ in
                clock?.cancel()
                // Not within `publish`, which holds the lock when a subscriber is too slow.
                Task { self?.state.withLock { $0.subscribers[id] = nil } }
            }
        }
        return stream
    }
}
