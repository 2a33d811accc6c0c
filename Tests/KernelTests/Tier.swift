import Foundation
import Testing

extension Trait where Self == ConditionTrait {
    /// Enabled where `BERTH_TIER` names `kernel`, as `Tests/run` sets it. Then root is required, and its absence a failure.
    static var kernelTier: Self {
        .enabled("needs root, in namespaces of its own: BERTH_TIER=kernel Tests/run") {
            guard ProcessInfo.processInfo.environment["BERTH_TIER"]?.split(separator: ",").contains("kernel") ?? false else { return false }
            guard getuid() == 0 else { throw KernelTierNeedsRoot() }
            return true
        }
    }
}

struct KernelTierNeedsRoot: Error, CustomStringConvertible {
    var description: String { "the kernel tier was asked for and needs root; this is user \(getuid())" }
}
