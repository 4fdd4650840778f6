import ArgumentParser

/// Which hosts: the inventory and the part of it that is meant.
struct InventoryOptions: ParsableArguments {
    @Option(
        name: [.short, .long],
        help: ArgumentHelp(
            "Where the hosts are listed.",
            discussion: """
                A file in Ansible's YAML or INI format, a folder of such files, the output of `vagrant ssh-config`, \
                `vagrant` to ask Vagrant itself, or host names with a comma after each. Can be given several times. \
                Default: $LABCTL_INVENTORY, else Inventory/lab.yml, Inventory, inventory.yml or inventory.ini.
                """,
            valueName: "inventory"))
    var inventory: [String] = []

    @Option(
        name: [.short, .long],
        help: ArgumentHelp(
            "Only the hosts that match.",
            discussion: "Ansible's patterns: names, groups, globs, `web:!w2`, `control_plane[0]`.",
            valueName: "hosts"))
    var limit: String?
}

/// Variables that win over all others.
struct VariableOptions: ParsableArguments {
    @Option(
        name: [.customShort("e"), .long],
        help: ArgumentHelp(
            "Set a variable over all other places.",
            discussion: "`name=value`, a JSON or YAML map, or `@file.yml`. Can be given several times.",
            valueName: "name=value"))
    var extraVars: [String] = []
}

/// Which tasks of the roles.
struct SelectionOptions: ParsableArguments {
    @Option(name: [.short, .long], help: ArgumentHelp("Only tasks with one of these tags.", valueName: "tags"))
    var tags: [String] = []

    @Option(name: .long, help: ArgumentHelp("Leave out tasks with one of these tags.", valueName: "tags"))
    var skipTags: [String] = []
}
