internal import BerthClient
internal import BerthCommandLine

/// A command's end that is not a success: what is said, and with what the program ends.
struct Failure: Error {
    /// What is printed to standard error; empty for nothing.
    var message: String
    /// The exit status.
    var status: Int32

    init(_ message: String, status: Int32 = 1) { (self.message, self.status) = (message, status) }

    /// A program that only reports another's exit status.
    static func quiet(_ status: Int32) -> Failure { Failure("", status: status) }

    init(_ error: any Error) {
        switch error {
        case let error as Failure: self = error
        case let error as CommandLineError: self.init(error.description, status: error.exitStatus)
        default: self.init("\(error)")
        }
    }
}

/// What went wrong with each of several objects: Docker goes on with the next, and reports all at the end.
struct Failures {
    private var messages: [String] = []

    /// Does one thing; a failure is kept for the end.
    mutating func attempt(_ body: () throws -> Void) {
        do { try body() } catch { messages.append(Failure(error).message) }
    }

    /// Throws if anything failed.
    func report() throws(Failure) {
        if !messages.isEmpty { throw Failure(messages.joined(separator: "\n")) }
    }
}
