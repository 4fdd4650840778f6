import LabCommands

@main
enum Main {
    static func main() async {
        await Labctl.start(arguments: Array(CommandLine.arguments.dropFirst()))
    }
}
