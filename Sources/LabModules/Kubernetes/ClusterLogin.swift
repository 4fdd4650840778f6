import LabCore
import LabKube
import LabTransport
import LabYAML
import Synchronization

/// A client of one cluster, kept for the run, and what the run has planned for the cluster so far.
package actor ClusterSession: RunStorage.Resource {
    package nonisolated let client: KubeClient
    private var expected = ExpectedObjects()
    private var latest: ApplyProgress?
    private var wanted: Set<ObjectIdentity> = []
    private var warnings: [String]
    private let plugins: PluginVoice

    init(client: KubeClient, plugins: PluginVoice) {
        self.client = client
        self.warnings = client.kubeconfig.warnings
        self.plugins = plugins
    }

    /// What earlier tasks of the run bring, for tasks that are only planned.
    package var expectedObjects: ExpectedObjects { expected }

    /// Notes that these objects will be there from now on.
    package func expect(_ objects: [Value]) { expected.formUnion(ExpectedObjects(broughtBy: objects)) }

    /// Notes what some task has in the cluster, whichever role it is of.
    func noteWanted(_ plan: ApplyPlan) { wanted.formUnion(plan.items.map { ObjectIdentity($0.reference) }) }

    /// Whether a task of this pass of the run has the object.
    func isWanted(_ identity: ObjectIdentity) -> Bool { wanted.contains(identity) }

    /// Notes an apply, for the plan that comes next: what it answered is known, and it waits for what is under way.
    func note(_ progress: ApplyProgress) {
        latest?.abandon()
        latest = progress
    }

    /// The last apply, once.
    func takeLatest() -> ApplyProgress? {
        defer { latest = nil }
        return latest
    }

    /// The warnings of the server, of programs for credentials, and about the kubeconfig that were not shown yet.
    package func takeWarnings() -> [String] {
        defer { warnings = [] }
        return plugins.take() + warnings + client.takeWarnings()
    }

    package func close() async {
        latest?.abandon()
        await client.close()
    }
}

/// What programs for credentials wrote to their standard error, until somebody is told.
final class PluginVoice: Sendable {
    private let lines = Mutex<[String]>([])

    func add(_ line: String) { lines.withLock { $0.append(line) } }

    func take() -> [String] {
        lines.withLock { lines in
            defer { lines = [] }
            return lines
        }
    }
}

