import ArgumentParser

/// How the results are shown.
struct OutputOptions: ParsableArguments {
    enum Format: String, ExpressibleByArgument, CaseIterable { case text, json, junit }

    @Option(
        name: [.short, .long],
        help: ArgumentHelp(
            "text for people, json (one event a line) or junit for programs.", valueName: "format"))
    var output: Format = .text

    @Flag(name: [.short, .long], help: "Show what commands print, while they run.")
    var verbose = false

    @Flag(name: .long, help: "No colours and no live line, as with NO_COLOR=1.")
    var noColor = false
}
