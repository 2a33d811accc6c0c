internal import BerthLinux
internal import BerthOCI
internal import BerthReactor
internal import BerthRuntime
internal import Synchronization

/// The followers of one container's statistics, and the one task that reads for all of them while there are any.
final class StatisticsHub: Sendable {
    private struct State {
        var followers: [UInt64: AsyncStream<ContainerStatistics>.Continuation] = [:]
        var lastNumber: UInt64 = 0
        var isReading = false
    }
    private let state = Mutex(State())

    /// How often is read.
    static var interval: Duration { .seconds(1) }

    /// How many follow, for tests.
    var followerCount: Int { state.withLock { $0.followers.count } }

    func follow(in store: ContainerStore, _ object: ContainerObject) -> AsyncStream<ContainerStatistics> {
        let (stream, continuation) = AsyncStream.makeStream(of: ContainerStatistics.self, bufferingPolicy: .bufferingNewest(1))
        let (number, begins) = state.withLock { state in
            state.lastNumber += 1
            state.followers[state.lastNumber] = continuation
            defer { state.isReading = true }
            return (state.lastNumber, !state.isReading)
        }
        continuation.onTermination = { [weak self] _ in _ = self?.state.withLock { $0.followers.removeValue(forKey: number) } }
        if begins { Task.detached { [self, weak store] in await read(for: object, in: store) } }
        return stream
    }

    private func read(for object: ContainerObject, in store: ContainerStore?) async {
        while let store {
            // One that is removed has no more; what could not be read now is read in a second.
            let isGone = object.state.withLock { $0.lifecycle.phase == .removed }
            let reading = isGone ? nil : try? await store.statistics(of: object)
            let followers = state.withLock { state in
                if isGone || state.followers.isEmpty { state.isReading = false }
                return (state.isReading, Array(state.followers.values))
            }
            if let reading { for follower in followers.1 { follower.yield(reading) } }
            guard followers.0 else {
                for follower in followers.1 { follower.finish() }
                return
            }
            do throws(ReactorError) { try await store.services.reactor.sleep(for: Self.interval) } catch { break }
        }
        // The engine is closed.
        let left = state.withLock { state in
            state.isReading = false
            return Array(state.followers.values)
        }
        for follower in left { follower.finish() }
    }
}

extension ContainerStore {
    func statistics(of object: ContainerObject) async throws(ContainerError) -> ContainerStatistics {
        let (name, process) = object.state.withLock { ($0.document.name, $0.process) }
        var statistics = ContainerStatistics(id: object.id, name: name)
        guard let process else { return statistics }
        let (runtime, sharesHost) = (services.runtime, object.document.configuration.network == .host)
        statistics.counts = try await object.lane.run { () throws(ContainerError) -> ContainerStatistics.Counts? in
            do throws(Errno) {
                return ContainerStatistics.Counts(
                    readAt: .now, group: try runtime.cgroups.read("\(runtime.cgroupParent)/\(object.id)"),
                    machineProcessorTime: try MachineReading.processorTime(), processorCount: HostFile.processorCount(),
                    interfaces: sharesHost ? nil : try MachineReading.interfaces(ofProcess: process.processID).filter { $0.name != "lo" })
            } catch {
                // It has just ended.
                if error == .ENOENT || error == .ESRCH || error == .EINVAL { return nil }
                throw .storage("cannot read what container \(object.shortID) uses", error)
            }
        }
        return statistics
    }
}
