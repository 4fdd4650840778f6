import LabCore
import LabModules
import LabTransport
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A folder of the machine itself, in which modules are called as an engine would call them.
final class Node: Sendable {
    let folder: String
    let connection = LocalConnection(hostName: "node")
    let storage = RunStorage()

    init() throws {
        folder = "/tmp/labctl-modules-\(getpid())-\(UInt64.random(in: .min ... .max))"
        guard mkdir(folder, 0o755) == 0 else { throw ModuleError("no temporary folder") }
    }

    deinit { _ = system("rm -rf '\(folder)'") }

    var context: ModuleContext {
        var context = ModuleContext(
            hostName: "node", connection: { [connection] in connection }, controller: connection, shared: storage)
        context.searchPaths = [folder]
        context.isLocal = true
        context.wantsDiff = true
        return context
    }

    @discardableResult
    func sh(_ script: String) -> Int32 { system("cd '\(folder)' && \(script)") }

    func write(_ name: String, _ text: String) {
        guard let file = fopen("\(folder)/\(name)", "w") else {
            Issue.record("cannot write \(name)")
            return
        }
        fputs(text, file)
        fclose(file)
    }

    func read(_ name: String) -> String? {
        guard let file = fopen("\(folder)/\(name)", "r") else { return nil }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        while true {
            let byte = getc(file)
            if byte == EOF { return String(decoding: bytes, as: UTF8.self) }
            bytes.append(UInt8(truncatingIfNeeded: byte))
        }
    }

    func mode(_ name: String) -> Int {
        var information = stat()
        return lstat("\(folder)/\(name)", &information) == 0 ? Int(information.st_mode) & 0o7777 : -1
    }

    /// What a call did, in the engine's steps.
    struct Outcome {
        var first: Plan
        var result: ModuleResult?
        var second: Plan?

        /// `ok`, `changed`, `unstable`, `unknown`, `read`: what the plans say together.
        var summary: String {
            switch (first.verdict, second?.verdict) {
            case (.nothing, _): "ok"
            case (.readOnly, _): "read"
            case (.unpredictable, _): "unknown"
            case (.changes, .nothing?): "changed"
            case (.changes, nil): "planned"
            case (.changes, _): "unstable"
            }
        }

        var changes: [Change] { if case .changes(let changes) = first.verdict { changes } else { [] } }
        /// What `register` would get.
        var values: ValueMap {
            (second?.values ?? first.values).merging(result?.values ?? [:]) { _, applied in applied }
        }
    }

    /// Plans, applies and plans again. `DIR` in texts is the node's folder.
    func call(
        _ module: some Module, _ arguments: ValueMap, freeForm: String? = nil, applies: Bool = true,
        context: ModuleContext? = nil
    ) async throws -> Outcome {
        let context = context ?? self.context
        let located = replaced(.map(arguments)).map ?? [:]
        let converted = try module.specification.convert(located)
        let call = ModuleCall(
            arguments: converted, freeForm: freeForm?.replacing("DIR", with: folder), source: SourceValue(.map(located))
        )
        var outcome = Outcome(first: try await module.plan(call, in: context))
        if case .nothing = outcome.first.verdict { return outcome }
        guard applies else { return outcome }
        outcome.result = try await module.apply(outcome.first, for: call, in: context)
        outcome.second = try await module.plan(call, in: context)
        return outcome
    }

    private func replaced(_ value: Value) -> Value {
        switch value {
        case .string(let text): .string(text.replacing("DIR", with: folder))
        case .list(let values): .list(values.map(replaced))
        case .map(let entries): .map(entries.mapValues(replaced))
        default: value
        }
    }
}
