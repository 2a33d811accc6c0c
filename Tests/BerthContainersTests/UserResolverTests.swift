import Testing

@testable import BerthContainers

@Suite struct UserResolverTests {
    static let passwd = Array("root:x:0:0:root:/root:/bin/sh\n# a remark\nuser:x:1000:1001:User:/home/user:/bin/sh\nodd:x:7\n".utf8)
    static let group = Array("root:x:0:\nusers:x:1001:\nextra:x:1002:other,user\nmore:x:1003:user\n".utf8)

    @Test(arguments: [
        ("", ResolvedUser(userID: 0, groupID: 0, groups: [0], home: "/root")),
        ("root", ResolvedUser(userID: 0, groupID: 0, groups: [0], home: "/root")),
        ("user", ResolvedUser(userID: 1000, groupID: 1001, groups: [1001, 1002, 1003], home: "/home/user")),
        ("1000", ResolvedUser(userID: 1000, groupID: 1001, groups: [1001, 1002, 1003], home: "/home/user")),
        ("user:extra", ResolvedUser(userID: 1000, groupID: 1002, groups: [1002], home: "/home/user")),
        ("4242", ResolvedUser(userID: 4242, groupID: 0, groups: [0], home: "/")),
        ("4242:4343", ResolvedUser(userID: 4242, groupID: 4343, groups: [4343], home: "/")),
    ])
    func resolves(text: String, expected: ResolvedUser) throws {
        #expect(try UserResolver.resolve(text, passwd: Self.passwd, group: Self.group) == expected)
    }

    @Test(arguments: [
        ("nobody", "unable to find user nobody: no matching entries in passwd file"),
        ("root:nogroup", "unable to find group nogroup: no matching entries in group file"),
        ("2147483648", "uids and gids must be in range 0-2147483647"), ("-1", "uids and gids must be in range 0-2147483647"),
    ])
    func refuses(text: String, reason: String) {
        #expect { try UserResolver.resolve(text, passwd: Self.passwd, group: Self.group) } throws: { "\($0)" == reason }
    }
}
