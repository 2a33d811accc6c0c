public import BerthNetworking

/// What every ``NetworkDriver`` promises.
public enum NetworkDriverContract {
    /// The promises, for a driver that attaches the sandbox of `request`.
    ///
    /// - Parameter request: what the driver can attach, again and again.
    public static func all(attaching request: SandboxRequest) -> [Promise<any NetworkDriver>] {
        [
            Promise("it has a name, always the same") { driver, checking in
                try checking.that(!driver.name.isEmpty, "its name is empty")
                try checking.same(driver.name, driver.name, "its name")
            },
            Promise("a sandbox is attached and detached, and then attached again") { driver, checking in
                let first = try await driver.attach(request)
                try await driver.detach(request.id)
                let second = try await driver.attach(request)
                try checking.same(second, first, "the second attachment")
                try await driver.detach(request.id)
            },
            Promise("detaching can be repeated, also for what was never attached") { driver, checking in
                try await driver.detach("never-attached")
                _ = try await driver.attach(request)
                try await driver.detach(request.id)
                try await driver.detach(request.id)
            },
            Promise("a new namespace, or another's, is what a sandbox gets: never its own process's") { driver, checking in
                let attachment = try await driver.attach(request)
                if case .process(let id) = attachment.namespace {
                    try checking.same(id, request.peer?.processID, "the process whose namespace it is")
                }
                try await driver.detach(request.id)
            },
        ]
    }
}
