extension Edit {
    static let examples = [
        "berth edit web --publish 8080:80 --env MODE=live", "berth edit web --image web:2 --dry-run",
        "berth edit web --unset publish=80 --unset env=MODE -- httpd -f",
    ]
}

extension Pause {
    static let examples = ["berth pause web"]
}

extension PruneContainers {
    static let examples = ["berth container prune", "berth container prune -f --filter until=24h --filter label=scratch"]
}

extension Rename {
    static let examples = ["berth rename web www"]
}

extension Restart {
    static let examples = ["berth restart web", "berth restart -t 2 --signal INT web db"]
}

extension Update {
    static let examples = ["berth update --cpus 1.5 -m 512m --memory-swap 1g web", "berth update --restart unless-stopped web db"]
}

extension Unpause {
    static let examples = ["berth unpause web"]
}
