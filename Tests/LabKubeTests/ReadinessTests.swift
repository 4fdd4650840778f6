import LabCore
import Testing

@testable import LabKube

struct ReadinessTests {
    @Test(
        arguments: [
            (
                #"{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"generation":2},"status":{"observedGeneration":1}}"#,
                "the controller has not seen the latest change yet"
            ),
            (
                #"{"apiVersion":"apps/v1","kind":"Deployment","spec":{"replicas":3},"status":{"observedGeneration":1,"updatedReplicas":1}}"#,
                "1 of 3 updated"
            ),
            (
                #"{"apiVersion":"apps/v1","kind":"Deployment","spec":{"replicas":1},"status":{"observedGeneration":1,"updatedReplicas":1,"replicas":2}}"#,
                "1 old still to be stopped"
            ),
            (
                #"{"apiVersion":"apps/v1","kind":"Deployment","spec":{"replicas":1},"status":{"observedGeneration":1,"updatedReplicas":1,"replicas":1,"readyReplicas":1}}"#,
                "0 of 1 available"
            ),
            (
                #"{"apiVersion":"apps/v1","kind":"Deployment","spec":{"replicas":0},"status":{"observedGeneration":1}}"#,
                nil
            ),
            (
                #"{"apiVersion":"apps/v1","kind":"DaemonSet","status":{"observedGeneration":1,"desiredNumberScheduled":0}}"#,
                "no node is eligible for it"
            ),
            (
                #"{"apiVersion":"apps/v1","kind":"DaemonSet","status":{"observedGeneration":1,"desiredNumberScheduled":3,"currentNumberScheduled":3,"updatedNumberScheduled":3,"numberReady":2}}"#,
                "2 of 3 ready"
            ),
            (
                #"{"apiVersion":"apps/v1","kind":"StatefulSet","spec":{"replicas":2},"status":{"observedGeneration":1,"readyReplicas":2,"replicas":2,"currentRevision":"a","updateRevision":"b","updatedReplicas":1}}"#,
                "1 of 2 updated"
            ),
            (
                #"{"apiVersion":"batch/v1","kind":"Job","spec":{"completions":2},"status":{"succeeded":1}}"#,
                "1 of 2 completed"
            ),
            (
                #"{"apiVersion":"example.com/v1","kind":"Widget","status":{"conditions":[{"type":"Reconciling","status":"True","message":"new tiles"}]}}"#,
                "new tiles"
            ),
            (#"{"apiVersion":"v1","kind":"Service","spec":{"type":"ClusterIP"}}"#, nil),
            (
                #"{"apiVersion":"v1","kind":"Service","spec":{"type":"LoadBalancer","clusterIP":"10.0.0.1"},"status":{"loadBalancer":{}}}"#,
                "no address has been assigned"
            ),
            (#"{"apiVersion":"v1","kind":"PersistentVolumeClaim","status":{"phase":"Pending"}}"#, "it is Pending"),
            (
                #"{"apiVersion":"v1","kind":"Namespace","metadata":{"deletionTimestamp":"2026-01-01T00:00:00Z"}}"#,
                "it is being deleted"
            ),
            (
                #"{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","status":{"conditions":null}}"#,
                "Established is not known yet"
            ),
            (
                #"{"apiVersion":"apiregistration.k8s.io/v1","kind":"APIService","status":{"conditions":[{"type":"Available","status":"False","reason":"MissingEndpoints","message":"no endpoints"}]}}"#,
                "no endpoints"
            ),
            (
                #"{"apiVersion":"v1","kind":"Pod","status":{"phase":"Pending","containerStatuses":[{"name":"c","state":{"waiting":{"reason":"ImagePullBackOff","message":"Back-off pulling image \"x\""}}}]}}"#,
                #"c: ImagePullBackOff: Back-off pulling image "x""#
            ),
            (#"{"apiVersion":"metallb.io/v1beta1","kind":"IPAddressPool"}"#, nil),
        ] as [(String, String?)])
    func `objects are judged`(json: String, missing: String?) throws {
        #expect(Readiness(of: try Value(json: json)).text == missing)
    }

    @Test func `what cannot get ready fails at once`() throws {
        let deployment = try Value(
            json:
                #"{"apiVersion":"apps/v1","kind":"Deployment","status":{"observedGeneration":1,"conditions":[{"type":"Progressing","status":"False","reason":"ProgressDeadlineExceeded","message":"timed out progressing"}]}}"#
        )
        #expect(Readiness(of: deployment) == .failed("timed out progressing"))
        let names = try Value(
            json:
                #"{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","status":{"conditions":[{"type":"NamesAccepted","status":"False","message":"taken"}]}}"#
        )
        #expect(Readiness(of: names) == .failed("taken"))
    }

    @Test func `a condition that a task names is judged by its status and reason`() throws {
        let object = try Value(json: #"{"status":{"conditions":[{"type":"Ready","status":"True","reason":"Ok"}]}}"#)
        #expect(WaitCondition.condition(type: "Ready", status: "true", reason: nil).judge(object).isReady)
        #expect(WaitCondition.condition(type: "Ready", status: "True", reason: "Other").judge(object).isReady == false)
        #expect(
            WaitCondition.condition(type: "Ready", status: "True", reason: nil).judge(nil).text == "it does not exist")
        #expect(WaitCondition.absent.judge(nil).isReady)
    }
}

struct IntentTests {
    @Test func `lists are taken apart and duplicates told with both places`() throws {
        let list = try intents(
            """
            apiVersion: v1
            kind: List
            items:
              - {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}
              - {apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: b}}
            """)
        #expect(list.map(\.reference.description) == ["ConfigMap default/a", "ClusterRole b"])
        let twice = """
            {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}
            ---
            {apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: default}}
            """
        do {
            _ = try intents(twice)
            Issue.record("a duplicate was accepted")
        } catch let error as KubeError {
            #expect(error.kind == .input)
            #expect(error.message == "ConfigMap default/a is defined twice")
            #expect(error.diagnostics[0].span?.description == "pool.yaml:3:1")
            #expect(error.diagnostics[0].notes[0].span?.description == "pool.yaml:1:1")
        }
    }

    @Test(arguments: [
        ("kind: Pod", "the object has no apiVersion"), ("apiVersion: v1\nkind: Pod", "the object has no metadata.name"),
        (
            "apiVersion: v1\nkind: Pod\nmetadata: {name: 5}",
            "metadata.name must be a string that is not empty, not an integer"
        ),
        ("- just\n- a list", "a Kubernetes object must be a map, not a string"),
    ])
    func `mistakes are told`(text: String, message: String) throws {
        do {
            _ = try intents(text)
            Issue.record("accepted")
        } catch let error as KubeError {
            #expect(error.message == message)
        }
    }

    @Test func `what only servers set is not sent`() throws {
        let sent = try intents(
            """
            apiVersion: v1
            kind: Pod
            metadata: {name: a, creationTimestamp: null, resourceVersion: "5", uid: x, managedFields: []}
            spec: {volumes: [{name: v, emptyDir: {}}], nodeName: null}
            status: {phase: Running}
            """)[0].object
        #expect(
            sent == [
                "apiVersion": "v1", "kind": "Pod", "metadata": ["name": "a"],
                "spec": ["volumes": [["name": "v", "emptyDir": [:]]]],
            ])
    }

    @Test func `objects are ordered by what needs what`() throws {
        let kinds: [(String, String, String?, ApplyStage)] = [
            ("v1", "Namespace", nil, .foundations),
            ("apiextensions.k8s.io/v1", "CustomResourceDefinition", nil, .foundations),
            ("rbac.authorization.k8s.io/v1", "ClusterRole", nil, .cluster), ("v1", "Secret", "n", .configuration),
            ("apps/v1", "DaemonSet", "n", .workloads),
            ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", nil, .webhooks),
            ("metallb.io/v1beta1", "IPAddressPool", "n", .customResources),
            ("gateway.networking.k8s.io/v1", "Gateway", "n", .customResources),
        ]
        for (apiVersion, kind, namespace, stage) in kinds {
            let reference = ObjectReference(apiVersion: apiVersion, kind: kind, namespace: namespace, name: "x")
            #expect(ApplyStage(reference) == stage, "\(kind)")
        }
    }
}

struct FieldPathTests {
    @Test(arguments: [
        ".spec.addresses[0]", #".webhooks[name="x.y"].clientConfig.caBundle"#, ".spec.ports[port=443,protocol=\"TCP\"]",
        #".metadata.labels["a.b/c"]"#,
    ])
    func `paths are read as they are written`(text: String) {
        #expect(FieldPath(parsing: text).description == text)
    }

    @Test func `elements are compared by their names, values of secrets are not shown`() {
        let before: Value = [
            "kind": "Pod", "spec": ["containers": [["name": "a", "image": "x:1"], ["name": "b", "image": "y"]]],
            "status": ["phase": "Pending"], "metadata": ["resourceVersion": "1"],
        ]
        let after: Value = [
            "kind": "Pod", "spec": ["containers": [["name": "b", "image": "y"], ["name": "a", "image": "x:2"]]],
            "status": ["phase": "Running"], "metadata": ["resourceVersion": "2"],
        ]
        #expect(
            FieldDiff.changes(from: before, to: after) == [
                FieldChange(path: #".spec.containers[name="a"].image"#, before: "x:1", after: "x:2")
            ])
        let secret = FieldDiff.changes(
            from: ["kind": "Secret", "data": ["k": "YQ=="]], to: ["kind": "Secret", "data": ["k": "Yg=="]])
        #expect(secret == [FieldChange(path: ".data.k", before: "<secret>", after: "<secret>")])
    }
}
