// What `import Berth` shows: the engine and every room whose types it hands out. Linking it also links the monitor, so that a program that uses it can
// be its own.
@_exported import BerthArchive
@_exported import BerthContainers
@_exported import BerthContent
@_exported import BerthCredentials
@_exported import BerthEngine
@_exported import BerthImages
@_exported import BerthLayers
internal import BerthLogRelay
internal import BerthMonitor
@_exported import BerthNetlink
@_exported import BerthNetworking
@_exported import BerthOCI
@_exported import BerthRegistry
@_exported import BerthRuntime
@_exported import BerthSnapshots
@_exported import BerthState
@_exported import BerthTar
@_exported import BerthVolumes

/// Keeps the linker from leaving the monitor out.
@usableFromInline let monitorEntryIsLinked: @convention(c) () -> Void = monitorEntry
