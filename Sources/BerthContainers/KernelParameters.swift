/// Which kernel parameters belong to a namespace: the others are everybody's.
enum KernelParameters {
    private static let ofIPC: Set<String> = [
        "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall", "kernel.shmmax", "kernel.shmmni",
        "kernel.shm_rmid_forced",
    ]

    /// Whether a container may have these of its own. Docker's words.
    static func check(_ configuration: ContainerConfiguration) throws(ContainerError) {
        for (given, value) in configuration.kernelParameters.sorted(by: { $0.key < $1.key }) {
            let name = given.split(separator: "/", omittingEmptySubsequences: false).joined(separator: ".")
            guard name.utf8.allSatisfy({ $0 > 32 && $0 < 127 }), !value.utf8.contains(0) else {
                throw ContainerError(.invalid, "invalid sysctl: \(given)=\(value)")
            }
            if ofIPC.contains(name) || name.hasPrefix("fs.mqueue.") {
                guard configuration.namespaces.ipc != .host else {
                    throw ContainerError(.invalid, "sysctl \"\(name)\" is not allowed in the hosts ipc namespace")
                }
            } else if name.hasPrefix("net.") {
                guard configuration.network != .host else {
                    throw ContainerError(.invalid, "sysctl \"\(name)\" not allowed in host network namespace")
                }
            } else if name == "kernel.domainname" {
                guard configuration.namespaces.uts != .host else {
                    throw ContainerError(.invalid, "sysctl \"\(name)\" is not allowed in the hosts uts namespace")
                }
            } else if name == "kernel.hostname" {
                throw ContainerError(.invalid, "sysctl \"kernel.hostname\" is not allowed as it conflicts with the OCI \"hostname\" field")
            } else {
                throw ContainerError(.invalid, "sysctl \"\(name)\" is not in a separate kernel namespace")
            }
        }
    }
}
