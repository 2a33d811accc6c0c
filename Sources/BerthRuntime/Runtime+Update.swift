internal import BerthLaunch
internal import BerthLinux
public import BerthOCI

// Limits of what runs already.
extension Runtime {
    /// Gives a running container other limits. All of them are in force when this returns, or, on failure, those from before. Blocks.
    ///
    /// - Parameters:
    ///   - former: what it has now.
    ///   - resources: what it is to have. What these say the same is not written again.
    /// - Throws: `invalid` for memory below what is in use and cannot be taken back, in the words of Docker's runtime, and for what the kernel takes for
    ///   nonsense; `notRunning`; `unsupported` for a limit that this kernel does not have; `system`.
    public func update(id: String, from former: RuntimeSpec.Resources, to resources: RuntimeSpec.Resources) throws(RuntimeError) {
        let old = Dictionary(try limits(id, former)) { $1 }
        let wanted = try limits(id, resources).filter { old[$0.path] != $0.value }
        if wanted.isEmpty { return }
        if cgroups.version == 2, let limit = resources.memory?.limit, limit > 0, limit != former.memory?.limit {
            // Version 2 would kill for it.
            let use = memoryUse(of: id)
            if use.unreclaimable > limit { throw Self.belowUse(limit, use) }
        }
        var written: [(path: String, value: String)] = []
        do throws(LimitFailure) { try write(wanted, over: old, &written) } catch {
            let left = Self.restore(written)
            if error.errno == .EBUSY, let limit = resources.memory?.limit, error.path.contains("/memory.") {
                throw Self.belowUse(limit, memoryUse(of: id)).with(left)
            }
            throw told(error, id).with(left)
        }
    }

    /// What was is better than what half is.
    ///
    /// - Returns: what could not be written back, a sentence each.
    private static func restore(_ written: [(path: String, value: String)]) -> [String] {
        var left: [String] = []
        for (path, value) in written.reversed() {
            do throws(Errno) { try HostFile.write(value, to: path) } catch { left.append("\(path) could not be set back: \(error)") }
        }
        return left
    }

    private struct LimitFailure: Error {
        let path: String
        let errno: Errno
    }

    private func limits(_ id: String, _ resources: RuntimeSpec.Resources) throws(RuntimeError) -> [(path: String, value: String)] {
        var specification = RuntimeSpec()
        specification.linux = RuntimeSpec.Linux()
        specification.linux?.resources = resources
        return LaunchPlan.limits(try input(id: id, specification, hasInput: false))
    }

    /// Some limits bound each other: which of them has to be first depends on what they are. What the kernel does not take is tried again after the others.
    ///
    /// - Parameters:
    ///   - asked: what was asked for before; where that is nothing, it is what the kernel says.
    ///   - written: what was written over.
    private func write(
        _ limits: [(path: String, value: String)], over asked: [String: String], _ written: inout [(path: String, value: String)]
    ) throws(LimitFailure) {
        var left = limits
        while !left.isEmpty {
            var refused: [(path: String, value: String)] = []
            var first: LimitFailure?
            for (path, value) in left {
                do throws(Errno) {
                    let former = String(decoding: try HostFile.read(path, limit: 4096), as: UTF8.self)
                    try HostFile.write(value, to: path)
                    // Some files say more than they take: a line for each device behind the first.
                    written.append((path, asked[path] ?? former.split(separator: "\n").first.map(String.init) ?? ""))
                } catch {
                    let failure = LimitFailure(path: path, errno: error)
                    guard error == .EINVAL else { throw failure }
                    first = first ?? failure
                    refused.append((path, value))
                }
            }
            if let first, refused.count == left.count { throw first }
            left = refused
        }
    }

    private func told(_ failure: LimitFailure, _ id: String) -> RuntimeError {
        let file = failure.path.split(separator: "/").last.map(String.init) ?? failure.path
        switch failure.errno {
        case .ENOENT where hasProcesses(of: id):
            return RuntimeError(.unsupported, "this kernel has no '\(file)' to set", underlying: failure.errno)
        case .ENOENT, .ENODEV: return RuntimeError(.notRunning, "the container is not running", underlying: failure.errno)
        case .EINVAL, .ERANGE:
            return RuntimeError(.invalid, "failed to write \(file): the kernel takes it for no limit", underlying: failure.errno)
        default: return .system("failed to write \(file)", failure.errno)
        }
    }

    private static func belowUse(_ limit: Int64, _ use: (current: Int64, peak: Int64, unreclaimable: Int64)) -> RuntimeError {
        RuntimeError(
            .invalid, "unable to set memory limit to \(limit) (current usage: \(use.current), peak usage: \(use.peak))", underlying: .EBUSY)
    }

    /// What cannot be read is 0: then the kernel decides.
    private func memoryUse(of id: String) -> (current: Int64, peak: Int64, unreclaimable: Int64) {
        let group = "\(cgroupParent)/\(id)"
        let directory = cgroups.version == 1 ? cgroups.directory(of: "memory", group) : cgroups.unified.map { "\($0)/\(group)" }
        func text(_ name: String) -> String {
            guard let directory, let bytes = try? HostFile.read("\(directory)/\(name)", limit: 64 << 10) else { return "" }
            return String(decoding: bytes, as: UTF8.self)
        }
        func number(_ name: String) -> Int64 { Int64(text(name).split(separator: "\n").first ?? "") ?? 0 }
        if cgroups.version == 1 {
            let current = number("memory.usage_in_bytes")
            return (current, number("memory.max_usage_in_bytes"), current)
        }
        var files: Int64 = 0
        for line in text("memory.stat").split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.count == 2, words[0] == "active_file" || words[0] == "inactive_file" { files += Int64(words[1]) ?? 0 }
        }
        let current = number("memory.current")
        return (current, number("memory.peak"), max(0, current - files))
    }
}
