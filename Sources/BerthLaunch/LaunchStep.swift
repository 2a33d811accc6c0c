/// One thing that has to be done to become a container. Paths are those of the host until the root is attached, and beneath it from then on.
public enum LaunchStep: Hashable, Sendable {
    /// Opens an existing file and writes once.
    case writeFile(path: String, contents: String)
    /// Makes a directory of the host's; an existing one is fine.
    case hostDirectory(String)
    /// Attaches a device program to a cgroup v2.
    case deviceProgram(cgroup: String, program: [UInt8])
    /// Copies a small file where the target is empty: what a new cpuset needs from its parent.
    case copyWhereEmpty(from: String, to: String)
    /// Joins the namespace that a file names.
    case enterNamespace(path: String, NamespaceKinds)
    /// Joins namespaces of the process that is given with the plan.
    case enterProcess(NamespaceKinds)
    /// Leaves namespaces for new ones.
    case unshare(NamespaceKinds)
    /// Sets the loopback interface up.
    case loopbackUp
    /// Sets how mounts of the whole tree propagate, by mount(2)'s flags.
    case propagation(flags: UInt64)
    /// Moves the root mount in, on top of the present root.
    case attachRoot
    /// Moves the root mount in, to a directory of the host's: hooks find it there.
    case attachRootAt(String)
    /// Runs a program, and waits for it.
    case hook(LaunchHook)
    /// Mounts a file system; the target is made where missing.
    case mount(type: String, source: String, target: String, flags: UInt64, data: String)
    /// Binds a path of the host's; the target is made where missing. `attributes` are mount_setattr(2)'s.
    /// With `attributesBelow` the mounts that come along have them as well. With `isPeer` it is the monitor's mount, so that what is mounted below one is below
    /// the other, too.
    case bind(
        source: String, target: String, recursive: Bool, attributes: UInt64, propagation: UInt64, attributesBelow: Bool = false,
        isPeer: Bool = false)
    /// Binds what is at a path below a directory of the host's, or, if that is empty, below what is mounted at the target. No link in the path leads out of
    /// it, whoever may change it meanwhile.
    case bindBeneath(
        source: String, path: String, target: String, recursive: Bool, attributes: UInt64, propagation: UInt64, attributesBelow: Bool)
    /// Makes a directory with its parents where missing.
    case directory(path: String, permissions: UInt32, userID: UInt32, groupID: UInt32)
    /// Makes a device node; an existing one is fine. `mode` has the type.
    case device(path: String, mode: UInt32, major: UInt32, minor: UInt32, userID: UInt32, groupID: UInt32)
    /// Makes a symbolic link; an existing name is fine.
    case symbolicLink(target: String, path: String)
    /// Hides a file or directory; one that is not there is hidden.
    case mask(String)
    /// Makes a path read-only; one that is not there cannot be written.
    case readOnly(String)
    /// Makes the attached root the root, and takes the old one away.
    case pivotRoot
    /// Makes the root's mount read-only.
    case rootReadOnly
    /// Sets the host's name.
    case hostname(String)
    /// Sets the NIS domain name.
    case domainname(String)
    /// Joins a new session keyring.
    case keyring(String)
    /// Sets one limit of setrlimit(2).
    case resourceLimit(resource: UInt32, soft: UInt64, hard: UInt64)
    /// Opens a terminal in the container's own devpts and hands its master to the monitor.
    case makeTerminal(rows: UInt16, columns: UInt16, bindsConsole: Bool)
    /// Makes a session and puts the terminal, or the pipes, in place.
    case standardStreams(ownerUserID: UInt32)
    /// Drops every capability that is not in the set from the bounding set.
    case bounding(CapabilitySet)
    /// Sets the supplementary groups.
    case groups([UInt32])
    /// Sets user and group, keeping capabilities for the step that follows.
    case user(userID: UInt32, groupID: UInt32)
    /// Sets the four sets of capabilities.
    case capabilities(effective: CapabilitySet, permitted: CapabilitySet, inheritable: CapabilitySet, ambient: CapabilitySet)
    /// Set-id programs lose their power.
    case noNewPrivileges
    /// Loads a filter of system calls: an array of `sock_filter`.
    case seccomp(program: [UInt8], flags: UInt32)
    /// Changes the working directory.
    case workingDirectory(String)
    /// Sets the file mode creation mask.
    case umask(UInt32)
    /// Sets `oom_score_adj`; without the right to, it stays.
    case oomScore(Int)
    /// Has a security module confine what is executed next by what is `named`: writes that into a file of this process's below the `/proc` that it sees now.
    case confinement(named: String, file: String, contents: String)
    /// Gives what is at a path of the container's the context of SELinux's that what it is of could not be mounted with.
    case label(path: String, String)
    /// Makes the program of process 1 for ``becomeInit(arguments:environment:)``, while nothing can forbid it.
    case initFile
    /// This process becomes the program that ``initFile`` has made, and its child goes on with the steps: process 1 hands signals on to it, reaps
    /// what is left to it, and ends as it ends. Arguments and environment are for show.
    case becomeInit(arguments: [String], environment: [String])
    /// Binds a directory of another mount namespace, which a file names, or, if that is empty, one beneath the root, without the mounts below it; the target
    /// is made where missing.
    case bindFrom(namespace: String, source: String, target: String, attributes: UInt64)
    /// Executes a program; one without a slash is looked up in `searchPath`.
    case execute(arguments: [String], environment: [String], searchPath: String)
}

/// Namespaces, by clone(2)'s flags.
public struct NamespaceKinds: OptionSet, Hashable, Sendable {
    /// clone(2)'s flags.
    public let rawValue: UInt64

    /// Flags of clone(2).
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    /// Mounts.
    public static var mount: Self { Self(rawValue: 0x0002_0000) }
    /// Cgroups.
    public static var cgroup: Self { Self(rawValue: 0x0200_0000) }
    /// Host name.
    public static var uts: Self { Self(rawValue: 0x0400_0000) }
    /// System V IPC and POSIX message queues.
    public static var ipc: Self { Self(rawValue: 0x0800_0000) }
    /// Users.
    public static var user: Self { Self(rawValue: 0x1000_0000) }
    /// Processes.
    public static var pid: Self { Self(rawValue: 0x2000_0000) }
    /// Networks.
    public static var network: Self { Self(rawValue: 0x4000_0000) }
}

/// A set of capabilities, one bit each (capabilities(7)).
public struct CapabilitySet: Hashable, Sendable {
    /// Bit n is capability n.
    public var rawValue: UInt64

    /// These bits.
    public init(rawValue: UInt64 = 0) { self.rawValue = rawValue }
}
