import LabCore
import LabModel
import LabTransport

/// Everything that a run needs to know: which plays, on which hosts, how.
package struct RunPlan: Sendable {
    /// What was asked for, for people: `metallb`, `site.yml`.
    package var title: String
    package var inventory: Inventory
    package var plays: [Play]
    package var options: RunOptions

    package init(title: String, inventory: Inventory, plays: [Play], options: RunOptions = RunOptions()) {
        self.title = title
        self.inventory = inventory
        self.plays = plays
        self.options = options
    }
}

/// How a run goes about its plays.
package struct RunOptions: Sendable {
    /// On how many hosts a task runs at the same time.
    package var forks = Forks.adaptive
    /// A pattern that hosts must match as well (`-l`).
    package var limit: String?
    package var tags = TagSelection()
    /// `-e`.
    package var extraVariables: [VariableLayer] = []
    /// Keywords for tasks that have none of their own (`--become`).
    package var directives = Directives()
    /// Only plan (`--check`).
    package var isCheck = false
    /// Compare texts (`--diff`).
    package var isDiff = false
    /// Run everything a second time and fail if anything changes (`--prove`).
    package var proves = false
    /// Take away what the roles brought to clusters, instead of running them (`labctl remove`).
    package var removes = false
    /// How long each part of a removal may take.
    package var removalTimeout: Duration = .seconds(120)
    /// Whether the roles' `preflight/main.yml` runs.
    package var runsPreflight = false
    /// Whether changes found in check mode make exit code 1 (`labctl plan`).
    package var changesAreFindings = false
    /// 0, and one more for each `-v`.
    package var verbosity = 0
    /// The environment of this process.
    package var environment: [String: String] = [:]
    /// Asked for at the start (`-K`); hosts' own variables win.
    package var becomePassword: Secret?
    /// Asked for at the start (`-k`); hosts' own variables win.
    package var password: Secret?
    /// Changes how a host is reached, after the inventory said its part: `--user`, host key policy, a sandbox.
    package var adjustEndpoint: (@Sendable (inout Endpoint) -> Void)?
    /// How long `always` sections may run after an interruption.
    package var cleanupLimit: Duration = .seconds(20)
    /// How long a connection that was lost is tried to be made anew; zero never tries.
    package var reconnectLimit: Duration = .seconds(30)

    package init() {}
}

/// Which tasks run, by their tags (`-t`, `--skip-tags`).
package struct TagSelection: Sendable, Hashable {
    /// Empty for all.
    package var only: [String]
    package var skip: [String]

    package init(only: [String] = [], skip: [String] = []) {
        self.only = only
        self.skip = skip
    }

    /// Whether a task with these tags runs (`Taggable.evaluate_tags` of ansible-core).
    package func selects(_ names: [String]) -> Bool {
        let isTagged = !names.isEmpty
        let tags: Set<String> = isTagged ? Set(names) : ["untagged"]
        let wanted = Set(only.isEmpty ? ["all"] : only)
        let isWanted =
            tags.contains("always") || (wanted.contains("all") && !tags.contains("never"))
            || !tags.isDisjoint(with: wanted)
            || (wanted.contains("tagged") && isTagged && !tags.contains("never"))
        guard isWanted, !skip.isEmpty else { return isWanted }
        let unwanted = Set(skip)
        if unwanted.contains("all") { return tags.contains("always") && !unwanted.contains("always") }
        return tags.isDisjoint(with: unwanted) && !(unwanted.contains("tagged") && isTagged)
    }
}
