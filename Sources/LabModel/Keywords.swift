/// The keywords of plays, blocks, tasks and roles ("Playbook Keywords" of Ansible's reference).
enum Keywords {
    /// Of tasks, blocks, plays and roles in plays alike.
    static let common: Set<String> = [
        "any_errors_fatal", "become", "become_exe", "become_flags", "become_method", "become_user", "check_mode",
        "collections", "connection", "debugger", "diff", "environment", "ignore_errors", "ignore_unreachable",
        "module_defaults", "name", "no_log", "port", "remote_user", "run_once", "tags", "throttle", "timeout", "vars",
    ]
    static let conditional: Set<String> = ["when", "delegate_to", "delegate_facts"]

    static let task: Set<String> = common.union(conditional).union([
        "action", "args", "async", "changed_when", "delay", "failed_when", "local_action", "loop", "loop_control",
        "notify", "poll", "register", "retries", "until",
    ])
    static let handler: Set<String> = task.union(["listen"])
    static let block: Set<String> = common.union(conditional).union(["block", "rescue", "always", "notify"])
    static let role: Set<String> = common.union(conditional).union(["role"])
    static let play: Set<String> = common.union([
        "hosts", "roles", "tasks", "pre_tasks", "post_tasks", "handlers", "vars_files", "vars_prompt", "gather_facts",
        "gather_subset", "gather_timeout", "fact_path", "serial", "strategy", "order", "max_fail_percentage",
        "force_handlers", "user",
    ])
    /// What an `include_tasks` may have besides its file (`TaskInclude.VALID_INCLUDE_KEYWORDS`).
    static let includeTasks: Set<String> = [
        "action", "args", "collections", "debugger", "ignore_errors", "loop", "loop_control", "name", "no_log",
        "register",
        "run_once", "tags", "timeout", "vars", "when",
    ]
    static let loopControl: Set<String> = [
        "loop_var", "index_var", "label", "pause", "extended", "extended_allitems", "break_when",
    ]

    /// Keywords that Ansible has and labctl does not, each with why and what to do.
    static let refused: [String: (reason: String, hint: String)] = [
        "async": (
            "labctl waits for every task, so that it can say what it changed",
            "leave 'async' away, or give the task a 'timeout'"
        ),
        "debugger": ("labctl has no task debugger", "use '--check --diff' to see what a task would do"),
        "become_exe": ("labctl calls sudo, su and doas by their names", "put the program into the PATH of the node"),
        "become_flags": ("labctl chooses the flags itself", "leave 'become_flags' away"),
        "vars_prompt": ("labctl asks no questions", "give the variable with '-e name=value'"),
    ]
}
