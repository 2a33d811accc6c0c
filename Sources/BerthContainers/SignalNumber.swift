/// A signal, from what Docker's users write: `KILL`, `SIGKILL`, `sigkill`, `9`, `RTMIN+3`.
struct SignalNumber: Hashable, Sendable {
    let rawValue: Int32

    static var kill: SignalNumber { SignalNumber(rawValue: 9) }
    static var terminate: SignalNumber { SignalNumber(rawValue: 15) }

    private init(rawValue: Int32) { self.rawValue = rawValue }

    // Linux on x86-64 and arm64; the C library keeps 32 and 33 to itself, so that the first real-time signal is 34.
    private static let names: [String: Int32] = [
        "HUP": 1, "INT": 2, "QUIT": 3, "ILL": 4, "TRAP": 5, "ABRT": 6, "IOT": 6, "BUS": 7, "FPE": 8, "KILL": 9, "USR1": 10, "SEGV": 11,
        "USR2": 12, "PIPE": 13, "ALRM": 14, "TERM": 15, "STKFLT": 16, "CHLD": 17, "CLD": 17, "CONT": 18, "STOP": 19, "TSTP": 20, "TTIN": 21,
        "TTOU": 22, "URG": 23, "XCPU": 24, "XFSZ": 25, "VTALRM": 26, "PROF": 27, "WINCH": 28, "IO": 29, "POLL": 29, "PWR": 30, "SYS": 31,
        "RTMIN": 34, "RTMAX": 64,
    ]

    /// Parses a name or a number.
    ///
    /// - Throws: `invalid` in Docker's words for anything that is no signal.
    init(parsing text: String) throws(ContainerError) {
        if let number = Int32(text) {
            guard (1...64).contains(number) else { throw Self.invalid(text) }
            rawValue = number
            return
        }
        var name = text.uppercased()
        if name.hasPrefix("SIG") { name.removeFirst(3) }
        if let number = Self.names[name] {
            rawValue = number
        } else if name.hasPrefix("RTMIN+"), let offset = Self.offset(name.dropFirst(6)), offset <= 15 {
            rawValue = 34 + offset
        } else if name.hasPrefix("RTMAX-"), let offset = Self.offset(name.dropFirst(6)), offset <= 14 {
            rawValue = 64 - offset
        } else {
            throw Self.invalid(text)
        }
    }

    /// A number from 1 on, in digits alone.
    private static func offset(_ text: Substring) -> Int32? {
        guard (1...2).contains(text.utf8.count), text.utf8.first != UInt8(ascii: "0"), text.utf8.allSatisfy({ (48...57).contains($0) })
        else { return nil }
        return Int32(text)
    }

    private static func invalid(_ text: String) -> ContainerError { ContainerError(.invalid, "Invalid signal: \(text)") }
}
