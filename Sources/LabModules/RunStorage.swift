/// Objects that live as long as one run, made once per key and closed at its end.
package actor RunStorage {
    /// Something that holds resources until it is closed.
    package protocol Resource: Sendable {
        func close() async
    }

    private var making: [String: Task<any Resource, any Error>] = [:]

    package init() {}

    /// The object under `key`, made by the first caller; the others wait for it. A failure to make it is not kept, so
    /// that a later task may try again.
    package func resource<R: Resource>(
        _ key: String, as type: R.Type, make: @escaping @Sendable () async throws -> R
    ) async throws -> R {
        let task: Task<any Resource, any Error>
        if let existing = making[key] {
            task = existing
        } else {
            task = Task { try await make() }
            making[key] = task
        }
        do {
            let made = try await withTaskCancellationHandler {
                try await task.value
            } onCancel: {
                task.cancel()
            }
            guard let made = made as? R else {
                throw ModuleError("the run's storage has something else under '\(key)'")
            }
            return made
        } catch {
            if making[key] == task { making[key] = nil }
            throw error
        }
    }

    /// Forgets and closes the object under `key`, so that the next use makes it anew.
    package func discard(_ key: String) async {
        guard let task = making.removeValue(forKey: key), let made = try? await task.value else { return }
        await made.close()
    }

    /// Closes everything.
    package func close() async {
        let all = making
        making = [:]
        for task in all.values {
            task.cancel()
            if let made = try? await task.value { await made.close() }
        }
    }
}
