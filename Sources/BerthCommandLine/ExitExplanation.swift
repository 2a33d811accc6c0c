public import BerthClient

/// Why a container is as it is, in words, by what the daemon says of it.
public enum ExitExplanation {
    /// A signal's name and what it mostly means.
    private static let signals: [Int64: (name: String, meaning: String)] = [
        1: ("SIGHUP", "its terminal has gone"), 2: ("SIGINT", "somebody pressed Ctrl-C"), 3: ("SIGQUIT", "somebody pressed Ctrl-\\"),
        4: ("SIGILL", "the program has an instruction that this processor does not know"), 6: ("SIGABRT", "the program gave up by itself"),
        7: ("SIGBUS", "the program used memory that is not there, or a file that became shorter"),
        8: ("SIGFPE", "the program divided by zero"), 9: ("SIGKILL", "somebody killed it: nobody can ignore that"),
        11: ("SIGSEGV", "the program used memory that is not its own"), 13: ("SIGPIPE", "whoever read its output has gone"),
        14: ("SIGALRM", "a timer of its own"), 15: ("SIGTERM", "it was asked to end, as by stop"),
        24: ("SIGXCPU", "it has used the time that it may use"), 25: ("SIGXFSZ", "it wrote a file larger than it may"),
        31: ("SIGSYS", "it made a system call that it may not make"),
    ]

    /// One sentence: what it is in.
    public static func headline(_ container: JSONTree) -> String {
        let name = String((container["Name"]?.text ?? "").drop { $0 == "/" })
        let state = container["State"]
        let code = state?["ExitCode"]?.integer ?? 0
        switch state?["Status"]?.text {
        case "running": return "\(name) runs."
        case "paused": return "\(name) stands still: it was paused."
        case "restarting": return "\(name) is about to be started again; it ended with exit code \(code)."
        case "created":
            return state?["Error"]?.text.map { !$0.isEmpty } == true
                ? "\(name) could not be started." : "\(name) has never been started: berth start \(name)"
        case "dead", "removing": return "\(name) is being removed."
        default:
            return "\(name) has ended with exit code \(code): \(meaning(of: code, outOfMemory: state?["OOMKilled"]?.boolean ?? false))."
        }
    }

    /// What an exit code means.
    public static func meaning(of code: Int64, outOfMemory: Bool) -> String {
        if outOfMemory { return "the kernel killed it for want of memory" }
        switch code {
        case 0: return "all went well"
        case 125: return "the container could not be made, or the program says so itself"
        case 126: return "the command is there, and cannot be executed"
        case 127: return "the command was not found"
        case 128: return "the container could not be started"
        case 129...192:
            guard let signal = signals[code - 128] else { return "signal \(code - 128) ended it" }
            return "\(signal.name) ended it: \(signal.meaning)"
        case 1: return "the program says that something went wrong"
        case 2: return "the program says that it was called wrongly, or something went wrong"
        default: return "the program's own number"
        }
    }

    /// What can be tried.
    public static func advice(_ container: JSONTree) -> String? {
        let state = container["State"]
        let code = state?["ExitCode"]?.integer ?? 0
        let name = String((container["Name"]?.text ?? "").drop { $0 == "/" })
        if state?["OOMKilled"]?.boolean == true {
            return "Give it more than the \(container["HostConfig"]?["Memory"]?.integer ?? 0) bytes of --memory, or make it use less."
        }
        guard state?["Status"]?.text == "exited" else { return nil }
        switch code {
        case 137: return "Who needs longer to end than stop waits is killed: berth stop -t SECONDS."
        case 139, 134, 135, 132: return "It is the program's own mistake, or it is not made for this processor."
        case 0 where container["Config"]?["Tty"]?.boolean != true && container["Config"]?["OpenStdin"]?.boolean != true:
            let words = (container["Path"]?.text ?? "").split(separator: "/").last
            return ["sh", "bash", "ash", "dash"].contains(words) && (container["Args"]?.elements ?? []).isEmpty
                ? "A shell without input has nothing to do: berth run -it, or berth start -ai \(name) for one that was made so." : nil
        default: return nil
        }
    }
}
