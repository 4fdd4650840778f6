import LabCore
import LabTransport

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A program that a kubeconfig names to get a user's credentials from (`exec`, client.authentication.k8s.io).
///
/// It is told about the cluster in `KUBERNETES_EXEC_INFO` and prints an `ExecCredential`
/// (client-go, plugin/pkg/client/auth/exec; kubernetes.io, "client-go credential plugins").
struct ExecPlugin: Sendable {
    private static let versions = ["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"]

    let apiVersion: String
    let command: String
    let arguments: [String]
    let environment: [(name: String, value: String)]
    let installHint: String?
    let providesCluster: Bool
    private let span: SourceSpan?
    /// The kubeconfig's path and the user's name, for messages.
    private let path: String
    private let user: String

    /// Reads the `exec` of a user.
    ///
    /// - Throws: `KubeError` of kind `kubeconfig` that points at what is missing or wrong.
    init(_ value: SourceValue, user: String, path: String) throws(KubeError) {
        self.user = user
        self.path = path
        span = value["command"]?.span ?? value.span
        func wrong(_ message: String, _ key: String, hint: String? = nil) -> KubeError {
            KubeError(.kubeconfig, message, span: value[key]?.span ?? value.span, hint: hint)
        }
        guard let command = value["command"]?.string, !command.isEmpty else {
            throw wrong("the exec of user '\(user)' in \(path) names no command", "command")
        }
        self.command = command
        let wanted = value["apiVersion"]?.string ?? ""
        guard Self.versions.contains(wanted) else {
            throw wrong(
                wanted.isEmpty
                    ? "the exec of user '\(user)' in \(path) has no apiVersion"
                    : "the exec of user '\(user)' in \(path) has apiVersion \(wanted), which is not known",
                "apiVersion",
                hint: wanted.hasSuffix("/v1alpha1")
                    ? "v1alpha1 was removed in Kubernetes 1.24; update the program and its entry to \(Self.versions[0])"
                    : "it is \(Self.versions[0]), or \(Self.versions[1]) for older programs")
        }
        apiVersion = wanted
        installHint = value["installHint"]?.string
        providesCluster = value["provideClusterInfo"]?.bool ?? false
        arguments = (value["args"]?.list ?? []).map { $0.string ?? $0.value.json() }
        var environment: [(name: String, value: String)] = []
        for entry in value["env"]?.list ?? [] {
            guard let name = entry["name"]?.string, !name.isEmpty else {
                throw KubeError(
                    .kubeconfig, "an env of the exec of user '\(user)' in \(path) has no name", span: entry.span)
            }
            environment.append((name, entry["value"]?.string ?? ""))
        }
        self.environment = environment
        switch value["interactiveMode"]?.string {
        case "Never"?, "IfAvailable"?: break
        case nil:
            // v1beta1 has IfAvailable as its default, v1 has none.
            guard wanted == Self.versions[1] else {
                throw wrong(
                    "the exec of user '\(user)' in \(path) has no interactiveMode", "interactiveMode",
                    hint: "set it to IfAvailable or Never")
            }
        case "Always"?:
            throw wrong(
                "'\(command)' of user '\(user)' in \(path) has to ask a person (interactiveMode: Always), "
                    + "and labctl gives it no terminal", "interactiveMode",
                hint: "log in with it before, and set interactiveMode to IfAvailable if it can work without questions")
        case let other?:
            throw wrong(
                "interactiveMode '\(other)' of user '\(user)' in \(path) is not known", "interactiveMode",
                hint: "it is Never, IfAvailable or Always")
        }
    }

    /// What `KUBERNETES_EXEC_INFO` tells the program.
    func information(_ cluster: Kubeconfig.Cluster) -> String {
        var spec: ValueMap = ["interactive": false]
        if providesCluster {
            let host = cluster.host.contains(":") ? "[\(cluster.host)]" : cluster.host
            var told: ValueMap = ["server": .string("https://\(host):\(cluster.port)\(cluster.basePath)")]
            if let name = cluster.serverName { told["tls-server-name"] = .string(name) }
            if !cluster.isVerified { told["insecure-skip-tls-verify"] = true }
            if let authority = cluster.authority {
                told["certificate-authority-data"] = .string(Data(authority.utf8).base64EncodedString())
            }
            if let config = cluster.pluginConfiguration { told["config"] = config }
            spec["cluster"] = .map(told)
        }
        return Value.map([
            "kind": "ExecCredential", "apiVersion": .string(apiVersion), "spec": .map(spec),
        ]).json()
    }

