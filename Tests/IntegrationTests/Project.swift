import Foundation
import Testing

/// A project folder as a user has one: the shipped roles, a copy of the shipped inventory, and what the test writes.
final class Project: Sendable {
    let folder: URL

    /// - Parameter shipped: Whether the repository's Roles and Inventory are in it.
    init(shipped: Bool = false) throws {
        // Short, and with no symbolic link in it: a socket's path has to fit, and messages show the path.
        folder = FileManager.default.temporaryDirectory.resolvingSymlinksInPath()
            .appending(path: "labctl-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(
            at: folder.appending(path: "home"), withIntermediateDirectories: true)
        guard shipped else { return }
        try FileManager.default.createSymbolicLink(
            at: folder.appending(path: "Roles"), withDestinationURL: Labctl.root.appending(path: "Roles"))
        // Resolved, since copying a symbolic link would let the test write into the repository.
        try FileManager.default.copyItem(
            at: Labctl.root.appending(path: "Inventory").resolvingSymlinksInPath(),
            to: folder.appending(path: "Inventory"))
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    /// Writes a file, with the folders above it, and returns its path.
    @discardableResult
    func write(_ text: String, to path: String) throws -> String {
        let file = folder.appending(path: path)
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: file)
        return file.path
    }

    /// The text of a file of the project.
    func read(_ path: String) throws -> String {
        String(decoding: try Data(contentsOf: folder.appending(path: path)), as: UTF8.self)
    }

    /// Keeps the user's own home and cache out of the test.
    private var surroundings: [String: String] {
        [
            "HOME": folder.appending(path: "home").path,
            "XDG_CACHE_HOME": folder.appending(path: "home/.cache").path,
            "NO_PROXY": "127.0.0.1",
        ]
    }

    /// Runs labctl in the project.
    func labctl(_ arguments: String..., deadline: Int = 120) throws -> Labctl.Outcome {
        try Labctl.run(arguments, in: folder, environment: surroundings, deadline: deadline)
    }

    /// Runs labctl in the project with a list of arguments.
    func labctl(_ arguments: [String], deadline: Int = 120) throws -> Labctl.Outcome {
        try Labctl.run(arguments, in: folder, environment: surroundings, deadline: deadline)
    }

    /// Starts labctl in the project.
    func start(_ arguments: String..., deadline: Int = 120) throws -> RunningProgram {
        try Labctl.start(arguments, in: folder, environment: surroundings, deadline: deadline)
    }
}

extension Labctl.Outcome {
    /// Expects the exit status and every one of `texts` in the output; shows the whole output otherwise.
    func expect(
        status: Int32, _ texts: String..., sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(self.status == status, "the whole output:\n\(everything)", sourceLocation: sourceLocation)
        let text = unwrapped
        for wanted in texts where !wanted.isEmpty {
            #expect(
                text.contains(wanted.asOneLine), "missing: \(wanted)\nthe whole output:\n\(everything)",
                sourceLocation: sourceLocation)
        }
    }

    /// Expects none of `texts` in the output.
    func expectNot(_ texts: String..., sourceLocation: SourceLocation = #_sourceLocation) {
        let text = unwrapped
        for unwanted in texts {
            #expect(
                !text.contains(unwanted.asOneLine), "unwanted: \(unwanted)\nthe whole output:\n\(everything)",
                sourceLocation: sourceLocation)
        }
    }

    /// How often `text` stands in the output.
    func count(of text: String) -> Int { unwrapped.components(separatedBy: text.asOneLine).count - 1 }

    /// The output without the line breaks and indentation with which long sentences are laid out.
    var unwrapped: String { everything.asOneLine }
}

extension String {
    /// The text with each run of white space as one space.
    fileprivate var asOneLine: String {
        split(whereSeparator: \.isWhitespace).joined(separator: " ")
    }
}
