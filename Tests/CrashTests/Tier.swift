import Foundation
import Testing

// A script of SystemCallSeam counts the calls of the whole process, so these suites run alone: Tests/run starts them in
// a process of their own, one test at a time.
extension Trait where Self == ConditionTrait {
    /// Enabled where `BERTH_TIER` names `crash`, as `Tests/run` sets it.
    static var crashTier: Self {
        .enabled("run by Tests/run in a process of its own: BERTH_TIER=crash") {
            ProcessInfo.processInfo.environment["BERTH_TIER"]?.split(separator: ",").contains("crash") ?? false
        }
    }
}
