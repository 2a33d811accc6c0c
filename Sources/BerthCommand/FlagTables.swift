internal import BerthCommandLine

/// Whether what the commands have written down of their flags is what they declare.
enum FlagTables {
    /// Prints what a command that is wrong would have to write, a line each.
    ///
    /// - Returns: 1 if there are any.
    static func check() throws -> Int32 {
        var status: Int32 = 0
        for entry in Front.commands + Front.groups.flatMap(\.commands) {
            let flags = try entry.type.flagsToWrite()
            if entry.type.writtenFlags != flags {
                try Output.line("\(entry.type): \(flags)")
                status = 1
            } else if let difference = try difference(of: entry.type, flags) {
                try Output.line("\(entry.type): \(difference)")
                status = 1
            }
        }
        return status
    }

    /// Where a command that is made by what is written is another than ArgumentParser makes: of a line without flags, with all of them, once and twice, and of
    /// lines of which one, for any two flags, has one of them alone.
    private static func difference(of type: any Verb.Type, _ flags: String) throws -> String? {
        guard let count = (0...3).first(where: { type.wordCount.words(about: $0) == nil }) else { return nil }
        let all = flags.split(separator: " ").map { word in
            let flag = FlagDeclaration(text: word)
            return Grammar.Occurrence(name: flag.name, value: example(of: flag))
        }
        let halves = (0..<8).map { bit in all.indices.filter { $0 >> bit & 1 == 1 }.map { all[$0] } }
        for occurrences in [[], all, all + all] + halves {
            var line = Grammar.Line()
            (line.occurrences, line.words) = (occurrences, (0..<count).map { "word\($0)" })
            do {
                let (decoded, parsed) = try CommandLineReader.readings(of: type, line)
                if decoded != parsed { return "\(decoded)\n\(parsed)" }
            } catch { return "\(error)" }
        }
        return nil
    }

    /// What a flag is not by itself.
    private static func example(of flag: FlagDeclaration) -> String {
        switch flag.kind {
        case .boolean: flag.standard == "true" ? "false" : "true"
        case .value("int"): "7"
        case .value: "x"
        }
    }
}

