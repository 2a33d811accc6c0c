internal import BerthMonitor

/// One per container, started by an engine with its connection as descriptor 3.
@main struct Program {
    static func main() {
        MonitorProgram.run()
    }
}
