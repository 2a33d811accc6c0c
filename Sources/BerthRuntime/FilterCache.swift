internal import BerthOCI

/// Filters of system calls as the kernel takes them, each compiled once.
final class FilterCache: Sendable {
    /// The program for a filter; `nil` for none.
    func filter(for seccomp: RuntimeSpec.Seccomp?) throws(RuntimeError) -> [UInt8]? {
        guard seccomp == nil else { throw RuntimeError(.unsupported, "filters of system calls are not supported yet") }
        return nil
    }
}
