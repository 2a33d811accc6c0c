internal import ArgumentParser
internal import BerthCommandLine

/// A flag's help with the name of its value.
func help(_ text: String, _ valueName: String = "string") -> ArgumentHelp { ArgumentHelp("\(text)", valueName: valueName) }

/// What `run` and `create` say of a container.
struct ContainerFlags: ParsableArguments {
    @Option(help: help("Add a custom host-to-IP mapping (host:ip)", "list")) var addHost: [String] = []
    @Option(name: [.short, .long], help: help("Attach to STDIN, STDOUT or STDERR", "list")) var attach: [String] = []
    @Option(help: help("Add Linux capabilities", "list")) var capAdd: [String] = []
    @Option(help: help("Drop Linux capabilities", "list")) var capDrop: [String] = []
    @Option(help: help("Write the container ID to the file")) var cidfile: String?
    @Option(help: help("Limit CPU CFS period, in microseconds", "int")) var cpuPeriod: Int64?
    @Option(help: help("Limit CPU CFS quota, in microseconds", "int")) var cpuQuota: Int64?
    @Option(name: [.customShort("c"), .long], help: help("CPU shares (relative weight)", "int")) var cpuShares: Int64?
    @Option(help: help("Number of CPUs", "decimal")) var cpus: String?
    @Option(help: help("CPUs in which to allow execution (0-3, 0,1)")) var cpusetCpus: String?
    @Option(help: help("MEMs in which to allow execution (0-3, 0,1)")) var cpusetMems: String?
    @Option(help: help("Set custom DNS servers", "list")) var dns: [String] = []
    @Option(name: [.customLong("dns-option"), .customLong("dns-opt")], help: help("Set DNS options", "list")) var dnsOption: [String] = []
    @Option(help: help("Set custom DNS search domains", "list")) var dnsSearch: [String] = []
    @Option(help: help("Container NIS domain name")) var domainname: String?
    @Option(help: help("Overwrite the default ENTRYPOINT of the image")) var entrypoint: String?
    @Option(name: [.short, .long], help: help("Set environment variables", "list")) var env: [String] = []
    @Option(help: help("Read in a file of environment variables", "list")) var envFile: [String] = []
    @Option(help: help("Expose a port or a range of ports", "list")) var expose: [String] = []
    @Option(help: help("Command to run to check health")) var healthCmd: String?
    @Option(help: help("Time between running the check (ms|s|m|h)", "duration")) var healthInterval: String?
    @Option(help: help("What to do when it becomes unhealthy: none, restart, stop or kill")) var healthOnFailure: String?
    @Option(help: help("Consecutive failures needed to report unhealthy", "int")) var healthRetries: Int64?
    @Option(help: help("Time between running the check during the start period (ms|s|m|h)", "duration")) var healthStartInterval: String?
    @Option(help: help("Start period during which failures do not count (ms|s|m|h)", "duration")) var healthStartPeriod: String?
    @Option(help: help("Maximum time to allow one check to run (ms|s|m|h)", "duration")) var healthTimeout: String?
    @Option(name: [.customShort("h"), .long], help: help("Container host name")) var hostname: String?
    @Flag(name: [.short, .long], help: "Keep STDIN open even if not attached") var interactive = false
    @Option(help: help("IPv4 address (e.g., 172.30.100.104)")) var ip: String?
    @Option(name: .customLong("ip6"), help: help("IPv6 address (e.g., 2001:db8::33)")) var ip6: String?
    @Option(name: [.short, .long], help: help("Set meta data on a container", "list")) var label: [String] = []
    @Option(help: help("Read in a line delimited file of labels", "list")) var labelFile: [String] = []
    @Option(help: help("Add link to another container", "list")) var link: [String] = []
    @Option(name: .customLong("link-local-ip"), help: help("Container IPv4/IPv6 link-local addresses", "list"))
    var linkLocalIP: [String] = []
    @Option(help: help("Where the output is kept: json-file, local, syslog, journald, fluentd or none")) var logDriver: String?
    @Option(help: help("Log driver options", "list")) var logOpt: [String] = []
    @Option(help: help("Container MAC address (e.g., 92:d0:c6:0a:29:33)")) var macAddress: String?
    @Option(name: [.short, .long], help: help("Memory limit: a number of bytes, or one with k, m or g", "bytes")) var memory: String?
    @Option(help: help("Memory soft limit", "bytes")) var memoryReservation: String?
    @Option(help: help("Swap limit equal to memory plus swap: '-1' to enable unlimited swap", "bytes")) var memorySwap: String?
    @Option(help: help("Attach a filesystem mount to the container: type=volume,source=NAME,target=PATH[,readonly]", "mount"))
    var mount: [String] = []
    @Option(help: help("Assign a name to the container")) var name: String?
    @Option(
        name: [.customLong("network"), .customLong("net")],
        help: help("Connect a container to a network: NAME, none, host, container:NAME, or name=NAME,alias=NAME,ip=ADDRESS…", "network"))
    var network: [String] = []
    @Option(
        name: [.customLong("network-alias"), .customLong("net-alias")],
        help: help("Add network-scoped alias for the container", "list"))
    var networkAlias: [String] = []
    @Flag(help: "Disable any container-specified HEALTHCHECK") var noHealthcheck = false
    @Flag(help: "Disable OOM Killer") var oomKillDisable = false
    @Option(help: help("Tune container pids limit (set -1 for unlimited)", "int")) var pidsLimit: Int64?
    @Option(help: help("Take the image for this platform, as os[/arch[/variant]]")) var platform: String?
    @Flag(help: "Give extended privileges to this container") var privileged = false
    @Option(name: [.customShort("p"), .long], help: help("Publish a container's port(s) to the host", "list")) var publish: [String] = []
    @Flag(name: [.customShort("P"), .long], help: "Publish all exposed ports to random ports") var publishAll = false
    @Option(help: help("Pull image before running (\"always\", \"missing\", \"never\")")) var pull: String = "missing"
    @Flag(name: [.short, .long], help: "Suppress the pull output") var quiet = false
    @Flag(inversion: .prefixedNo, help: "Skip image verification") var disableContentTrust = true
    @Flag(help: "Mount the container's root filesystem as read only") var readOnly = false
    @Option(help: help("Restart policy to apply when a container exits")) var restart: String = "no"
    @Flag(help: "Automatically remove the container when it exits") var rm = false
    @Option(help: help("no-new-privileges, seccomp=FILE or seccomp=unconfined", "list")) var securityOpt: [String] = []
    @Option(help: help("Size of /dev/shm", "bytes")) var shmSize: String?
    @Option(help: help("Signal to stop the container")) var stopSignal: String?
    @Option(help: help("Timeout (in seconds) to stop a container", "int")) var stopTimeout: Int64?
    @Option(help: help("Mount a tmpfs directory: PATH[:OPTIONS]", "list")) var tmpfs: [String] = []
    @Flag(name: [.short, .long], help: "Allocate a pseudo-TTY") var tty = false
    @Option(help: help("A limit of setrlimit(2): NAME=SOFT[:HARD]", "ulimit")) var ulimit: [String] = []
    @Option(name: [.short, .long], help: help("Username or UID (format: <name|uid>[:<group|gid>])")) var user: String?
    @Option(name: [.short, .long], help: help("Bind mount a volume, directory or file: SOURCE:TARGET[:ro]", "list")) var volume: [String] =
        []
    @Option(help: help("Optional volume driver for the container")) var volumeDriver: String?
    @Option(help: help("Mount volumes from the specified container(s)", "list")) var volumesFrom: [String] = []
    @Option(name: [.short, .long], help: help("Working directory inside the container")) var workdir: String?
    @OptionGroup var host: HostFlags

    /// What Docker has besides.
    static let absent: [AbsentFlag] = [
        .boolean("use-api-socket", why: "it cannot be shared yet")
    ]
}
