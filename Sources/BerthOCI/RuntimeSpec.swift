/// How a container is to be run: `config.json` of an OCI bundle (OCI runtime specification, *Configuration*), as far as a container
/// of Docker's kind on Linux needs it. What else a document holds is kept and written back, and ``unknownMembers`` names it for whoever performs it.
public struct RuntimeSpec: Hashable, Sendable {
    /// The specification's version.
    public var ociVersion: String
    /// The first process.
    public var process: Process?
    /// The root file system.
    public var root: Root?
    /// The name in the container's UTS namespace.
    public var hostname: String?
    /// The NIS domain name there.
    public var domainname: String?
    /// Mounts, in order.
    public var mounts: [Mount]?
    /// Programs to run at moments of the container's life.
    public var hooks: Hooks?
    /// Words for tools and people.
    public var annotations: [String: String]?
    /// What Linux alone has.
    public var linux: Linux?
    /// The rest, kept as it came.
    public var unknown = UnknownFields()

    /// A specification of version 1.2.0 with nothing in it.
    public init() { ociVersion = "1.2.0" }

    /// What the document says and nobody here understands, as `linux.intelRdt` or `mounts[2].uidMappings`: it is kept, and not performed.
    public var unknownMembers: [String] { unknownMembers(in: "") }

    /// Programs to run at moments of the container's life, in order.
    public struct Hooks: Hashable, Sendable {
        /// As ``createRuntime``, and before it (deprecated).
        public var prestart: [Hook]?
        /// In the host's namespaces, when the container's are there and its root has not been changed.
        public var createRuntime: [Hook]?
        /// In the container's namespaces, before its root is changed: programs are the host's.
        public var createContainer: [Hook]?
        /// In the container, before its program is executed.
        public var startContainer: [Hook]?
        /// In the host's namespaces, after that.
        public var poststart: [Hook]?
        /// In the host's namespaces, when the container has been removed.
        public var poststop: [Hook]?
        /// The rest, kept as it came.
        public var unknown = UnknownFields()

        /// None.
        public init() {}
    }

    /// A program to run.
    public struct Hook: Hashable, Sendable {
        /// Absolute.
        public var path: String
        /// All arguments, the program's name among them.
        public var args: [String]?
        /// `NAME=value`: all of its environment.
        public var env: [String]?
        /// After how many seconds it has failed.
        public var timeout: Int?
        /// The rest, kept as it came.
        public var unknown = UnknownFields()

        /// A program without arguments.
        public init(path: String) { self.path = path }
    }

    /// A process to start.
    public struct Process: Hashable, Sendable {
        /// Whether it gets a terminal.
        public var terminal: Bool?
        /// The terminal's size.
        public var consoleSize: ConsoleSize?
        /// Who it is.
        public var user: User
        /// The program and its arguments.
        public var args: [String]?
        /// `NAME=value`.
        public var env: [String]?
        /// An absolute path.
        public var cwd: String
        /// The five sets.
        public var capabilities: Capabilities?
        /// Limits of setrlimit(2).
        public var rlimits: [ResourceLimit]?
        /// Whether set-id programs lose their power.
        public var noNewPrivileges: Bool?
        /// How willingly the kernel kills it when memory is short.
        public var oomScoreAdj: Int?
        /// The profile of AppArmor's that it is confined by.
        public var apparmorProfile: String?
        /// The context of SELinux's that it is confined by.
        public var selinuxLabel: String?
        /// The rest, kept as it came.
        public var unknown = UnknownFields()

        /// A process of root's in `/`.
        public init(args: [String], cwd: String = "/") {
            self.args = args
            self.cwd = cwd
            user = User(uid: 0, gid: 0)
        }
    }

    /// A terminal's size in characters.
    public struct ConsoleSize: Hashable, Sendable {
        /// Rows.
        public var height: UInt16
        /// Columns.
        public var width: UInt16
        /// The rest, kept as it came.
        public var unknown = UnknownFields()

        /// Both.
        public init(height: UInt16, width: UInt16) { (self.height, self.width) = (height, width) }
    }

    /// Numbers of a user, as seen in the container.
    public struct User: Hashable, Sendable {
        /// The user.
        public var uid: UInt32
        /// The group.
        public var gid: UInt32
        /// The file mode creation mask.
        public var umask: UInt32?
        /// Further groups.
        public var additionalGids: [UInt32]?
        /// The rest, kept as it came.
        public var unknown = UnknownFields()

        /// These numbers.
        public init(uid: UInt32, gid: UInt32, additionalGids: [UInt32]? = nil) {
            (self.uid, self.gid, self.additionalGids) = (uid, gid, additionalGids)
        }
    }

