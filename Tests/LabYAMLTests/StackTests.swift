import LabCore
import Synchronization
import Testing

@testable import LabYAML

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The deepest input that is read fits the stack of any thread.
struct StackTests {
    /// Runs a body on a thread with half a megabyte of stack, as threads other than the first have on macOS.
    static func onSmallStack(_ body: @escaping @Sendable () -> Void) {
        final class Work: Sendable {
            let body: @Sendable () -> Void
            init(_ body: @escaping @Sendable () -> Void) { self.body = body }
        }
        var isDebug = false
        // Frames are several times larger without optimisation.
        assert(
            {
                isDebug = true; return true
            }())
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        pthread_attr_setstacksize(&attributes, isDebug ? 8 << 20 : 512 << 10)
        let argument = Unmanaged.passRetained(Work(body)).toOpaque()
        #if canImport(Glibc)
            var thread = pthread_t()
            let status = pthread_create(
                &thread, &attributes,
                { argument in
                    if let argument { Unmanaged<Work>.fromOpaque(argument).takeRetainedValue().body() }
                    return nil
                }, argument)
            if status == 0 { pthread_join(thread, nil) }
        #else
            var thread: pthread_t?
            let status = pthread_create(
                &thread, &attributes,
                { argument in
                    Unmanaged<Work>.fromOpaque(argument).takeRetainedValue().body()
                    return nil
                }, argument)
            if status == 0, let thread { pthread_join(thread, nil) }
        #endif
        pthread_attr_destroy(&attributes)
    }

    @Test(arguments: ["[", "{a: ", "- ", "? ", "[? "])
    func theDeepestInputFits(_ opener: String) throws {
        let closers: [Character: String] = ["[": "]", "{": "}"]
        let depth = Limits().depth / (opener == "[? " ? 2 : 1) - 1
        let closer = opener.first.flatMap { closers[$0] } ?? ""
        let text = String(repeating: opener, count: depth) + "x" + String(repeating: closer, count: depth)
        let results = Mutex<[Bool]>([])
        Self.onSmallStack {
            for schema in Schema.allCases {
                let file = SourceFile(path: "deep.yml", text: text)
                let tree = try? YAML.parse(file, schema: schema)
                let written = tree.map { YAML.emit($0) } ?? ""
                let values = try? YAML.load(file, schema: schema).map(\.value)
                let emitted = values.map { YAML.emit(documents: $0) } ?? ""
                results.withLock { $0.append(!written.isEmpty && (values == nil || !emitted.isEmpty)) }
            }
        }
        #expect(results.withLock { $0 } == [true, true, true])
    }
}
