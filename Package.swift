// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
]

func library(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

/// The tests of the target `name`; `fixtures` names files and folders of the tests that are data.
func tests(_ name: String, _ dependencies: [Target.Dependency] = [], fixtures: [String] = []) -> Target {
    .testTarget(
        name: name + "Tests", dependencies: [.target(name: name)] + dependencies, exclude: fixtures,
        swiftSettings: settings)
}

let argumentParser: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let asn1: Target.Dependency = .product(name: "SwiftASN1", package: "swift-asn1")
let collections: Target.Dependency = .product(name: "OrderedCollections", package: "swift-collections")
let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let cryptoExtras: Target.Dependency = .product(name: "CryptoExtras", package: "swift-crypto")
let httpClient: Target.Dependency = .product(name: "AsyncHTTPClient", package: "async-http-client")
let nioCore: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioHTTP1: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")
let nioHTTP2: Target.Dependency = .product(name: "NIOHTTP2", package: "swift-nio-http2")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let nioSSL: Target.Dependency = .product(name: "NIOSSL", package: "swift-nio-ssl")
let nioTLS: Target.Dependency = .product(name: "NIOTLS", package: "swift-nio")
let subprocess: Target.Dependency = .product(name: "Subprocess", package: "swift-subprocess")
let x509: Target.Dependency = .product(name: "X509", package: "swift-certificates")

// In the order of design.md: a target depends only on targets above it.
let package = Package(
    name: "labctl",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "labctl", targets: ["labctl"])
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-asn1", from: "1.7.4"),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.21.1"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-http2", from: "1.46.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2", traits: []),
    ],
    targets: [
        .systemLibrary(
            name: "CLibSSH", pkgConfig: "libssh", providers: [.apt(["libssh-dev"]), .brew(["libssh"])]),
        library("LabCore", [collections]),
        library("LabYAML", ["LabCore", collections]),
        library("LabTemplate", ["LabCore", collections]),
        library("LabTransport", ["LabCore", subprocess]),
        library("LabModel", ["LabCore", "LabYAML", "LabTemplate", "LabTransport", collections]),
        library("LabSSH", ["LabCore", "LabTransport", "CLibSSH", crypto, cryptoExtras]),
        library(
            "LabKube",
            [
                "LabCore", "LabTransport", collections, crypto, nioCore, nioPosix, nioHTTP1, nioTLS, nioSSL, nioHTTP2,
                x509, asn1,
            ]),
        library(
            "LabModules",
            [
                "LabCore", "LabModel", "LabTransport", "LabYAML", "LabKube", collections, crypto, nioCore, nioPosix,
                nioHTTP1, nioSSL, x509, httpClient,
            ]),
        library(
            "LabEngine", ["LabCore", "LabYAML", "LabTemplate", "LabModel", "LabTransport", "LabModules", collections]),
        library("LabReport", ["LabCore", "LabYAML", "LabTransport", "LabModules", "LabEngine", collections]),
        library(
            "LabSandbox",
            [
                "LabCore", "LabYAML", collections, nioCore, nioPosix, nioHTTP1, nioHTTP2, nioSSL, x509, crypto,
                asn1,
            ]),
        library(
            "LabCommands",
            [
                "LabCore", "LabYAML", "LabTemplate", "LabModel", "LabTransport", "LabSSH", "LabKube", "LabModules",
                "LabEngine", "LabReport", "LabSandbox", collections, argumentParser,
            ]),
        // lld, which every toolchain for Linux has, lays the program out so that less of it is read at the start.
        .executableTarget(
            name: "labctl", dependencies: ["LabCommands"], swiftSettings: settings,
            linkerSettings: [.unsafeFlags(["-use-ld=lld"], .when(platforms: [.linux]))]),

        // What tests of several targets share: certificates, servers and proxies on loopback.
        .target(
            name: "LabTesting", dependencies: [nioCore, nioPosix, nioHTTP1, nioSSL, x509, asn1, crypto],
            path: "Tests/LabTesting", swiftSettings: settings),
        tests("LabYAML", ["LabCore", collections], fixtures: ["Fixtures"]),
        tests("LabTemplate", ["LabCore", collections], fixtures: ["Fixtures"]),
        tests("LabTransport", ["LabCore"]),
        tests("LabModel", ["LabCore", "LabTemplate", "LabTransport", collections], fixtures: ["Fixtures"]),
        tests("LabSSH", ["LabCore", "LabTransport", crypto]),
        tests(
            "LabKube",
            [
                "LabCore", "LabTransport", "LabYAML", "LabSandbox", "LabTesting", nioCore, nioPosix, nioHTTP1, nioHTTP2,
                nioSSL, nioTLS,
            ]),
        tests(
            "LabModules",
            [
                "LabCore", "LabTransport", "LabKube", "LabYAML", "LabSandbox", "LabModel", "LabTemplate", "LabTesting",
                collections, nioCore, nioPosix, nioHTTP1, nioSSL, x509, asn1, crypto,
            ]),
        tests(
            "LabEngine", ["LabCore", "LabTransport", "LabModel", "LabModules", "LabKube", "LabSandbox"],
            fixtures: ["Fixtures"]),
        tests("LabReport", ["LabCore", "LabModules", "LabEngine"], fixtures: ["Golden"]),
        tests("LabSandbox", ["LabCore", "LabYAML", collections, nioCore, nioPosix, nioHTTP1, nioHTTP2, nioSSL]),
        .testTarget(name: "IntegrationTests", dependencies: ["labctl", "LabTesting"], swiftSettings: settings),
        tests("LabCommands", ["LabSSH"]),
    ]
)

// The peers that only benchmarks need are not fetched otherwise.
if Context.environment["LABCTL_BENCHMARKS"] == "1" {
    package.dependencies.append(.package(url: "https://github.com/jpsim/Yams", from: "6.2.2"))
    package.targets.append(
        .executableTarget(
            name: "yaml-benchmark",
            dependencies: ["LabCore", "LabYAML", .product(name: "Yams", package: "Yams")],
            path: "Benchmarks/YAML", exclude: ["rapidyaml.py", "README.md"], swiftSettings: settings))
}

// swift build -c release --product yaml-fuzz --sanitize fuzzer
if Context.environment["LABCTL_FUZZ"] == "1" {
    package.targets.append(
        .executableTarget(
            name: "yaml-fuzz", dependencies: ["LabCore", "LabYAML"], path: "Benchmarks/YAMLFuzz",
            swiftSettings: settings + [.unsafeFlags(["-parse-as-library"])]))
}
