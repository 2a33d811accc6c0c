/// An authority that nobody else trusts, and what it has signed for `registry.test`: made once, good for a hundred years, of use in these tests alone.
enum TestCertificates {
    static let authority = """
        -----BEGIN CERTIFICATE-----
        MIIBlTCCATugAwIBAgIURn2yYdDpLyJqQ0WKItsonKjg2BIwCgYIKoZIzj0EAwIw
        HzEdMBsGA1UEAwwUQmVydGggdGVzdCBhdXRob3JpdHkwIBcNMjYxMTI2MTgyODU4
        WhgPMjEyNjExMDIxODI4NThaMB8xHTAbBgNVBAMMFEJlcnRoIHRlc3QgYXV0aG9y
        aXR5MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEeXemrgEWW0T4bTS3zQODVcB6
        B9zLFfX4GsF/eqkqqz3OwGcj5qwpK95a2CLbfM7mF8b3BnYBWBts2LKdgZ5xRaNT
        MFEwHQYDVR0OBBYEFCNhwGs688t1j5C4mz1cUczkpzVdMB8GA1UdIwQYMBaAFCNh
        wGs688t1j5C4mz1cUczkpzVdMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwID
        SAAwRQIgTcDRLk3FGBU37QRI5NRadEAn7Ez3Yu2tdLCHVoS4ZHsCIQDNbi0ewYGu
        qrLpeN4riJtr25BWuseA05aORf9HNWRMLA==
        -----END CERTIFICATE-----
        """
    static let server = """
        -----BEGIN CERTIFICATE-----
        MIIBoTCCAUegAwIBAgIUPDhxvW8GECanYA48qlP0P6X+T+swCgYIKoZIzj0EAwIw
        HzEdMBsGA1UEAwwUQmVydGggdGVzdCBhdXRob3JpdHkwIBcNMjYxMTI2MTgyODU4
        WhgPMjEyNjExMDIxODI4NThaMBwxGjAYBgNVBAMMEWJlcnRoIHRlc3Qgc2VydmVy
        MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAElL7It6ye+prAdCihiC4xbmNTEFRg
        NpHYxBKdbMUClG6gKtl1XBDE2qLmGiB4hEEUxq+zKuRDKAAdtSzwZzwaWaNiMGAw
        HgYDVR0RBBcwFYINcmVnaXN0cnkudGVzdIcEfwAAAjAdBgNVHQ4EFgQUk4KPDcgt
        9T8m3wl0+1Ze3GickhkwHwYDVR0jBBgwFoAUI2HAazrzy3WPkLibPVxRzOSnNV0w
        CgYIKoZIzj0EAwIDSAAwRQIhALuQLKTxIgA9ZxwAuCUYIV+nbtYuRM00jkJEl1Lp
        hn6HAiAyADpfBbjVGG9gqgfNR/ByBG+oluXrBydIrSfAIvj6eA==
        -----END CERTIFICATE-----
        """
    static let serverKey = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgKKvbccKmuySPfrpo
        qywLXcdv/jrcIdeT7GkXdrKYN0ihRANCAASUvsi3rJ76msB0KKGILjFuY1MQVGA2
        kdjEEp1sxQKUbqAq2XVcEMTaouYaIHiEQRTGr7Mq5EMoAB21LPBnPBpZ
        -----END PRIVATE KEY-----
        """
    static let client = """
        -----BEGIN CERTIFICATE-----
        MIIBoTCCAUegAwIBAgIUPDhxvW8GECanYA48qlP0P6X+T+wwCgYIKoZIzj0EAwIw
        HzEdMBsGA1UEAwwUQmVydGggdGVzdCBhdXRob3JpdHkwIBcNMjYxMTI2MTgyODU4
        WhgPMjEyNjExMDIxODI4NThaMBwxGjAYBgNVBAMMEWJlcnRoIHRlc3QgY2xpZW50
        MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE0CjPoAiuAh9VyLRMjBUmXzZdacrn
        arvogCvZ9H1Ut2qeTNLHrlpmALb2gQqXFuORzMCClvM5KDlXaIJWLpKQ1KNiMGAw
        HgYDVR0RBBcwFYINcmVnaXN0cnkudGVzdIcEfwAAAjAdBgNVHQ4EFgQU7mzxqkuM
        YAk256YAfD5h88KmMs0wHwYDVR0jBBgwFoAUI2HAazrzy3WPkLibPVxRzOSnNV0w
        CgYIKoZIzj0EAwIDSAAwRQIgBx7QIQN+sizUjsFH9a4S6706V9sGADbq+kfe9pG0
        XE8CIQDEaftAfqGpOGS/jBNaB3N2Xv8L90UCMcLbUYM/Oa+a2Q==
        -----END CERTIFICATE-----
        """
    static let clientKey = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgOfMy+rGcWvX/1t8c
        t7xUM3+ag0jzRP4+XkSQdQEjEdahRANCAATQKM+gCK4CH1XItEyMFSZfNl1pyudq
        u+iAK9n0fVS3ap5M0seuWmYAtvaBCpcW45HMwIKW8zkoOVdoglYukpDU
        -----END PRIVATE KEY-----
        """

