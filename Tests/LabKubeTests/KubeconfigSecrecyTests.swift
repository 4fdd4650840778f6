import LabCore
import LabTesting
import LabYAML
import Testing

@testable import LabKube

/// Whatever is wrong with a kubeconfig, its credentials are in nothing that is said about it.
struct KubeconfigSecrecyTests {
    private static let token = "eyJhbGciOiJSUzI1NiJ9-very-secret-token"
    private static let key = "c2VjcmV0LWtleS1tYXRlcmlhbC10aGF0LW5vYm9keS1tYXktc2Vl"
    private static let text = """
        apiVersion: v1
        kind: Config
        clusters:
        - name: c
          cluster:
            server: https://192.168.56.10:6443
            certificate-authority-data: UEVN
        users:
        - name: u
          user:
            token: \(token)
        - name: v
          user: {client-certificate-data: UEVN, client-key-data: \(key)}
        - name: w
          user:
            token: |-
              \(token)
        contexts:
        - name: one
          context: {cluster: c, user: u}
        - name: two
          context: {cluster: c, user: v}
        - name: three
          context: {cluster: c, user: w}
        current-context: one
        """
    private static let pieces: [[UInt8]] = [
        ": ", "- ", "[", "]", "{", "}", "\"", "'", "\n", "\t", "&a ", "*a", "|", "!", "#", "%%", "\n  ", ",", "? ",
        ": [",
    ].map { Array($0.utf8) }

    /// Everything of a diagnostic that is shown anywhere.
    private func shown(_ diagnostics: [Diagnostic]) -> String {
        diagnostics.flatMap { diagnostic -> [String] in
            let spans = ([diagnostic.span] + diagnostic.notes.map(\.span)).compactMap(\.self)
            return [diagnostic.message, diagnostic.hint ?? ""] + diagnostic.notes.map(\.message)
                + spans.map { "\($0) \($0.file.shownLine($0.start.line) ?? "")" }
        }.joined(separator: "\n")
    }

    /// Whether any stretch of ten characters of a secret is in a text.
    private func leaks(_ text: String) -> Bool {
        [Self.token, Self.key].contains { secret in
            let characters = Array(secret)
            return (0...(characters.count - 10)).contains { text.contains(String(characters[$0..<($0 + 10)])) }
        }
    }

    @Test func `kubeconfigs that are broken anywhere leak nothing`() async throws {
        var generator = SeededGenerator(seed: 4)
        var errors = 0
        for _ in 0..<3000 {
            var bytes = Array(Self.text.utf8)
            for _ in 0..<Int.random(in: 1...2, using: &generator) {
                let place = Int.random(in: 0..<bytes.count, using: &generator)
                if Bool.random(using: &generator) {
                    bytes.insert(contentsOf: Self.pieces.randomElement(using: &generator) ?? [], at: place)
                } else {
                    bytes.removeSubrange(place..<min(bytes.count, place + Int.random(in: 1...6, using: &generator)))
                }
            }
            let file = SourceFile(path: "config", bytes: bytes, isSecret: true)
            let context = ["one", "two", "three", nil].randomElement(using: &generator) ?? nil
            do {
                let document = try YAML.load(file, schema: .kubernetes).first ?? SourceValue(.null, span: nil)
                let config = try await Kubeconfig.resolve(document, path: "config", context: context) { _ in [] }
                _ = try TLSSettings(config)
                #expect(!leaks("\(config)"))
            } catch let error as any DiagnosticError {
                errors += 1
                // What the YAML reader says is told without what it quotes, as where kubeconfigs are read.
                let isOfKubeconfig = error is KubeError
                let text = shown(
                    isOfKubeconfig ? error.diagnostics : error.diagnostics.map(\.withoutQuotations))
                #expect(!leaks(text), "\(text)\n--- of\n\(String(decoding: bytes, as: UTF8.self))")
            }
        }
        #expect(errors > 1000)
    }

    @Test(arguments: [
        ("    token: abc", "    token: …"), ("users:", "users:"), ("- name: u", "- name: …"), ("  abcdef", ""),
        ("  user: {token: abc}", "  user: …"), ("abc:def", ""), ("", ""), ("? token", ""),
    ])
    func `a line of a secret file shows its key only`(line: String, shown: String) {
        #expect(SourceFile(path: "f", text: line, isSecret: true).shownLine(1) == shown)
    }

    @Test(arguments: [
        ("k8s_info: {kind: Pod, api_key: abc.def, name: x}", "k8s_info: {kind: Pod, api_key: *******, name: x}"),
        ("  password: 'it is'  # mine", "  password: *******  # mine"),
        ("w1 ansible_password=pw x=1", "w1 ansible_password=** x=1"),
        ("token: \"{{ token }}\"", "token: \"{{ token }}\""), ("\"token\": \"abc\"}", "\"token\": *****}"),
        ("  name: token", "  name: token"), ("password:", "password:"), ("password: \"open", "password: *****"),
    ])
    func `secrets that are written out in other files are asterisks`(line: String, shown: String) {
        #expect(SourceFile(path: "f", text: line).shownLine(1) == shown)
    }
}
