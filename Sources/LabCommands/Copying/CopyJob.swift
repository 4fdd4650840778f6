import LabCore
import LabTransport
import Synchronization

/// What is copied from one end to another.
struct CopyJob: Sendable {
    let sources: [String]
    let target: String
    /// Whether the target must be a folder, whatever the sources are.
    let needsFolder: Bool
    let isRecursive: Bool
    /// Whether modes and times are kept.
    let keeps: Bool
    let meter: CopyMeter

    private struct Step: Sendable {
        let entry: CopyEntry
        let path: String
    }

    /// Copies everything that can be copied.
    ///
    /// - Returns: what could not.
    /// - Throws: `ConnectionError`; `CancellationError`; `CopyFailure` when a folder cannot be made.
    func run(from source: any CopyEnd, to target: any CopyEnd) async throws -> [CopyFailure] {
        var failures: [CopyFailure] = []
        var trees: [CopyTree] = []
        for path in sources {
            let (found, broken) = try await source.survey(path, isRecursive: isRecursive)
            failures += broken
            for tree in found {
                if !isRecursive, tree.entries.first?.kind == .folder {
                    failures.append(
                        CopyFailure(message: "\(tree.path) is a folder", hint: "copy it and what is in it with -r"))
                } else if !tree.entries.isEmpty {
                    trees.append(tree)
                }
            }
        }
        guard !trees.isEmpty else { return failures }
        let bases: [String]
        do { bases = try await self.bases(trees, on: target) } catch let error as CopyFailure {
            return failures + [error]
        }
        var folders: [Step] = []
        var files: [Step] = []
        var links: [Step] = []
        for (tree, base) in zip(trees, bases) {
            // A node could name a file inside of a link that it also names, and so lead out of the target.
            let known = Set(tree.entries.filter { $0.kind == .folder }.map(\.path))
            for entry in tree.entries {
                guard let relative = tree.relativePath(of: entry), isInKnownFolder(entry, tree, known) else {
                    failures.append(
                        CopyFailure(message: "\(entry.path) is not inside of \(tree.path), so it is left out"))
                    continue
                }
                let step = Step(entry: entry, path: relative.isEmpty ? base : Self.join(base, relative))
                switch entry.kind {
                case .folder: folders.append(step)
                case .file: files.append(step)
                case .link: links.append(step)
                case .other:
                    failures.append(
                        CopyFailure(message: "\(entry.path) is neither file, folder nor link, so it is left out"))
                }
            }
        }
        meter.expect(files: files.count, bytes: files.reduce(0) { $0 + $1.entry.size })
        if !folders.isEmpty { try await target.makeFolders(folders.map(\.path)) }
        failures += try await copy(files, from: source, to: target)
        for step in links {
            guard case .link(let text) = step.entry.kind else { continue }
            do { try await target.makeLink(step.path, to: text) } catch let error as CopyFailure {
                failures.append(error)
            }
        }
        if keeps, !folders.isEmpty {
            // The deepest first, because to change what is in a folder changes its time.
            let reversed = folders.reversed().map { (path: $0.path, entry: $0.entry) }
            do { try await target.setAttributes(reversed) } catch let error as CopyFailure { failures.append(error) }
        }
        return failures
    }

    private func isInKnownFolder(_ entry: CopyEntry, _ tree: CopyTree, _ folders: Set<String>) -> Bool {
        guard entry.path != tree.path else { return true }
        guard let slash = entry.path.lastIndex(of: "/") else { return false }
        let parent = String(entry.path[..<slash])
        return folders.contains(parent) || folders.contains(parent + "/")
    }

    /// Where each tree goes.
    private func bases(_ trees: [CopyTree], on end: any CopyEnd) async throws -> [String] {
        let kind = try await end.kind(of: target)
        if kind == .folder { return trees.map { $0.name.isEmpty ? target : Self.join(target, $0.name) } }
        guard trees.count == 1, !needsFolder, !target.hasSuffix("/") else {
            throw CopyFailure(
                message: kind == .file ? "\(target) is no folder" : "there is no folder \(target)",
                hint: trees.count > 1 ? "several files need a folder to go to" : nil)
        }
        if kind == .file, trees[0].entries.first?.kind == .folder {
            throw CopyFailure(message: "\(target) is no folder, and \(trees[0].path) is one")
        }
        return [target]
    }

    private static func join(_ folder: String, _ name: String) -> String {
        folder.isEmpty ? name : folder.hasSuffix("/") ? folder + name : folder + "/" + name
    }

    /// A few files at a time, so that one does not wait for the other's answer.
    private func copy(
        _ files: [Step], from source: any CopyEnd, to target: any CopyEnd
    ) async throws -> [CopyFailure] {
        try await withThrowingTaskGroup(of: CopyFailure?.self) { group in
            var failures: [CopyFailure] = []
            var waiting = files[...]
            for step in waiting.prefix(4) {
                waiting = waiting.dropFirst()
                group.addTask { try await copy(step, from: source, to: target) }
            }
            while let failure = try await group.next() {
                if let failure { failures.append(failure) }
                if let step = waiting.popFirst() {
                    group.addTask { try await copy(step, from: source, to: target) }
                }
            }
            return failures
        }
    }

    private func copy(
        _ step: Step, from source: any CopyEnd, to target: any CopyEnd
    ) async throws -> CopyFailure? {
        do {
            let stream = try await source.open(step.entry)
            do {
                try await target.write(step.entry, to: step.path, keeps: keeps, from: stream) { meter.add(bytes: $0) }
                await stream.close()
            } catch {
                await stream.close()
                throw error
            }
            meter.addFile()
            return nil
        } catch let error as CopyFailure {
            return error
        }
    }
}

/// How much of a copy is done.
final class CopyMeter: Sendable {
    struct Reading: Sendable {
        var expectedFiles = 0
        var expectedBytes = 0
        var files = 0
        var bytes = 0
    }

    private let state = Mutex(Reading())

    var reading: Reading { state.withLock { $0 } }

    func expect(files: Int, bytes: Int) {
        state.withLock {
            $0.expectedFiles += files
            $0.expectedBytes += bytes
        }
    }

    func add(bytes: Int) { state.withLock { $0.bytes += bytes } }
    func addFile() { state.withLock { $0.files += 1 } }
}
