internal import BerthNetlink
public import BerthNetworking

/// What every ``NetworkDriver`` promises.
public enum NetworkDriverContract {
    /// The promises, for a driver that can make `network`, and a place in it. What is checked makes network namespaces and interfaces: it needs the rights to.
    ///
    /// - Parameters:
    ///   - network: what the driver can make, again and again.
    ///   - endpoint: a place in it.
    public static func all(of network: Network, attaching endpoint: Endpoint) -> [Promise<any NetworkDriver>] {
        [
            Promise("it has a name, always the same") { driver, checking in
                try checking.that(!driver.name.isEmpty, "its name is empty")
                try checking.same(driver.name, driver.name, "its name")
            },
            Promise("a network can be made and removed again and again, also when it is there already, or no more") { driver, checking in
                for _ in 0..<2 {
                    try driver.make(network)
                    try driver.make(network)
                    try driver.remove(network)
                    try driver.remove(network)
                }
            },
            Promise("a sandbox has its interface, up and with its addresses, until it is detached, and can have it again") {
                driver, checking in
                try driver.make(network)
                let namespace = try SandboxNamespace.make()
                let before = try namespace.interfaces().count
                for _ in 0..<2 {
                    try driver.attach(endpoint, of: network, to: namespace)
                    let found = try namespace.interfaces().first { $0.name == endpoint.interface }
                    let hasInterface = driver.hasNamespaces && !driver.addressVersions.isEmpty
                    try checking.same(found != nil, hasInterface, "whether there is an interface '\(endpoint.interface)'")
                    if let found {
                        try checking.that(found.isUp, "the interface is down")
                        try checking.same(Set(try namespace.addresses(of: found)), Set(endpoint.addresses), "its addresses")
                    }
                    try driver.detach(endpoint, of: network)
                    try checking.same(try namespace.interfaces().count, before, "the number of interfaces when it is detached")
                }
                try driver.remove(network)
            },
            Promise("detaching can be repeated, also for what was never attached, and when the namespace is gone") { driver, checking in
                try driver.make(network)
                try driver.detach(endpoint, of: network)
                do {
                    let namespace = try SandboxNamespace.make()
                    try driver.attach(endpoint, of: network, to: namespace)
                }
                try driver.detach(endpoint, of: network)
                try driver.detach(endpoint, of: network)
                try driver.remove(network)
            },
            Promise("what belongs to no network and no sandbox is removed, and nothing else") { driver, checking in
                try driver.make(network)
                let namespace = try SandboxNamespace.make()
                try driver.attach(endpoint, of: network, to: namespace)
                let attached = try namespace.interfaces().count
                try driver.recover([network], endpoints: [endpoint])
                try checking.same(try namespace.interfaces().count, attached, "the number of interfaces of a sandbox that is kept")
                try driver.recover([network], endpoints: [])
                try checking.that(
                    try namespace.interfaces().allSatisfy { $0.name != endpoint.interface },
                    "the interface of a sandbox of nobody's is there")
                try driver.recover([], endpoints: [])
                try driver.make(network)
                try driver.remove(network)
            },
        ]
    }
}
