import ArgumentParser
import LabCore
import LabTransport
import LabYAML

/// `labctl yaml FILE`
struct ShowYAML: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "yaml",
        abstract: "Show what the YAML parser sees in a file.",
        discussion: """
            EXAMPLES
              labctl yaml Roles/metallb/tasks/main.yml
              labctl yaml --events --schema core manifest.yaml
              kubectl get cm -o yaml | labctl yaml --json --schema kubernetes -
            """)

    enum Form: String, EnumerableFlag {
        case json, emit, events

        static func help(for value: Form) -> ArgumentHelp? {
            switch value {
            case .json: "Values as JSON, a document after the other."
            case .emit: "Values written as YAML again."
            case .events: "Events, in the notation of the YAML test suite."
            }
        }
    }

    @Argument(help: "The file; - is standard input.")
    var file: String

    @Flag(help: "What to show.")
    var form: Form = .json

    @Option(name: .long, help: "The rules by which plain scalars get their types: core, ansible or kubernetes.")
    var schema: Schema = .ansible

    func run() async throws {
        let source = try await Self.read(file)
        let tree = try YAML.parse(source, schema: schema)
        switch form {
        case .events: StandardStream.output.write(tree.events())
        case .json:
            for value in try YAML.compose(tree, schema: schema) {
                StandardStream.output.line(value.value.json(.indented(2)))
            }
        case .emit:
            StandardStream.output.write(YAML.emit(tree))
        }
    }

    private static func read(_ path: String) async throws -> SourceFile {
        do {
            let bytes = try await LocalConnection().readFile(path == "-" ? "/dev/stdin" : path, become: nil)
            return SourceFile(path: path == "-" ? "<stdin>" : path, bytes: bytes)
        } catch let error as ConnectionError {
            throw InputError("cannot read \(path): \(error.message)")
        }
    }
}

extension Schema: ExpressibleByArgument {}
