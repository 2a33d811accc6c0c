import BerthOCI
import Testing

@testable import BerthContainers

private typealias Ended = BerthContainers.ExitStatus

@Suite("A container's life is decided by one value")
struct LifecycleTests {
    /// What a shell that keeps to the decisions has under way, and what must be true because of it.
    private struct Model {
        enum Work: Equatable { case none, starting(again: Bool), running(Int32), paused(Int32), restarting, removing, gone }
        var work = Work.none
        var hasRun = false
        var lastExit: Ended?

        var status: ContainerStatus {
            switch work {
            case .running: .running
            case .paused: .paused
            case .restarting, .starting(again: true): .restarting
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
            switch Int.random(in: 0..<12, using: &random) {
            case 0:
                let expected: Lifecycle.StartDecision
                switch model.work {
                case .none: (expected, model.work) = (.start, .starting(again: false))
                case .starting: expected = .alreadyStarting
                case .running, .restarting: expected = .alreadyRunning
                case .paused: expected = .isPaused
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
                if life.isRunning {
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
                case .running, .paused: expected = force ? .killFirst : .refuse
                case .restarting: expected = force ? .cancelRestartFirst : .refuse
                case .removing, .gone: expected = .alreadyInProgress
                }
                let decision = life.removalRequested(force: force)
                #expect(decision == expected)
            case 6:
                // A failure that is reported late, when the container is gone, brings nothing back.
                life.removalFailed()
                if case .removing = model.work { model.work = .none }
            case 7:
                let waits = life.awaitRestart()
                #expect(waits == (model.work == .none))
                if waits { model.work = .restarting }
            case 8:
                let isDue = life.restartDue()
                #expect(isDue == (model.work == .restarting))
                if isDue { model.work = .starting(again: true) }
            case 9:
                let isCancelled = life.restartCancelled()
                #expect(isCancelled == (model.work == .restarting))
                if isCancelled { model.work = .none }
            case 10:
                if case .running(let process) = model.work {
                    let stands = life.paused()
                    #expect(stands)
                    model.work = .paused(process)
                } else if case .paused(let process) = model.work {
                    let moves = life.unpaused()
                    #expect(moves)
                    model.work = .running(process)
                } else {
                    let before = life
                    let changes = (life.paused(), life.unpaused())
                    #expect(changes == (false, false) && life == before)
                }
            default:
                // Seldom, for it ends the walk's interesting part.
                guard case .removing = model.work, step % 7 == 0 else { continue }
                life.removed()
                model.work = .gone
            }
            #expect(life.status == model.status)
            #expect(life.hasRun == model.hasRun)
            #expect(life.lastExit == model.lastExit)
            switch model.work {
            case .running(let process), .paused(let process):
                #expect(life.processID == process && life.isRunning && life.isActive)
                #expect(life.isPaused == (life.status == .paused))
            default:
                #expect(life.processID == nil && !life.isRunning)
                #expect(life.isActive == (life.status == .restarting))
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