    /// Capability sets, by names as `CAP_CHOWN`.
    public struct Capabilities: Hashable, Sendable {
        /// What execve can ever give.
        public var bounding: [String]?
        /// What is checked.
        public var effective: [String]?
        /// What survives execve of files with inheritable capabilities.
        public var inheritable: [String]?
        /// What may become effective.
        public var permitted: [String]?
        /// What survives execve of ordinary files.
        public var ambient: [String]?
        /// The rest, kept as it came.
        public var unknown = UnknownFields()

        /// Empty sets.
        public init() {}
    }

    /// One limit, as `RLIMIT_NOFILE`.
    public struct ResourceLimit: Hashable, Sendable {
        /// The name.
        public var type: String
        /// What applies.
        public var soft: UInt64
        /// Up to where the process may raise it.
        public var hard: UInt64
        /// The rest, kept as it came.
        public var unknown = UnknownFields()

        /// These values.
        public init(type: String, soft: UInt64, hard: UInt64) { (self.type, self.soft, self.hard) = (type, soft, hard) }
    }

    /// The root file system.
    public struct Root: Hashable, Sendable {
        /// Where it is, absolute or relative to the bundle.
        public var path: String
        /// Whether the container sees it read-only.
        public var readonly: Bool?
        /// The rest, kept as it came.
        public var unknown = UnknownFields()

        /// This path.
        public init(path: String, readonly: Bool? = nil) { (self.path, self.readonly) = (path, readonly) }
    }

    /// One mount.
    public struct Mount: Hashable, Sendable {
        /// Where, in the container.
        public var destination: String
        /// The file system's type; nothing or `bind` for bind mounts.
        public var type: String?
        /// What: a host's path for bind mounts.
        public var source: String?
        /// Options as fstab(5) has them, and the specification's own.
        public var options: [String]?
        /// The rest, kept as it came.
        public var unknown = UnknownFields()

        /// A mount of these.
        public init(destination: String, type: String?, source: String?, options: [String]?) {
            (self.destination, self.type, self.source, self.options) = (destination, type, source, options)
        }
    }

    /// What Linux alone has.
    public struct Linux: Hashable, Sendable {
        /// Namespaces that are made or joined.
        public var namespaces: [Namespace]?
        /// Devices that are made in `/dev`.
        public var devices: [Device]?
        /// Limits.
        public var resources: Resources?
        /// Where in the cgroup hierarchies.
        public var cgroupsPath: String?
        /// The filter of system calls.
        public var seccomp: Seccomp?
        /// `private`, `slave`, `shared` or `unbindable`.
        public var rootfsPropagation: String?
        /// The context of SELinux's of what is mounted.
        public var mountLabel: String?
        /// Paths that appear empty.
        public var maskedPaths: [String]?
        /// Paths that are read-only.
        public var readonlyPaths: [String]?
        /// Kernel settings of the namespaces, with dots.
        public var sysctl: [String: String]?
        /// User id maps, as they came: refused while user namespaces do not exist here.
        public var uidMappings: JSONValue?
        /// Group id maps, likewise.
        public var gidMappings: JSONValue?
        /// The rest, kept as it came.
        public var unknown = UnknownFields()

        /// Nothing.
        public init() {}
    }

    /// A namespace: made new, or joined where a path is given.
    public struct Namespace: Hashable, Sendable {
        /// `pid`, `network`, `mount`, `ipc`, `uts`, `user`, `cgroup` or `time`.
        public var type: String
        /// The namespace's file.
        public var path: String?
        /// The rest, kept as it came.
        public var unknown = UnknownFields()

        /// A namespace of this type.
        public init(type: String, path: String? = nil) { (self.type, self.path) = (type, path) }
    }

    /// A device node.
    public struct Device: Hashable, Sendable {
        /// Where, in the container.
        public var path: String
        /// `c`, `b`, `u` or `p`.
        public var type: String
        /// The major number.
        public var major: Int64?
        /// The minor number.
        public var minor: Int64?
        /// Permission bits.
        public var fileMode: UInt32?
        /// The owner.
        public var uid: UInt32?
        /// The owner's group.
        public var gid: UInt32?
        /// The rest, kept as it came.
        public var unknown = UnknownFields()

        /// A device of these.
        public init(path: String, type: String, major: Int64?, minor: Int64?, fileMode: UInt32?) {
            (self.path, self.type, self.major, self.minor, self.fileMode) = (path, type, major, minor, fileMode)
        }
    }

