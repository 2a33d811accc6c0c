internal import BerthLinux
internal import Glibc

/// The signals that a container may be meant to get.
enum ForwardedSignals {
    /// Everything that Docker hands on, besides the real-time signals.
    private static let named: [(number: CInt, name: String)] = [
        (SIGHUP, "HUP"), (SIGINT, "INT"), (SIGQUIT, "QUIT"), (SIGUSR1, "USR1"), (SIGUSR2, "USR2"), (SIGALRM, "ALRM"), (SIGTERM, "TERM"),
        (SIGTSTP, "TSTP"), (SIGCONT, "CONT"), (SIGVTALRM, "VTALRM"), (SIGPROF, "PROF"), (SIGPWR, "PWR"), (SIGIO, "IO"),
    ]

    /// Takes the signals.
    ///
    /// - Parameters:
    ///   - forwarding: whether to take those that a container may be meant to get.
    ///   - resizing: whether to take the terminal's changes of size.
    static func queue(forwarding: Bool, resizing: Bool) throws(Failure) -> SignalQueue {
        // The C library keeps 32 to 34 for itself.
        let forwarded = forwarding ? named.map(\.number) + (35...64).map { CInt($0) } : []
        do { return try SignalQueue(forwarded + (resizing ? [SIGWINCH] : [])) } catch { throw Failure("signals cannot be taken: \(error)") }
    }

    /// A signal as the daemon takes it.
    static func name(_ number: CInt) -> String { named.first { $0.number == number }?.name ?? String(number) }
}
