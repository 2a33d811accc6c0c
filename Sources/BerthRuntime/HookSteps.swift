internal import BerthLaunch
internal import BerthOCI
internal import FoundationEssentials

/// What a specification's hooks are: most are steps of a plan (OCI runtime specification, *POSIX-platform Hooks*).
struct HookSteps {
    /// When the namespaces and all mounts are there, and the root is still the host's.
    private(set) var beforeRoot: [LaunchStep] = []
    /// As the container's process, right before its program.
    private(set) var beforeProgram: [LaunchStep] = []
    /// When the program runs.
    private(set) var afterStart: [LaunchHook] = []
    /// When nothing of the container is left.
    private(set) var afterEnd: [LaunchHook] = []

    /// Whether any is a step of the plan.
    var isEmpty: Bool { beforeRoot.isEmpty && beforeProgram.isEmpty }

    /// How long a hook may take that says nothing of it: whoever starts the container waits for it.
    static let defaultSeconds = 120

    /// - Throws: `invalid` for what is no hook.
    init(of input: LaunchInput) throws(RuntimeError) {
        guard let hooks = input.specification.hooks else { return }
        for (kind, hook) in Self.all("prestart", hooks.prestart) + Self.all("createRuntime", hooks.createRuntime) {
            beforeRoot.append(.hook(try Self.checked(hook, kind, "creating", input, isOutside: true)))
        }
        for (kind, hook) in Self.all("createContainer", hooks.createContainer) {
            beforeRoot.append(.hook(try Self.checked(hook, kind, "creating", input, isOutside: false)))
        }
        for (kind, hook) in Self.all("startContainer", hooks.startContainer) {
            beforeProgram.append(.hook(try Self.checked(hook, kind, "created", input, isOutside: false)))
        }
        for (kind, hook) in Self.all("poststart", hooks.poststart) {
            afterStart.append(try Self.checked(hook, kind, "running", input, isOutside: true))
        }
        for (kind, hook) in Self.all("poststop", hooks.poststop) {
            afterEnd.append(try Self.checked(hook, kind, "stopped", input, isOutside: true))
        }
    }

    private static func all(_ kind: String, _ hooks: [RuntimeSpec.Hook]?) -> [(String, RuntimeSpec.Hook)] {
        (hooks ?? []).map { (kind, $0) }
    }

    private static func checked(
        _ hook: RuntimeSpec.Hook, _ kind: String, _ status: String, _ input: LaunchInput, isOutside: Bool
    ) throws(RuntimeError) -> LaunchHook {
        guard hook.path.hasPrefix("/") else {
            throw RuntimeError(.invalid, "the \(kind) hook '\(hook.path)' needs an absolute path")
        }
        let arguments = hook.args.flatMap { $0.isEmpty ? nil : $0 } ?? [hook.path]
        for text in arguments + (hook.env ?? []) + [hook.path] where text.utf8.contains(0) {
            throw RuntimeError(.invalid, "the \(kind) hook has an argument, a path or a variable with a NUL character")
        }
        guard hook.timeout.map({ (1...86400).contains($0) }) ?? true else {
            throw RuntimeError(
                .invalid, "the \(kind) hook '\(hook.path)' has a time-out of \(hook.timeout ?? 0) seconds: 1 to 86400 can be")
        }
        let state = try state(status, input)
        return LaunchHook(
            name: "\(kind) \(hook.path)", path: hook.path, arguments: arguments, environment: hook.env ?? [],
            stateBeforeProcess: state.before, stateAfterProcess: state.after,
            milliseconds: Int64(hook.timeout ?? defaultSeconds) * 1000, isOutside: isOutside)
    }

    private struct State: Encodable {
        var ociVersion: String
        var id: String
        var status: String
        var bundle: String
        var annotations: [String: String]?
    }

    /// The container's state (OCI runtime specification, *State*), around the process id.
    private static func state(_ status: String, _ input: LaunchInput) throws(RuntimeError) -> (before: String, after: String) {
        let state = State(
            ociVersion: input.specification.ociVersion, id: input.id, status: status, bundle: input.bundle,
            annotations: input.specification.annotations)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do { return (#"{"pid":"#, "," + String(decoding: try encoder.encode(state).dropFirst(), as: UTF8.self)) } catch {
            throw RuntimeError(.invalid, "the state of the container cannot be written for its hooks: \(error)")
        }
    }
}
