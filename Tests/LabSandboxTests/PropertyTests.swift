import LabCore
import Testing

@testable import LabSandbox

/// Rules that hold for any input, tried on many.
@Suite("Properties")
struct PropertyTests {
    /// A generator with a seed, so that a failure can be repeated.
    struct Seeded: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            // SplitMix64
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return z ^ (z >> 31)
        }
    }

    @Test("A range becomes blocks that hold it exactly, in order, and cannot be fewer")
    func ranges() {
        var random = Seeded(state: 7)
        for _ in 0..<500 {
            let a = UInt128(UInt32.random(in: 0 ... .max, using: &random))
            let b = UInt128(UInt32.random(in: 0 ... .max, using: &random))
            let first = IPAddress(bits: min(a, b), isV6: false)
            let last = IPAddress(bits: max(a, b), isV6: false)
            let blocks = AddressBlock.covering(first, last)
            #expect(blocks.first?.first == first)
            #expect(blocks.last?.last == last)
            for (left, right) in zip(blocks, blocks.dropFirst()) {
                #expect(left.last.bits + 1 == right.first.bits)
                let mergesInto = AddressBlock("\(left.first)/\(left.prefix - 1)")
                #expect(!(left.prefix == right.prefix && mergesInto?.first == left.first), "could be one block")
            }
        }
        #expect(
            AddressBlock.covering(address("0.0.0.0"), address("255.255.255.255")).map(\.description) == ["0.0.0.0/0"])
        #expect(
            AddressBlock.covering(address("192.168.56.200"), address("192.168.56.250")).map(\.description)
                == [
                    "192.168.56.200/29", "192.168.56.208/28", "192.168.56.224/28", "192.168.56.240/29",
                    "192.168.56.248/31", "192.168.56.250/32",
                ])
    }

    private func address(_ text: String) -> IPAddress { IPAddress(text) ?? IPAddress(bits: 0, isV6: true) }

    @Test(
        "Addresses are read and written as Go does",
        arguments: [
            ("10.0.0.1", "10.0.0.1"), ("::", "::"), ("::1", "::1"), ("fd00::", "fd00::"),
            ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"), ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"),
        ])
    func addresses(_ text: String, _ written: String) { #expect(IPAddress(text)?.description == written) }

    @Test(
        "What is no address",
        arguments: [
            "", "1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4", "+1.2.3.4", "1:2", "::1::", "12345::", "a.b.c.d",
        ])
    func noAddresses(_ text: String) { #expect(IPAddress(text) == nil) }

    @Test("Sets of paths: union, intersection and difference obey their laws, and encoding keeps them")
    func fieldSets() {
        var random = Seeded(state: 11)
        func set() -> FieldSet {
            var set = FieldSet()
            for _ in 0..<Int.random(in: 0..<12, using: &random) {
                let length = Int.random(in: 1...4, using: &random)
                set.insert(
                    (0..<length).map { _ -> PathElement in
                        switch Int.random(in: 0..<4, using: &random) {
                        case 0:
                            .key([.init(name: "name", value: .string(["x", "y"].randomElement(using: &random) ?? ""))])
                        case 1: .value(.int(Int.random(in: 0..<2, using: &random)))
                        default: .field(["a", "b", "c"].randomElement(using: &random) ?? "")
                        }
                    })
            }
            return set
        }
        for _ in 0..<300 {
            let (a, b) = (set(), set())
            #expect(a.union(b) == b.union(a))
            #expect(a.intersection(b) == b.intersection(a))
            #expect(a.subtracting(b).intersection(b).isEmpty)
            #expect(a.subtracting(b).union(a.intersection(b)) == a)
            #expect(Set(a.union(b).paths) == Set(a.paths).union(b.paths))
            #expect(FieldSet(encoded: a.encoded) == a)
        }
    }

    @Test("Applying what is there already changes nothing, whatever it is")
    func idempotence() throws {
        var random = Seeded(state: 23)
        let type = try #require(BuiltInSchemas.type(GroupVersion("v1"), "ConfigMap"))
        let updater = Updater(type: type, version: GroupVersion("v1"))
        let names = ["a", "b", "c", "d"]
        func intent() -> Value {
            var data = ValueMap()
            for name in names where Bool.random(using: &random) {
                data[name] = .string(["1", "2"].randomElement(using: &random) ?? "")
            }
            var object: Value = ["apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": "x"]]
            if !data.isEmpty { object["data"] = .map(data) }
            return object
        }
        for _ in 0..<100 {
            var live: Value = ["apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": "x"]]
            var owners = ManagedFields()
            for _ in 0..<6 {
                let manager = ManagedFields.Manager(
                    name: ["one", "two", "three"].randomElement(using: &random) ?? "", operation: .apply,
                    updateVersion: nil)
                let wanted = intent()
                let first = try updater.apply(wanted, to: live, owners: owners, manager: manager, isForced: true)
                let second = try updater.apply(
                    wanted, to: first.object, owners: first.owners, manager: manager, isForced: false)
                #expect(second.object == first.object)
                #expect(second.owners == first.owners)
                for (key, value) in wanted["data"]?.map ?? [:] { #expect(first.object["data"]?[key] == value) }
                let owned = first.owners.entries.values.reduce(FieldSet()) { $0.union($1.fields) }
                for key in (first.object["data"]?.map ?? [:]).keys {
                    #expect(owned.below(.field("data")).contains(.field(key)), "an unowned leftover")
                }
                (live, owners) = first
            }
        }
    }

    @Test(
        "Times are written as RFC 3339",
        arguments: [
            (0, "1970-01-01T00:00:00Z"), (951_782_399, "2000-02-28T23:59:59Z"), (951_782_400, "2000-02-29T00:00:00Z"),
            (1_795_408_836, "2026-11-23T04:40:36Z"), (4_107_542_400, "2100-03-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
        ])
    func times(_ seconds: Int, _ text: String) {
        #expect(Timestamp(seconds: seconds).description == text)
        #expect(Timestamp(rfc3339: text)?.seconds == seconds)
    }

    @Test("Base 64", arguments: [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")])
    func base64(_ text: String, _ encoded: String) { #expect(Base64.encode(Array(text.utf8)) == encoded) }

    @Test("OpenSSH that is missing is told with the package to install")
    func missingSSH() throws {
        let error = try #require(#expect(throws: SandboxError.self) { try OpenSSH.find(searchPath: ["/nowhere"]) })
        #expect(error.diagnostics[0].message == "the sandbox needs OpenSSH's server (sshd), which is not installed")
        #if os(Linux)
            #expect(error.diagnostics[0].hint == "install it: apt-get install openssh-server")
        #endif
    }
}
