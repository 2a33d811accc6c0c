internal import BerthLinux

/// The clock, and chance: a test has its own.
struct Timing: Sendable {
    /// A clock that only goes forward, in nanoseconds.
    var monotonic: @Sendable () -> Int64 = { monotonicNanoseconds() }
    /// The clock on the wall, in seconds since 1970.
    var wall: @Sendable () -> Int64 = { realtimeNanoseconds() / 1_000_000_000 }
    /// Ends early, with an error, when the task is cancelled.
    var sleep: @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }
    /// From 0 up to 1.
    var random: @Sendable () -> Double = { Double.random(in: 0..<1) }
}
