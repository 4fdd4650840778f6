import LabCore
import LabSandbox
import Testing

@Suite("Schemas and validation")
struct SchemaTests {
    static let podTemplate: Value = [
        "metadata": ["labels": ["app": "d"]], "spec": ["containers": [["name": "c", "image": "i:1"]]],
    ]

    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var change: [String: Value]
        var error: String
    }

    static let cases: [Case] = [
        Case(
            testDescription: "unknown field at the top", change: ["spce": .map([:])],
            error: ".spce: field not declared in schema"),
        Case(
            testDescription: "unknown field of a container",
            change: ["containers": [["name": "c", "image": "i:1", "imagePullPolic": "Always"]]],
            error: ".spec.template.spec.containers[name=\"c\"].imagePullPolic: field not declared in schema"),
        Case(
            testDescription: "a text where a number belongs", change: ["replicas": "2"],
            error: ".spec.replicas: expected numeric (int or float), got string"),
        Case(
            testDescription: "a number where a text belongs",
            change: [
                "containers": [["name": "c", "image": "i:1", "env": [["name": "N", "value": 8080]]]]
            ],
            error: ".spec.template.spec.containers[name=\"c\"].env[name=\"N\"].value: expected string, got "
                + "&value.valueUnstructured{Value:8080}"),
        Case(
            testDescription: "an item without its key", change: ["containers": [["image": "i:1"]]],
            error: ".spec.template.spec.containers: element 0: associative list with keys has an element that omits "
                + "key field \"name\" (and doesn't have default value)"),
        Case(
            testDescription: "two items with one key",
            change: ["containers": [["name": "c", "image": "a:1"], ["name": "c", "image": "b:1"]]],
            error: ".spec.template.spec.containers: duplicate entries for key [name=\"c\"]"),
    ]

    @Test("What the schema does not have is refused with 500", arguments: cases)
    func violations(_ example: Case) async {
        let api = await Fixture()
        var spec: ValueMap = ["selector": ["matchLabels": ["app": "d"]]]
        var template = Self.podTemplate
        if let containers = example.change["containers"] { template["spec"] = ["containers": containers] }
        spec["template"] = template
        spec["replicas"] = example.change["replicas"]
        var object: Value = [
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": ["name": "d", "namespace": "default"],
            "spec": .map(spec),
        ]
        if let extra = example.change["spce"] { object["spce"] = extra }
        let answer = await api.apply("/apis/apps/v1/namespaces/default/deployments/d", object, as: "labctl")
        #expect(answer.status == 500)
        #expect(
            answer.message
                == "failed to create typed patch object (default/d; apps/v1, Kind=Deployment): \(example.error)")
    }

    @Test("Several mistakes come together")
    func several() async {
        let api = await Fixture()
        var object = Fixture.configMap(["a": "1"])
        object["dta"] = .map([:])
        object["immutabel"] = true
        let answer = await api.apply(Fixture.configMaps + "/cm", object, as: "labctl")
        #expect(
            answer.message
                == "failed to create typed patch object (default/cm; /v1, Kind=ConfigMap): errors:\n"
                + "  .dta: field not declared in schema\n  .immutabel: field not declared in schema")
    }

    @Test("Other writes drop unknown fields, or refuse them under Strict")
    func strictness() async {
        let api = await Fixture()
        var object = Fixture.configMap(["a": "1"])
        object["dta"] = .map([:])
        let strict = await api.send(
            "POST", Fixture.configMaps + "?fieldValidation=Strict", object, contentType: "application/json")
        #expect(strict.status == 400)
        #expect(
            strict.message
                == "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding error: "
                + "unknown field \"dta\"")
        let loose = await api.send("POST", Fixture.configMaps, object, contentType: "application/json")
        #expect(loose.status == 201)
        #expect(loose.body["dta"] == nil)
        #expect(loose.fields(of: "tester") == ["f:data": [".": .map([:]), "f:a": .map([:])]])
    }

    @Test("A custom resource: defaults, pruning, required fields, enums and bounds")
    func customResources() async {
        let api = await Fixture()
        let schema: Value = [
            "type": "object", "required": ["size"],
            "properties": [
                "size": ["type": "integer", "minimum": 1], "mode": ["type": "string", "enum": ["a", "b"]],
                "on": ["type": "boolean", "default": true],
                "parts": [
                    "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                    "items": [
                        "type": "object",
                        "properties": ["name": ["type": "string"], "weight": ["type": "integer", "default": 5]],
                    ],
                ],
            ],
        ]
        let path = Fixture.things + "/t"
        #expect(await api.apply(path, Fixture.thing(["size": 1]), as: "labctl").status == 404)
        _ = await api.apply(
            Fixture.definitions + "/things.lab.io", Fixture.definition(spec: schema), as: "labctl")
        await api.cluster.settled()

        let created = await api.apply(
            path, Fixture.thing(["size": 2, "parts": [["name": "x"]]]), as: "labctl")
        #expect(created.status == 201)
        #expect(created.body["spec"] == ["size": 2, "on": true, "parts": [["name": "x", "weight": 5]]])
        #expect(
            created.fields(of: "labctl")?["f:spec"]
                == [
                    "f:size": .map([:]),
                    "f:parts": ["k:{\"name\":\"x\"}": [".": .map([:]), "f:name": .map([:])]],
                ])

        let unknown = await api.apply(path, Fixture.thing(["size": 2, "sise": 3]), as: "labctl")
        #expect(
            unknown.message
                == "failed to create typed patch object (default/t; lab.io/v1, Kind=Thing): "
                + ".spec.sise: field not declared in schema")
        let pruned = await api.merge(path, ["spec": ["sise": 3]], as: "editor")
        #expect(pruned.status == 200)
        #expect(pruned.body[["metadata", "resourceVersion"]] == created.body[["metadata", "resourceVersion"]])

        let missing = await api.apply(Fixture.things + "/u", Fixture.thing(["mode": "c"], name: "u"), as: "labctl")
        #expect(missing.status == 422)
        #expect(
            missing.message
                == "Thing.lab.io \"u\" is invalid: [spec.size: Required value, spec.mode: Unsupported value: \"c\": "
                + "supported values: \"a\", \"b\"]")

        _ = await api.send("DELETE", Fixture.definitions + "/things.lab.io")
        await api.cluster.settled()
        #expect(await api.get(path).status == 404)
    }

    @Test(
        "Names are checked",
        arguments: [("UPPER", false), ("a.b", true), ("-a", false), ("a-", false), ("ok-1", true)])
    func names(_ name: String, _ isFine: Bool) async {
        let api = await Fixture()
        let answer = await api.apply(
            Fixture.configMaps + "/\(name)", Fixture.configMap(.map([:]), name: name), as: "labctl")
        #expect((answer.status == 201) == isFine)
        if !isFine { #expect(answer.body["reason"] == "Invalid") }
    }

    @Test("FieldsV1 of every recorded object can be read and written", .enabled(if: SharedData.isThere))
    func recordedFields() throws {
        var count = 0
        for exchange in try SharedData.exchanges("metallb.jsonl") + SharedData.exchanges("apply.jsonl") {
            let fields = exchange[["response", "body", "metadata", "managedFields"]]?.list ?? []
            for entry in fields {
                let encoded = try #require(entry["fieldsV1"])
                #expect(FieldSet(encoded: encoded).encoded == encoded)
                count += 1
            }
        }
        #expect(count > 40)
    }
}
