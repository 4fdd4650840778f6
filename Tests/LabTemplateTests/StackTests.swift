import LabCore
import Testing

@testable import LabTemplate

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The limits of nesting hold on the small stacks of secondary threads: 1 MiB, without optimisation.
@Suite struct StackTests {
    @Test func theDeepestTemplatesFitASmallStack() throws {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setstacksize(&attributes, 1 << 20)
        #if canImport(Glibc)
            var thread = pthread_t()
            pthread_create(&thread, &attributes, { _ in deepest() }, nil)
            pthread_join(thread, nil)
        #else
            var thread: pthread_t?
            pthread_create(&thread, &attributes, { _ in deepest() }, nil)
            if let thread { pthread_join(thread, nil) }
        #endif
    }
}

private func deepest() -> UnsafeMutableRawPointer? {
    let texts = [
        "{{ " + String(repeating: "(", count: 57) + "1" + String(repeating: ")", count: 57) + " }}",
        "{{ 1" + String(repeating: " + 1", count: 118) + " }}",
        "{{ " + String(repeating: "[", count: 57) + String(repeating: "]", count: 57) + " | string | length }}",
        "{% macro m() %}{% if 1 %}{{ [m()] }}{% endif %}{% endmacro %}{{ m() }}",
        String(repeating: "{% for i in [1] %}", count: 57) + "x" + String(repeating: "{% endfor %}", count: 57),
    ]
    for text in texts {
        do { _ = try Template.parse(text).render(VariableScope()) } catch {
            // Only the macro without an end is too deep.
            if !text.contains("macro") { Issue.record(error) }
        }
    }
    return nil
}
