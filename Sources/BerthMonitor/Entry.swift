/// The entry that the start-up hook of `CBerth` looks for: with it, a program that links this room is its own monitor.
@c(berth_monitor_entry)
public func monitorEntry() { MonitorProgram.run() }