// What `berth __flags` says that they declare.
extension Attach { static var writtenFlags: String? { "detach-keys=string no-stdin sig-proxy!no-sig-proxy:true" } }
extension Check { static var writtenFlags: String? { "format=string quiet,q repair" } }
extension Commit { static var writtenFlags: String? { "author,a=string change,c=list message,m=string pause,p!no-pause:true" } }
extension Completion { static var writtenFlags: String? { "" } }
extension ContainerFlags {
    /// What both that make a container have.
    static var written: String {
        """
        add-host=list attach,a=list cap-add=list cap-drop=list cidfile=string cpu-period=int cpu-quota=int cpu-shares,c=int \
        cpus=decimal cpuset-cpus=string cpuset-mems=string dns=list dns-option|dns-opt=list dns-search=list domainname=string \
        entrypoint=string env,e=list env-file=list expose=list health-cmd=string health-interval=duration health-on-failure=string health-retries=int health-start-interval=duration \
        health-start-period=duration health-timeout=duration hostname,h=string interactive,i ip=string ip6=string label,l=list \
        label-file=list link=list link-local-ip=list log-driver=string log-opt=list mac-address=string memory,m=bytes memory-reservation=bytes \
        memory-swap=bytes mount=mount name=string network|net=network network-alias|net-alias=list no-healthcheck oom-kill-disable pids-limit=int \
        platform=string privileged publish,p=list publish-all,P pull=string:missing quiet,q disable-content-trust!no-disable-content-trust:true \
        read-only restart=string:no rm security-opt=list shm-size=bytes stop-signal=string stop-timeout=int tmpfs=list tty,t ulimit=ulimit \
        user,u=string volume,v=list volume-driver=string volumes-from=list workdir,w=string
        """ + " " + HostFlags.written
    }
}
extension ConnectNetwork {
    static var writtenFlags: String? {
        "alias=strings driver-opt=strings gw-priority=int ip=string ip6=string link=list link-local-ip=strings"
    }
}
extension Copy { static var writtenFlags: String? { "archive,a follow-link,L quiet,q" } }
extension CreateNetwork {
    static var writtenFlags: String? {
        """
        attachable aux-address=map config-from=string config-only driver,d=string:bridge gateway=strings ingress internal ip-range=strings \
        ipam-driver=string:default ipam-opt=map ipv4!no-ipv4 ipv6!no-ipv6 label=list opt,o=map scope=string subnet=strings
        """
    }
}
extension Create { static var writtenFlags: String? { ContainerFlags.written } }
extension CreateVolume { static var writtenFlags: String? { "driver,d=string:local label=list name=string opt,o=map" } }
extension InspectVolume { static var writtenFlags: String? { "format,f=string" } }
extension ListVolumes { static var writtenFlags: String? { "filter,f=filter format=string quiet,q" } }
extension PruneVolumes { static var writtenFlags: String? { "all,a filter=filter force,f" } }
extension RemoveVolume { static var writtenFlags: String? { "force,f" } }
extension UpdateVolume { static var writtenFlags: String? { "availability=string" } }
extension Diff { static var writtenFlags: String? { "" } }
extension DisconnectNetwork { static var writtenFlags: String? { "force,f" } }
extension DiskUsage { static var writtenFlags: String? { "format=string verbose,v" } }
extension Edit {
    static var writtenFlags: String? { "dry-run image=image unset=list " + ContainerFlags.written }
}
extension Events { static var writtenFlags: String? { "filter,f=filter format=string since=string until=string" } }
extension Exec {
    static var writtenFlags: String? {
        "detach,d detach-keys=string env,e=list env-file=list interactive,i privileged tty,t user,u=string workdir,w=string"
    }
}
extension Export { static var writtenFlags: String? { "output,o=string" } }
extension FirewallCommand { static var writtenFlags: String? { "format=string" } }
extension History { static var writtenFlags: String? { "format=string human,H!no-human:true no-trunc platform=string quiet,q" } }
extension ImageDiff { static var writtenFlags: String? { "format=string platform=string summary,s" } }
extension ImageLayers { static var writtenFlags: String? { "format=string no-trunc platform=string quiet,q" } }
extension Images { static var writtenFlags: String? { "all,a digests filter,f=filter format=string no-trunc quiet,q" } }
extension Import { static var writtenFlags: String? { "change,c=list message,m=string platform=string" } }
extension Info { static var writtenFlags: String? { "format,f=string" } }
extension Inspect { static var writtenFlags: String? { "format,f=string size,s as=string type=string" } }
extension InspectContainer { static var writtenFlags: String? { "as=string format,f=string size,s" } }
extension InspectImage { static var writtenFlags: String? { "format,f=string platform=string" } }
extension InspectNetwork { static var writtenFlags: String? { "format,f=string verbose,v" } }
extension Jobs { static var writtenFlags: String? { "format=string no-trunc quiet,q" } }
extension Kill { static var writtenFlags: String? { "signal,s=string:KILL" } }
extension List { static var writtenFlags: String? { "all,a filter,f=filter format=string last,n=int latest,l no-trunc quiet,q size,s" } }
extension ListNetworks { static var writtenFlags: String? { "filter,f=filter format=string no-trunc quiet,q" } }
extension Load { static var writtenFlags: String? { "input,i=string platform=string quiet,q" } }
extension Logs { static var writtenFlags: String? { "details follow,f since=string tail,n=string:all timestamps,t until=string" } }
extension NetworkExposure { static var writtenFlags: String? { "format=string json no-trunc quiet,q" } }
extension CancelJobs { static var writtenFlags: String? { "" } }
extension FollowJob { static var writtenFlags: String? { "format=string" } }
extension CopyImage { static var writtenFlags: String? { "all,a platform=string quiet,q" } }
extension InspectManifest { static var writtenFlags: String? { "insecure verbose,v" } }
extension ListRepositories { static var writtenFlags: String? { "format=string quiet,q" } }
extension ListTags { static var writtenFlags: String? { "format=string quiet,q" } }
extension Login { static var writtenFlags: String? { "password,p=string password-stdin username,u=string" } }
extension Logout { static var writtenFlags: String? { "" } }
extension RemoveFromRegistry { static var writtenFlags: String? { "" } }
extension Search { static var writtenFlags: String? { "filter,f=filter format=string limit=int no-trunc" } }
extension Pull {
    static var writtenFlags: String? { "all-tags,a disable-content-trust!no-disable-content-trust:true detach platform=string quiet,q" }
}
extension Push {
    static var writtenFlags: String? { "disable-content-trust!no-disable-content-trust:true all-tags,a platform=string quiet,q" }
}
extension Pause { static var writtenFlags: String? { "" } }
extension Port { static var writtenFlags: String? { "" } }
extension PruneContainers { static var writtenFlags: String? { "filter=filter force,f" } }
extension PruneImages { static var writtenFlags: String? { "all,a filter=filter force,f" } }
extension PruneSystem { static var writtenFlags: String? { "all,a filter=filter force,f volumes" } }
extension PruneNetworks { static var writtenFlags: String? { "filter=filter force,f" } }
extension RebaseImage { static var writtenFlags: String? { "from=image onto=image platform=string tag,t=string" } }
extension Rename { static var writtenFlags: String? { "" } }
extension Restart { static var writtenFlags: String? { "signal,s=string time|timeout,t=int" } }
extension Remove { static var writtenFlags: String? { "force,f link,l volumes,v" } }
extension RemoveImage { static var writtenFlags: String? { "force,f no-prune platform=list" } }
extension RemoveNetwork { static var writtenFlags: String? { "force,f" } }
extension Run {
    static var writtenFlags: String? {
        ContainerFlags.written + " detach,d detach-keys=string sig-proxy!no-sig-proxy:true"
    }
}
extension Save { static var writtenFlags: String? { "output,o=string platform=string" } }
extension ServeRegistry { static var writtenFlags: String? { "" } }
extension ShowVersion { static var writtenFlags: String? { "format,f=string" } }
extension SquashImage { static var writtenFlags: String? { "from=string platform=string tag,t=string" } }
extension Start { static var writtenFlags: String? { "attach,a detach-keys=string interactive,i" } }
extension Stop { static var writtenFlags: String? { "signal,s=string time|timeout,t=int" } }
extension Stats { static var writtenFlags: String? { "all,a format=string no-stream no-trunc" } }
extension Tag { static var writtenFlags: String? { "" } }
extension Unpause { static var writtenFlags: String? { "" } }
extension Update {
    static var writtenFlags: String? {
        """
        blkio-weight=uint cpu-period=int cpu-quota=int cpu-rt-period=int cpu-rt-runtime=int cpu-shares,c=int cpus=decimal \
        cpuset-cpus=string cpuset-mems=string memory,m=bytes memory-reservation=bytes memory-swap=bytes pids-limit=int restart=string
        """
    }
}
extension Wait { static var writtenFlags: String? { "" } }
extension Top { static var writtenFlags: String? { "" } }
extension Why { static var writtenFlags: String? { "tail,n=int:10" } }