    /// Limits.
    public struct Resources: Hashable, Sendable {
        /// Rules of access to devices; later ones win.
        public var devices: [DeviceRule]?
        /// Memory.
        public var memory: Memory?
        /// Processors.
        public var cpu: CPU?
        /// Processes.
        public var pids: PIDs?
        /// Block devices.
        public var blockIO: BlockIO?
        /// The rest, kept as it came.
        public var unknown = UnknownFields()

        /// None.
        public init() {}
    }

    /// A rule of access to devices.
    public struct DeviceRule: Hashable, Sendable {
        /// Allowed or denied.
        public var allow: Bool
        /// `a`, `c` or `b`.
        public var type: String?
        /// The major number; all where absent.
        public var major: Int64?
        /// The minor number; all where absent.
        public var minor: Int64?
        /// Of `r`, `w` and `m`.
        public var access: String?
        /// The rest, kept as it came.
        public var unknown = UnknownFields()

        /// A rule of these.
        public init(allow: Bool, type: String? = nil, major: Int64? = nil, minor: Int64? = nil, access: String? = nil) {
            (self.allow, self.type, self.major, self.minor, self.access) = (allow, type, major, minor, access)
        }
    }

    /// Limits of memory, in bytes; -1 is none.
    public struct Memory: Hashable, Sendable {
        /// The limit.
        public var limit: Int64?
        /// Under pressure, down to this.
        public var reservation: Int64?
        /// Memory and swap together.
        public var swap: Int64?
        /// 0 ... 100.
        public var swappiness: UInt64?
        /// Whether processes wait instead of being killed.
        public var disableOOMKiller: Bool?
        /// The rest, kept as it came.
        public var unknown = UnknownFields()

        /// None.
        public init() {}
    }

    /// Limits of processors.
    public struct CPU: Hashable, Sendable {
        /// Weight, 1024 being usual.
        public var shares: UInt64?
        /// Microseconds a period.
        public var quota: Int64?
        /// The period in microseconds.
        public var period: UInt64?
        /// Microseconds of real-time scheduling a period of that.
        public var realtimeRuntime: Int64?
        /// The period of that in microseconds.
        public var realtimePeriod: UInt64?
        /// Which processors, as `0-3,7`.
        public var cpus: String?
        /// Which memory nodes.
        public var mems: String?
        /// The rest, kept as it came.
        public var unknown = UnknownFields()

        /// None.
        public init() {}
    }

    /// The limit of processes; -1 or 0 is none.
    public struct PIDs: Hashable, Sendable {
        /// The limit.
        public var limit: Int64
        /// The rest, kept as it came.
        public var unknown = UnknownFields()

        /// This limit.
        public init(limit: Int64) { self.limit = limit }
    }

    /// The filter of system calls.
    public struct Seccomp: Hashable, Sendable {
        /// What happens to calls that no rule names.
        public var defaultAction: String
        /// The error number for `SCMP_ACT_ERRNO` by default.
        public var defaultErrnoRet: UInt32?
        /// Architectures, as `SCMP_ARCH_X86_64`.
        public var architectures: [String]?
        /// Flags of seccomp(2).
        public var flags: [String]?
        /// Rules, in order.
        public var syscalls: [Rule]?
        /// The rest, kept as it came.
        public var unknown = UnknownFields()

        /// A filter with no rules yet.
        public init(defaultAction: String, defaultErrnoRet: UInt32? = nil) {
            (self.defaultAction, self.defaultErrnoRet) = (defaultAction, defaultErrnoRet)
        }

        /// One rule.
        public struct Rule: Hashable, Sendable {
            /// Names of calls.
            public var names: [String]
            /// What happens.
            public var action: String
            /// The error number for `SCMP_ACT_ERRNO`.
            public var errnoRet: UInt32?
            /// All must hold.
            public var args: [Argument]?
            /// The rest, kept as it came.
            public var unknown = UnknownFields()

            /// A rule of these.
            public init(names: [String], action: String, errnoRet: UInt32? = nil, args: [Argument]? = nil) {
                (self.names, self.action, self.errnoRet, self.args) = (names, action, errnoRet, args)
            }
        }

        /// A comparison of one argument.
        public struct Argument: Hashable, Sendable {
            /// Which, from 0.
            public var index: UInt32
            /// Compared with this; the mask of `SCMP_CMP_MASKED_EQ`.
            public var value: UInt64
            /// What the masked argument must be.
            public var valueTwo: UInt64?
            /// `SCMP_CMP_EQ` and the like.
            public var op: String
            /// The rest, kept as it came.
            public var unknown = UnknownFields()

            /// A comparison of these.
            public init(index: UInt32, value: UInt64, valueTwo: UInt64? = nil, op: String) {
                (self.index, self.value, self.valueTwo, self.op) = (index, value, valueTwo, op)
            }
        }
    }
}