    /// Signed by itself for `registry.test`, good in January 2020 alone; and in the year 2120 alone.
    static let expired = """
        -----BEGIN CERTIFICATE-----
        MIIBdjCCARugAwIBAgICEjQwCgYIKoZIzj0EAwIwJTETMBEGA1UEAwwKb2xkIHNl
        cnZlcjEOMAwGA1UECgwFQmVydGgwHhcNMjAwMTAxMDAwMDAwWhcNMjAwMjAxMDAw
        MDAwWjAlMRMwEQYDVQQDDApvbGQgc2VydmVyMQ4wDAYDVQQKDAVCZXJ0aDBZMBMG
        ByqGSM49AgEGCCqGSM49AwEHA0IABMvyTfM/ED8FBKumaizaNye8Q7XoYcrWud4e
        v1fopF8i/ALw8YwgiU6AveuIT+0E78ZCWTCiuprgcpBeKMkqXrejOzA5MBgGA1Ud
        EQQRMA+CDXJlZ2lzdHJ5LnRlc3QwHQYDVR0OBBYEFB0B6+8RakY6QwpFtUIrl4FX
        iSBHMAoGCCqGSM49BAMCA0kAMEYCIQCjVk2/TpvZ/sWZo+wQdf+EP37Q4arr/BPh
        L9oJflgA6AIhANjRyUwCEmJpAKnBobPViCcSY/T/jwuZWSXbrQtu0YUa
        -----END CERTIFICATE-----
        """
    static let future = """
        -----BEGIN CERTIFICATE-----
        MIIBfjCCASOgAwIBAgICEjQwCgYIKoZIzj0EAwIwJzEVMBMGA1UEAwwMeW91bmcg
        c2VydmVyMQ4wDAYDVQQKDAVCZXJ0aDAiGA8yMTIwMDEwMTAwMDAwMFoYDzIxMjEw
        MTAxMDAwMDAwWjAnMRUwEwYDVQQDDAx5b3VuZyBzZXJ2ZXIxDjAMBgNVBAoMBUJl
        cnRoMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEy/JN8z8QPwUEq6ZqLNo3J7xD
        tehhyta53h6/V+ikXyL8AvDxjCCJToC964hP7QTvxkJZMKK6muBykF4oySpet6M7
        MDkwGAYDVR0RBBEwD4INcmVnaXN0cnkudGVzdDAdBgNVHQ4EFgQUHQHr7xFqRjpD
        CkW1QiuXgVeJIEcwCgYIKoZIzj0EAwIDSQAwRgIhAJaT2uJOwR4fAQ+6gtL/0B9L
        hBU10RXuyhG+JWF9bBtgAiEAjniDR2BjRUDF4kjFMSPdjyAZCG2b4Xr/FiT9SXMl
        Dxw=
        -----END CERTIFICATE-----
        """
    static let ownKey = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg1mWpZx+HUwE/T3MU
        n/IpuWr+J7h32yPW9iRvGM2Fvx+hRANCAATL8k3zPxA/BQSrpmos2jcnvEO16GHK
        1rneHr9X6KRfIvwC8PGMIIlOgL3riE/tBO/GQlkworqa4HKQXijJKl63
        -----END PRIVATE KEY-----
        """
}
