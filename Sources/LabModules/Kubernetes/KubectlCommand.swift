/// A `kubectl apply` as somebody wrote it: what it applies, as whom, and to which cluster.
///
/// Only what can be told for certain: nil for other subcommands, and for options that choose objects by means that are
/// not known here (`-k`, `-R`, `-l`, `--prune`, `--dry-run`).
package struct KubectlCommand: Sendable, Hashable {
    /// Files of the node, `http(s)` URLs, or `-` for standard input.
    package var files: [String] = []
    package var isServerSide = false
    package var forcesConflicts = false
    package var fieldManager: String?
    package var namespace: String?
    package var kubeconfig: String?
    package var context: String?

    /// kubectl's own names where none is given (kubectl pkg/cmd/apply/apply.go).
    package var manager: String { fieldManager ?? (isServerSide ? "kubectl" : "kubectl-client-side-apply") }

    /// Options with a value that may follow as the next word; other options are flags.
    private static let optionsWithValues: Set<String> = [
        "--filename", "--namespace", "--kubeconfig", "--context", "--field-manager", "--output", "--cluster", "--user",
        "--server", "--token", "--as", "--as-group", "--as-uid", "--cache-dir", "--certificate-authority",
        "--client-certificate", "--client-key", "--request-timeout", "--tls-server-name", "--v", "--timeout",
        "--grace-period", "--cascade", "--template", "--selector", "--kustomize", "--prune-allowlist", "--applyset",
    ]
    private static let shortNames: [Character: String] = [
        "f": "--filename", "n": "--namespace", "o": "--output", "s": "--server", "v": "--v", "l": "--selector",
        "k": "--kustomize", "R": "--recursive",
    ]
    /// With these it is not known which objects of which cluster are written, or none are.
    private static let opaque: Set<String> = [
        "--selector", "--kustomize", "--recursive", "--prune", "--dry-run", "--applyset", "--cluster", "--user",
        "--server", "--token", "--as", "--help",
    ]

    package init?(_ arguments: [String]) {
        guard let program = arguments.first, program.split(separator: "/").last == "kubectl" else { return nil }
        var words = arguments.dropFirst()
        var verbs: [String] = []
        while let word = words.popFirst() {
            guard word.hasPrefix("-"), word != "-" else {
                verbs.append(word)
                continue
            }
            var (name, value) = Self.option(word)
            if value == nil, Self.optionsWithValues.contains(name) { value = words.popFirst() }
            guard !Self.opaque.contains(name) || value == "false" else { return nil }
            take(name, value)
        }
        guard verbs.first == "apply", verbs.count == 1, !files.isEmpty else { return nil }
    }

    private static func option(_ word: String) -> (name: String, value: String?) {
        if word.hasPrefix("--") {
            guard let equals = word.firstIndex(of: "=") else { return (word, nil) }
            return (String(word[..<equals]), String(word[word.index(after: equals)...]))
        }
        let letter = word.dropFirst().first ?? "-"
        let name = shortNames[letter] ?? word
        var rest = word.dropFirst(2)
        if rest.first == "=" { rest = rest.dropFirst() }
        return (name, rest.isEmpty ? nil : String(rest))
    }

    private mutating func take(_ name: String, _ value: String?) {
        switch name {
        case "--filename": files += (value ?? "").split(separator: ",").map(String.init)
        case "--server-side": isServerSide = value != "false"
        case "--force-conflicts": forcesConflicts = value != "false"
        case "--field-manager": fieldManager = value
        case "--namespace": namespace = value
        case "--kubeconfig": kubeconfig = value
        case "--context": context = value
        default: break
        }
    }
}
