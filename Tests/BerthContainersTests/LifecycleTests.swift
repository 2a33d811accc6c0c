import BerthOCI
import Testing

@testable import BerthContainers

private typealias Ended = BerthContainers.ExitStatus

@Suite("A container's life is decided by one value")
struct LifecycleTests {
    /// What a shell that keeps to the decisions has under way, and what must be true because of it.
    private struct Model {
        enum Work { case none, starting, running(Int32), removing, gone }
        var work = Work.none
        var hasRun = false
        var lastExit: Ended?

        var status: ContainerStatus {
            switch work {
            case .running: .running
            case .removing, .gone: .removing
            case .none, .starting: hasRun ? .exited : .created
            }
        }
    }

    @Test("Whatever is asked in whatever order, nothing happens but what may", arguments: 1...40)
    func randomWalk(seed: UInt64) {
        var random = SeededGenerator(state: seed)
        var (life, model) = (Lifecycle(), Model())
        for step in 0..<2000 {
            let exit = Ended(code: Int32(step))
            switch Int.random(in: 0..<8, using: &random) {
            case 0:
                let expected: Lifecycle.StartDecision
                switch model.work {
                case .none: (expected, model.work) = (.start, .starting)
                case .starting: expected = .alreadyStarting
                case .running: expected = .alreadyRunning
                case .removing, .gone: expected = .beingRemoved
                }
                let decision = life.startRequested()
                #expect(decision == expected)
            case 1:
                guard case .starting = model.work else { continue }
                life.started(processID: Int32(step), at: Timestamp(nanoseconds: Int64(step)))
                (model.work, model.hasRun) = (.running(Int32(step)), true)
                #expect(life.startedAt == Timestamp(nanoseconds: Int64(step)))
            case 2:
                guard case .starting = model.work else { continue }
                life.startFailed(exit)
                (model.work, model.lastExit) = (.none, exit)
            case 3, 4:
                // An end may be reported at any time, also of what is known to have ended.
                if case .running = model.work {
                    let hasEnded = life.exited(exit)
                    #expect(hasEnded)
                    (model.work, model.lastExit) = (.none, exit)
                } else {
                    let before = life
                    let hasEnded = life.exited(exit)
                    #expect(!hasEnded)
                    #expect(life == before)
                }
            case 5:
                let force = Bool.random(using: &random)
                let expected: Lifecycle.RemovalDecision
                switch model.work {
                case .none: (expected, model.work) = (.remove, .removing)
                case .starting: expected = .wait
                case .running: expected = force ? .killFirst : .refuseRunning
                case .removing, .gone: expected = .alreadyInProgress
                }
                let decision = life.removalRequested(force: force)
                #expect(decision == expected)
            case 6:
                // A failure that is reported late, when the container is gone, brings nothing back.
                life.removalFailed()
                if case .removing = model.work { model.work = .none }
            default:
                // Seldom, for it ends the walk's interesting part.
                guard case .removing = model.work, step % 7 == 0 else { continue }
                life.removed()
                model.work = .gone
            }
            #expect(life.status == model.status)
            #expect(life.hasRun == model.hasRun)
            #expect(life.lastExit == model.lastExit)
            if case .running(let process) = model.work {
                #expect(life.processID == process && life.isRunning)
            } else {
                #expect(life.processID == nil && !life.isRunning)
            }
            if case .gone = model.work { (life, model) = (Lifecycle(), Model()) }
        }
    }

    @Test("A container that was found ended is one that has run, and can be started again")
    func found() {
        let exit = Ended(code: 3, startedAt: Timestamp(nanoseconds: 1), finishedAt: Timestamp(nanoseconds: 2))
        var life = Lifecycle(endedWith: exit, hasRun: true)
        #expect((life.status, life.lastExit, life.startedAt) == (.exited, exit, Timestamp(nanoseconds: 1)))
        let decision = life.startRequested()
        #expect(decision == .start)
        #expect(life.lastExit == exit, "kept while the next one runs")
    }

    @Test("One that could never be started has never run, with the code that says why")
    func neverStarted() {
        var life = Lifecycle()
        let decision = life.startRequested()
        #expect(decision == .start)
        life.startFailed(Ended(code: 127, reason: "no such file"))
        #expect((life.status, life.lastExit?.code) == (.created, 127))
    }
}
