import CLibSSH
import LabCore
import LabTransport
import Synchronization

/// The private keys of a run: each file is read once, and each passphrase asked for once, however many hosts there are.
final class KeyRing: Sendable {
    private let keys = Mutex<[String: LoadedKey]>([:])
    /// Passphrases that nobody knew: not asked for again.
    private let refused = Mutex<[String: String]>([:])
    private let questions = AsyncLock()
    private let prompt: SSHSettings.Prompt?

    init(prompt: SSHSettings.Prompt?) { self.prompt = prompt }

    var canAsk: Bool { prompt != nil }

    /// Reads a key that needs no passphrase, or gives one that was unlocked before.
    func load(_ path: String, until deadline: ContinuousClock.Instant) async throws -> KeyFile.Loaded {
        if let key = keys.withLock({ $0[path] }) { return .key(key) }
        let loaded = try await abandonable(until: deadline) { KeyFile.load(path, passphrase: nil) }
        if case .key(let key) = loaded { keys.withLock { $0[path] = key } }
        return loaded
    }

    /// Asks for the passphrase of a key, up to three times.
    func unlock(_ path: String) async throws -> KeyFile.Loaded {
        guard let prompt else { return .unreadable("needs a passphrase, and nobody can be asked") }
        return try await questions.withLock {
            // Whoever waited for another host's question may find it answered.
            if let key = keys.withLock({ $0[path] }) { return .key(key) }
            if let why = refused.withLock({ $0[path] }) { return .unreadable(why) }
            for _ in 0..<3 {
                guard let passphrase = try await prompt(.passphrase(keyFile: path)) else { break }
                let loaded = try await abandonable(until: nil) { KeyFile.load(path, passphrase: passphrase) }
                if case .needsPassphrase = loaded { continue }
                if case .key(let key) = loaded { keys.withLock { $0[path] = key } }
                return loaded
            }
            let why = "its passphrase was not given"
            refused.withLock { $0[path] = why }
            return .unreadable(why)
        }
    }

    /// Asks the user something, while nobody else is asking.
    func ask(_ question: SSHSettings.Question) async throws -> Secret? {
        guard let prompt else { return nil }
        return try await questions.withLock { try await prompt(question) }
    }
}
