internal import Glibc

/// A size of a terminal in characters.
struct TerminalSize: Equatable {
    var rows: UInt16
    var columns: UInt16
}

/// The terminal that the program was started in.
enum Terminal {
    /// Whether a standard stream is a terminal.
    static func isTerminal(_ stream: CInt) -> Bool { isatty(stream) == 1 }

    /// The terminal's size by standard output; `nil` where that is none, or says nothing.
    static func size() -> TerminalSize? {
        var size = winsize()
        guard unsafe ioctl(1, UInt(TIOCGWINSZ), &size) == 0, size.ws_row > 0, size.ws_col > 0 else { return nil }
        return TerminalSize(rows: size.ws_row, columns: size.ws_col)
    }
}

/// A terminal on standard input that hands every key on as it is, until this value goes.
struct RawTerminal: ~Copyable {
    private var before: termios

    /// `nil` where standard input is no terminal.
    init?() {
        var state = termios()
        guard unsafe tcgetattr(0, &state) == 0 else { return nil }
        before = state
        unsafe cfmakeraw(&state)
        unsafe tcsetattr(0, TCSANOW, &state)
    }

    deinit {
        var state = before
        unsafe tcsetattr(0, TCSANOW, &state)
    }
}
