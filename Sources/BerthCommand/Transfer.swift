internal import BerthAPI
internal import BerthClient
internal import BerthCommandLine
internal import BerthOCI
internal import DockerAPI
internal import Glibc

/// A pull or a push that is followed on a standard stream.
enum Transfer {
    /// Shows a progress stream until it ends; a failure is thrown.
    ///
    /// - Parameters:
    ///   - stream: where it is shown; `nil` for nowhere.
    ///   - result: given each document that the daemon says came of it.
    static func show(_ answer: inout ResponseBody, on stream: CInt?, result: (JSONTree) throws -> Void = { _ in }) throws {
        let isTerminal = stream.map(Terminal.isTerminal) ?? false
        var display = TransferDisplay(isTerminal ? .terminal(columns: Int(Terminal.size()?.columns ?? 80)) : .plain)
        try JSONLines.each(&answer) { line in
            if let error = line["errorDetail"]?["message"]?.text ?? line["error"]?.text { throw Failure(error) }
            if let document = line["aux"] { return try result(document) }
            guard let stream else { return }
            let text = display.text(for: line, at: Self.milliseconds)
            if !text.isEmpty { try Output.write(Array(text.utf8)[...], to: stream) }
        }
    }

    /// The time, of a clock that only goes on.
    static var milliseconds: Int64 {
        var now = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &now)
        return Int64(now.tv_sec) * 1000 + Int64(now.tv_nsec) / 1_000_000
    }

    /// Docker's content trust is not here: to ask for it is a mistake, not to ask for it is what is done.
    static func requireNoTrust(_ isDisabled: Bool) throws(Failure) {
        if !isDisabled {
            throw Failure("--disable-content-trust=false is not available: nothing is signed, and no signature is looked at.")
        }
    }

    /// A name as Docker's client reads it.
    static func reference(_ text: String) throws(Failure) -> ImageReference {
        do throws(ImageReference.ParseError) { return try ImageReference(parsing: text) } catch { throw Failure(error.description) }
    }

    /// What a request says of who is asking.
    static func headers(for reference: ImageReference) throws -> [(String, String)] {
        guard let auth = try Logins.auth(for: reference.registry) else { return [] }
        return [("X-Registry-Auth", auth.header)]
    }

    /// Pulls an image, and shows that.
    ///
    /// - Parameter stream: where; `nil` for nowhere.
    static func pull(
        _ reference: ImageReference, allTags: Bool = false, platform: String?, _ daemon: Daemon, on stream: CInt?
    ) throws {
        let asked = allTags ? "" : reference.digest?.description ?? reference.tag ?? "latest"
        let query = [("fromImage", reference.familiarName), ("tag", asked)] + (platform.map { [("platform", $0)] } ?? [])
        var answer = try daemon.open("POST", "/images/create", query: query, headers: try headers(for: reference))
        try show(&answer, on: stream)
    }
}