    /// Runs the program and takes the credential that it prints.
    ///
    /// - Parameters:
    ///   - folder: The kubeconfig's folder, which a command with a slash in it is relative to; nil when the kubeconfig is
    ///     on another machine.
    ///   - tell: Gets what the program writes to its standard error, without what is secret.
    /// - Throws: `KubeError` of kind `kubeconfig`: the program is missing, fails, runs too long, or prints something else.
    func run(
        on machine: any Connection, folder: String?, cluster: Kubeconfig.Cluster, timeout: Duration,
        tell: @Sendable (String) -> Void
    ) async throws -> Credential {
        let program = try program(in: folder)
        let result: CommandResult
        do {
            result = try await machine.run(
                Command(
                    .arguments([program] + arguments),
                    environment: environment + [("KUBERNETES_EXEC_INFO", information(cluster))], timeout: timeout))
        } catch let error as ConnectionError where error.kind == .commandTimedOut {
            throw failed("did not answer within \(timeout.text) and was ended", hint: "does it wait for somebody?")
        }
        let printed = try? Value(json: result.standardOutput)
        let words = Self.lines(of: result.errorText, hiding: secrets(in: printed))
        guard result.exitStatus == 0 else {
            if [126, 127].contains(result.exitStatus), try await !isThere(program, machine) {
                throw failed(
                    "is not there", notes: installHint.map { $0.split(separator: "\n").map(String.init) } ?? [],
                    hint: installHint == nil ? "install it, or use a kubeconfig with a token or a certificate" : nil)
            }
            let how = result.signal.map { "was ended by signal \($0)" } ?? "failed with status \(result.exitStatus)"
            throw failed(how, notes: words.isEmpty ? ["it wrote nothing to its standard error"] : words)
        }
        for line in words { tell("\(command): \(line)") }
        return try credential(of: printed, size: result.standardOutput.count, words)
    }

    private func program(in folder: String?) throws(KubeError) -> String {
        guard command.contains("/"), !command.hasPrefix("/") else { return command }
        guard let folder else {
            throw failed(
                "is named relative to the kubeconfig, which is on a node",
                hint:
                    "give the whole path that it has on this machine, or name a kubeconfig of this machine with --kubeconfig"
            )
        }
        return folder.isEmpty ? "./\(command)" : "\(folder)/\(command)"
    }

    private func isThere(_ program: String, _ machine: any Connection) async throws -> Bool {
        let look = Command(.arguments(["/bin/sh", "-c", "command -v -- \"$1\"", "sh", program]), timeout: .seconds(10))
        return try await machine.run(look).exitStatus == 0
    }

    private func credential(of printed: Value?, size: Int, _ words: [String]) throws(KubeError) -> Credential {
        guard let printed else {
            throw failed(
                size == 0 ? "printed nothing" : "printed \(size) bytes that are no JSON, not an ExecCredential",
                notes: words)
        }
        guard printed["kind"]?.string == "ExecCredential" else {
            throw failed("printed JSON that is no ExecCredential", notes: words)
        }
        guard printed["apiVersion"]?.string == apiVersion else {
            throw failed(
                "printed an ExecCredential of apiVersion \(printed["apiVersion"]?.string ?? "(none)"), "
                    + "and the kubeconfig says \(apiVersion)", notes: words)
        }
        guard let status = printed["status"], status.map != nil else {
            throw failed("printed an ExecCredential without a status", notes: words)
        }
        func text(_ key: String) -> String? { status[key]?.string.flatMap { $0.isEmpty ? nil : $0 } }
        let (certificate, key) = (text("clientCertificateData"), text("clientKeyData"))
        guard (certificate == nil) == (key == nil) else {
            throw failed(
                certificate == nil ? "gave a key but no certificate" : "gave a certificate but no key", notes: words)
        }
        guard text("token") != nil || certificate != nil else {
            throw failed("gave neither a token nor a certificate", notes: words)
        }
        var expires: Date?
        if let written = text("expirationTimestamp") {
            guard let date = (try? Date(written, strategy: .iso8601)) ?? Self.fractional(written) else {
                throw failed("gave an expirationTimestamp that is no time", notes: words)
            }
            guard date > Date() else {
                throw failed(
                    "gave a credential that expired on \(dateText(date))", notes: words,
                    hint: "does it keep credentials of its own that have to be renewed? is the clock right?")
            }
            expires = date
        }
        return Credential(
            token: text("token").map { Secret($0) }, certificate: certificate, key: key.map { Secret($0) },
            expires: expires)
    }

    /// RFC 3339 with parts of a second.
    private static func fractional(_ text: String) -> Date? {
        try? Date(text, strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: true))
    }

    private func failed(_ what: String, notes: [String] = [], hint: String? = nil) -> KubeError {
        KubeError(
            .kubeconfig, "the program '\(command)', which gives the credentials of user '\(user)' in \(path), \(what)",
            span: span, notes: notes.map { Diagnostic.Note($0) }, hint: hint)
    }

    /// What must not be shown of an output.
    private func secrets(in printed: Value?) -> [String] {
        ["token", "clientKeyData"].compactMap { printed?[["status", $0]]?.string }.filter { !$0.isEmpty }
    }

    /// The last lines of a standard error, with every part of a secret that stands in one line made unreadable.
    private static func lines(of text: String, hiding secrets: [String]) -> [String] {
        var text = text
        for secret in secrets {
            text = text.replacing(secret, with: "\(Secret(secret))")
            for line in secret.split(separator: "\n") where line.count >= 8 {
                text = text.replacing(line, with: "\(Secret(secret))")
            }
        }
        return text.split(separator: "\n").suffix(10).map(String.init)
    }
}
