internal import BerthLinux
internal import Glibc

/// What the program `berth-monitor` does, for it and for a program that is executed again as its own monitor.
public enum MonitorProgram {
    /// Runs the monitor on descriptor 3 and ends the process. Without one, as when somebody types its name, says what it is.
    public static func run() -> Never {
        guard fcntl(3, F_GETFD) >= 0 else {
            let text = "berth-monitor is started by a Berth engine, one for each container; it is no command to be typed.\n"
            _ = unsafe write(2, text, text.utf8.count)
            exit(2)
        }
        exit(Monitor.run(engine: OwnedDescriptor(adopting: 3)))
    }
}
