import ArgumentParser
import LabCore
import LabModel
import LabModules

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// How the clusters of a run are reached, and as whom.
struct ClusterAccessOptions: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp(
            "A kubeconfig on this machine, for tasks that name none.",
            discussion: "Without it the kubeconfig is read on the node.", valueName: "file"))
    var kubeconfig: String?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "The context of the kubeconfig, for tasks that name none (default: its current-context).",
            valueName: "name"))
    var kubeContext: String?

    @Flag(name: .long, help: "Reach the API server from this machine, not through the node.")
    var kubeDirect = false

    @Flag(
        name: .long,
        help:
            "Run the programs that a kubeconfig names for credentials (exec), on this machine. Only for files that you trust."
    )
    var kubeExec = false

    /// The variables that tell modules of these options.
    ///
    /// - Throws: `UsageError` for a kubeconfig that cannot be read.
    func set(in layer: inout VariableLayer) throws(UsageError) {
        func set(_ variable: ClusterLogin.Variable, _ value: Value) { layer.set(variable.rawValue, value: value) }
        if let kubeconfig {
            guard access(kubeconfig, R_OK) == 0 else {
                throw UsageError("--kubeconfig \(kubeconfig): \(String(cString: strerror(errno)).lowercased())")
            }
            set(.kubeconfig, .string(kubeconfig))
        }
        if let kubeContext { set(.context, .string(kubeContext)) }
        if kubeDirect { set(.isDirect, true) }
        if kubeExec { set(.runsPlugins, true) }
    }
}
