internal import BerthLinux

/// A namespace of a running container, held: another container can join it by its path for as long as this lives, whatever becomes of the first one.
public final class HeldNamespace: Sendable {
    private let descriptor: OwnedDescriptor
    /// Leads to the namespace, for the monitors of this engine too.
    public let path: String

    init(_ descriptor: consuming OwnedDescriptor) {
        path = "/proc/\(HostFile.ownProcessID)/fd/\(descriptor.withRawDescriptor { $0 })"
        self.descriptor = descriptor
    }
}

extension RuntimeContainer {
    /// Holds one of the namespaces that its first process is in.
    ///
    /// - Parameter kind: as `/proc/<id>/ns` has it: `pid`, `ipc`, `uts`, `mnt`.
    /// - Throws: `notRunning` if it has ended, `system`.
    public func hold(_ kind: String) throws(RuntimeError) -> HeldNamespace {
        do throws(Errno) {
            return HeldNamespace(try ProcessTable.openNamespace(kind, of: facts.processID, startTicks: facts.startTicks))
        } catch {
            guard error == .ESRCH || error == .ENOENT else {
                throw .system("cannot open the \(kind) namespace of container \(facts.id.prefix(12))", error)
            }
            throw RuntimeError(.notRunning, "the container is not running")
        }
    }
}