/// Finds the kubeconfig on the node and opens the way to its API server through the node's connection.
package struct ClusterLogin: Sendable {
    /// The parameters that every module of kubernetes.core has for this.
    static let parameters: [ModuleSpecification.Parameter] = [
        .init("kubeconfig", .any), .init("context"), .init("host"), .init("api_key"),
        .init("ca_cert", .path, aliases: ["ssl_ca_cert"]), .init("client_cert", .path, aliases: ["cert_file"]),
        .init("client_key", .path, aliases: ["key_file"]), .init("validate_certs", .bool, aliases: ["verify_ssl"]),
    ]

    /// The variables that say for a whole run how clusters are reached; the command line's options set them.
    package enum Variable: String, CaseIterable, Sendable {
        /// The API server is reached from the laptop itself instead of through the node (`--kube-direct`).
        case isDirect = "labctl_kube_direct"
        /// Programs that a kubeconfig names for credentials may be run on the laptop (`--kube-exec`).
        case runsPlugins = "labctl_kube_exec"
        /// The context for tasks that name none (`--kube-context`).
        case context = "labctl_kube_context"
        /// A kubeconfig on the laptop, for tasks that name none (`--kubeconfig`).
        case kubeconfig = "labctl_kubeconfig"
    }

    let call: ModuleCall
    let context: ModuleContext
    /// The run's own kubeconfig and context count, where the call has none.
    private let followsRun: Bool

    /// - Parameter followsRun: False for what somebody else's program does, which knows nothing of labctl's variables.
    package init(call: ModuleCall, context: ModuleContext, followsRun: Bool = true) {
        self.call = call
        self.context = context
        self.followsRun = followsRun
    }

    /// The session of this call's cluster, made at its first use in the run.
    ///
    /// - Throws: `ModuleError` when there is no kubeconfig or it cannot be used; `ConnectionError`.
    package func session() async throws -> ClusterSession {
        let isDirect = try flag(.isDirect)
        let names = [
            "kubeconfig", "context", "host", "api_key", "ca_cert", "client_cert", "client_key", "validate_certs",
        ]
        let chosen = names.map { call[$0]?.json() ?? "" }
        let surroundings = [
            environment("KUBECONFIG"), environment("K8S_AUTH_KUBECONFIG"), environment("K8S_AUTH_CONTEXT"),
            context.become?.user, isDirect ? "direct" : nil, try flag(.runsPlugins) ? "plugins" : nil,
            try text(.context), try text(.kubeconfig),
        ].map { $0 ?? "" }
        let key = (["kubernetes", context.hostName] + chosen + surroundings).joined(separator: "\u{0}")
        do {
            return try await context.shared.resource(key, as: ClusterSession.self) {
                do {
                    let plugins = PluginVoice()
                    return ClusterSession(client: try await client(isDirect: isDirect, plugins), plugins: plugins)
                } catch let error as KubeError {
                    throw Failure(error: ModuleError(error), place: place)
                } catch let error as ModuleError {
                    throw Failure(error: error, place: place)
                }
            }
        } catch let failure as Failure {
            throw failure.error.moved(from: failure.place, to: place)
        }
    }

    /// Why no session was made, and the place of the call that tried: others that waited for it tell their own.
    private struct Failure: Error {
        let error: ModuleError
        let place: SourceSpan?
    }

    private var place: SourceSpan? { call.source["kubeconfig"]?.span ?? call.span }

    private func client(isDirect: Bool, _ plugins: PluginVoice) async throws -> KubeClient {
        let config = try await kubeconfig(plugins)
        if isDirect {
            let laptop = context.controller
            return try KubeClient(config) { host, port in try await laptop.openForward(host: host, port: port) }
        }
        // Asked for anew each time: a session that was lost is another one afterwards.
        let connection = context.connection
        return try KubeClient(config) { host, port in try await connection().openForward(host: host, port: port) }
    }

    private func flag(_ variable: Variable) throws -> Bool {
        try context.variable(variable.rawValue).map(truth) ?? false
    }

    private func text(_ variable: Variable) throws -> String? {
        guard followsRun else { return nil }
        return try context.variable(variable.rawValue)?.string.flatMap { $0.isEmpty ? nil : $0 }
    }

    private func environment(_ name: String) -> String? {
        context.environment.last { $0.name == name }?.value
    }

    // MARK: The kubeconfig

    private func kubeconfig(_ voice: PluginVoice) async throws -> Kubeconfig {
        var become = context.become
        var machine = context.connection
        let wanted = try call["context"]?.string ?? text(.context) ?? environment("K8S_AUTH_CONTEXT")
        let document: SourceValue
        let path: String
        /// Where the file is, when it is on the laptop.
        var folder: String?
        if let host = call["host"]?.string, !host.isEmpty {
            (document, path) = (assembled(server: host), "<task>")
        } else if let given = call["kubeconfig"], given.map != nil {
            (document, path) = (SourceValue(given, span: call.source["kubeconfig"]?.span), "<task>")
        } else if call["kubeconfig"] == nil, let own = try text(.kubeconfig) {
            let laptop = context.controller
            (machine, become) = ({ laptop }, nil)
            path = own
            folder = own.lastIndex(of: "/").map { $0 == own.startIndex ? "/" : String(own[..<$0]) } ?? ""
            document = try await ownFile(own)
        } else {
            (path, document) = try await find(try await machine())
        }
        var plugins: Kubeconfig.PluginPermission?
        if try flag(.runsPlugins) {
            plugins = Kubeconfig.PluginPermission(on: context.controller, folder: folder) { voice.add($0) }
        }
        return try await Kubeconfig.resolve(
            document, path: path, context: wanted,
            readFile: { [machine, become] file in
                try await machine().readFile(file, become: become)
            }, plugins: plugins)
    }

    /// A kubeconfig of the laptop's.
    private func ownFile(_ path: String) async throws -> SourceValue {
        do {
            let bytes = try await context.controller.readFile(path, become: nil)
            return try self.document(SourceFile(path: path, bytes: bytes, isSecret: true))
        } catch let error as ConnectionError {
            throw ModuleError(
                "the kubeconfig \(path) on this machine cannot be read", notes: [Diagnostic.Note(error.message)],
                hint: "look at --kubeconfig, or at the variable \(Variable.kubeconfig.rawValue)", failureClass: .input)
        }
    }

    /// A kubeconfig of the task's own parameters (`host`, `api_key`, `ca_cert` …).
    private func assembled(server: String) -> SourceValue {
        var cluster: ValueMap = ["server": .string(server)]
        if let path = call["ca_cert"] { cluster["certificate-authority"] = path }
        if call["validate_certs"] == false { cluster["insecure-skip-tls-verify"] = true }
        var user: ValueMap = [:]
        if let token = call["api_key"] { user["token"] = token }
        if let path = call["client_cert"] { user["client-certificate"] = path }
        if let path = call["client_key"] { user["client-key"] = path }
        return SourceValue(
            [
                "kind": "Config", "current-context": "task",
                "clusters": [["name": "task", "cluster": .map(cluster)]],
                "users": [["name": "task", "user": .map(user)]],
                "contexts": [["name": "task", "context": ["cluster": "task", "user": "task"]]],
            ], span: call.span)
    }

    /// Prints the path of the first kubeconfig that can be read and then the file, or why none can, in one round trip.
    ///
    /// `$1` is the one path to try, where the task names one. A `~` that the task wrote is the home of the user that the
    /// command runs as.
    private static let script = """
        try() {
          [ -n "$1" ] || return 1
          case $1 in '~/'*) set -- "$HOME/${1#'~/'}" ;; esac
          if [ ! -e "$1" ]; then printf '%s\\tdoes not exist\\n' "$1" >&2; return 1; fi
          if [ ! -r "$1" ] || [ ! -f "$1" ]; then printf '%s\\tcannot be read by %s\\n' "$1" "$(id -un)" >&2; return 1; fi
          printf '%s\\n' "$1"
          cat -- "$1"
          exit 0
        }
        if [ -n "$1" ]; then IFS=:; for path in $1; do try "$path"; done; exit 3; fi
        try "$K8S_AUTH_KUBECONFIG"
        if [ -n "$KUBECONFIG" ]; then IFS=:; for path in $KUBECONFIG; do try "$path"; done; unset IFS; fi
        try "$HOME/.kube/config"
        try /etc/kubernetes/admin.conf
        try /etc/rancher/k3s/k3s.yaml
        exit 3
        """

    private func find(_ connection: any Connection) async throws -> (path: String, document: SourceValue) {
        let named = call["kubeconfig"]?.string ?? environment("KUBECONFIG") ?? environment("K8S_AUTH_KUBECONFIG")
        var tried: [String] = []
        // What the task's user has not, the login user may have.
        let users: [Become?] = context.become == nil ? [nil] : [context.become, nil]
        for become in users {
            let result = try await connection.run(
                Command(
                    .arguments(["/bin/sh", "-c", Self.script, "kubeconfig", named ?? ""]), become: become,
                    timeout: .seconds(30)))
            if result.exitStatus == 0 {
                let bytes = result.standardOutput
                let end = bytes.firstIndex(of: 0x0A) ?? bytes.endIndex
                let path = String(decoding: bytes[..<end], as: UTF8.self)
                let file = SourceFile(
                    path: "\(context.hostName):\(path)", bytes: Array(bytes[end...].dropFirst()),
                    isSecret: true)
                return (path, try document(file))
            }
            for line in result.errorText.split(separator: "\n") {
                let parts = line.split(separator: "\t", maxSplits: 1)
                let sentence = parts.count == 2 ? "\(parts[0]) \(parts[1])" : String(line)
                if !tried.contains(sentence) { tried.append(sentence) }
            }
        }
        throw ModuleError(
            named.map { "the kubeconfig \($0) on \(context.hostName) cannot be used" }
                ?? "there is no kubeconfig on \(context.hostName)",
            span: call.source["kubeconfig"]?.span ?? call.span, notes: tried.map { Diagnostic.Note($0) },
            hint: "set the task's kubeconfig parameter, or KUBECONFIG in its environment")
    }

    private func document(_ file: SourceFile) throws -> SourceValue {
        do {
            return try YAML.load(file, schema: .kubernetes).first ?? SourceValue(.null, span: file.span(0..<0))
        } catch {
            throw KubeError(.kubeconfig, diagnostics: error.diagnostics.map(\.withoutQuotations))
        }
    }
}

extension ModuleError {
    /// A failure of the cluster as a failure of the task.
    init(_ error: KubeError) {
        var values: ValueMap = [:]
        if let status = error.status {
            values["status"] = .int(status.code)
            values["reason"] = .string(status.reason)
            values["error"] = .int(status.code)
        }
        self.init(error.diagnostics, values: values, failureClass: error.failureClass, isTransient: error.isTransient)
    }
}

extension ModuleError {
    /// The same error of another call: what is told of the one's place is told of the other's.
    fileprivate func moved(from old: SourceSpan?, to new: SourceSpan?) -> ModuleError {
        let diagnostics = diagnostics.map { diagnostic in
            var moved = diagnostic
            if diagnostic.span == old { moved.span = new }
            return moved
        }
        return ModuleError(diagnostics, values: values, failureClass: failureClass, isTransient: isTransient)
    }
}
