import LabCore
import LabSandbox

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The sandbox that a command works in.
struct SandboxUse: Sendable {
    let sandbox: Sandbox
    /// What was wrong with the sandbox that this one replaces; empty when it replaces none.
    private let faults: [String]

    /// Says that an old sandbox is gone; nil when none is.
    var replacement: String? {
        faults.isEmpty || sandbox.wasRunning
            ? nil : "the old sandbox was removed, with all that was in its cluster: \(faults.joined(separator: "; "))"
    }

    var inventoryPath: String { sandbox.inventoryPath }

    /// The sandbox of the project in the working directory, started when it is not up; says which it is.
    static func start(tell: (String) -> Void) async throws -> SandboxUse {
        let executable = try ownExecutable()
        let assets = Surroundings.environment["KUBEBUILDER_ASSETS"].flatMap { $0.isEmpty ? nil : $0 }
        var faults: [String] = []
        if case .broken(let found) = Sandbox.status(project: ".") { faults = found }
        let sandbox = try await Sandbox.up(
            LabSandbox.SandboxOptions(project: ".", executable: executable, assets: assets))
        tell(sandbox.kind.sentence)
        let use = SandboxUse(sandbox: sandbox, faults: faults)
        if let replacement = use.replacement { tell(replacement) }
        if !sandbox.wasRunning { tell("started it; `labctl sandbox down` ends it") }
        return use
    }

    /// The path of the labctl that is running.
    static func ownExecutable() throws(UsageError) -> String {
        #if canImport(Glibc)
            var buffer = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
            let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
            if count > 0 {
                return String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
            }
        #else
            var size = UInt32(PATH_MAX) + 1
            var buffer = [CChar](repeating: 0, count: Int(size))
            if _NSGetExecutablePath(&buffer, &size) == 0 {
                return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            }
        #endif
        throw UsageError("labctl cannot find its own program file to start the sandbox with")
    }
}
