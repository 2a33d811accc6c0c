internal import BerthLaunch

/// The entry that the start-up hook of `CBerth` looks for: with it, a program that links this room speaks TLS for the monitors of its containers' logs.
@c(berth_relay_entry)
public func relayEntry(_ count: CInt, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) {
    let words = unsafe UnsafeBufferPointer(start: arguments, count: Int(count)).compactMap { word in
        unsafe word.map { unsafe String(cString: $0) }
    }
    LogRelayProgram.run(Array(words.dropFirst()))
}
