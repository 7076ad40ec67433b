// The manifests as kustomize renders them: what the API server would refuse, and what it would take though it is wrong.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  at,
  COMPONENTS,
  configsOf,
  listAt,
  loadPodConfig,
  type Manifest,
  nameOf,
  ofKind,
  OVERLAYS,
  podOf,
  renderOverlay,
  renderWithComponent,
  textOf,
  whereRendered,
  workloadsOf,
} from './render.js'
import { problemsOf } from './schemas.js'

const everything = () => OVERLAYS.map((name): [string, Manifest[]] => [name, renderOverlay(name)])

for (const name of OVERLAYS) {
  test(`a manifest of overlay ${name} that the API server refuses`, whereRendered, () => {
    const objects = renderOverlay(name)
    assert.ok(objects.length >= 8, `only ${objects.length} objects`)
    assert.deepEqual(objects.flatMap(problemsOf), [])
  })
}

for (const name of COMPONENTS) {
  test(`component ${name} that cannot be added to an overlay`, whereRendered, () => {
    assert.deepEqual(renderWithComponent(name).flatMap(problemsOf), [])
  })
}

test('a schema check that lets a wrong manifest pass', whereRendered, () => {
  const agent = structuredClone(ofKind(renderOverlay('standalone'), 'DaemonSet')[0]) as Manifest
  const broken = (change: (container: Record<string, unknown>) => void): string[] => {
    const copy = structuredClone(agent)
    change(at(copy, 'spec', 'template', 'spec', 'containers', 0) as unknown as Record<string, unknown>)
    return problemsOf(copy)
  }
  assert.deepEqual(problemsOf(agent), [])
  assert.match(broken((container) => (container['imagePullPolicy'] = 'Sometimes')).join(), /imagePullPolicy/)
  assert.match(
    broken((container) => (container['readonlyRootFilesystem'] = true)).join(),
    /unknown field readonly/,
  )
  assert.match(broken((container) => delete container['name']).join(), /name/)
  assert.match(
    broken((container) => (container['resources'] = { limits: { memory: 'lots' } })).join(),
    /quantity/,
  )
  assert.match(
    problemsOf({ apiVersion: 'apps/v1beta1', kind: 'DaemonSet' } as unknown as Manifest).join(),
    /no schema/,
  )
})

test('a configuration in a ConfigMap that the node refuses', whereRendered, () => {
  for (const [overlay, objects] of everything()) {
    const configs = configsOf(objects)
    assert.ok(configs.length > 0, `${overlay} has no configuration`)
    for (const { name, text } of configs) {
      assert.doesNotThrow(() => loadPodConfig(text), `${overlay}: ${name}`)
    }
  }
})

test('a pod that is killed in the middle of its drain', whereRendered, () => {
  for (const [overlay, objects] of everything()) {
    for (const workload of workloadsOf(objects)) {
      const config = configsOf(objects).find(({ name }) => name.startsWith(`${nameOf(workload)}-`))
      if (config === undefined) continue
      const drain = /^runtime:.*shutdown: (\d+)s/m.exec(config.text)?.[1]
      assert.ok(drain !== undefined, `${overlay}: ${config.name} says nothing of runtime.shutdown`)
      const graceSeconds = Number(at(podOf(workload), 'terminationGracePeriodSeconds'))
      assert.ok(graceSeconds >= Number(drain) + 10, `${overlay}: ${nameOf(workload)} has ${graceSeconds} s`)
    }
  }
})

test('a reference to something that is not there', whereRendered, () => {
  for (const [overlay, objects] of everything()) {
    const names = new Set(objects.map((object) => `${textOf(object['kind'])} ${nameOf(object)}`))
    const has = (kind: string, name: Manifest | undefined, by: string) =>
      assert.ok(names.has(`${kind} ${textOf(name)}`), `${overlay}: ${by} names ${kind} ${textOf(name)}`)
    for (const workload of workloadsOf(objects)) {
      const pod = podOf(workload)
      const by = nameOf(workload)
      if (at(pod, 'serviceAccountName')) has('ServiceAccount', at(pod, 'serviceAccountName'), by)
      if (at(pod, 'priorityClassName')) has('PriorityClass', at(pod, 'priorityClassName'), by)
      if (at(workload, 'spec', 'serviceName')) has('Service', at(workload, 'spec', 'serviceName'), by)
      for (const volume of listAt(pod, 'volumes'))
        if (at(volume, 'configMap')) has('ConfigMap', at(volume, 'configMap', 'name'), by)
      for (const container of listAt(pod, 'containers')) {
        for (const from of listAt(container, 'envFrom'))
          has('ConfigMap', at(from, 'configMapRef', 'name'), by)
      }
    }
    for (const scaled of ofKind(objects, 'ScaledObject'))
      has('Deployment', at(scaled, 'spec', 'scaleTargetRef', 'name'), nameOf(scaled))
  }
})

function matches(selector: Manifest | undefined, labels: Manifest | undefined): boolean {
  return Object.entries(at(selector, 'matchLabels') ?? selector ?? {}).every(
    ([key, value]) => textOf(at(labels, key)) === textOf(value as Manifest),
  )
}

test('a selector that selects no pod', whereRendered, () => {
  for (const [overlay, objects] of everything()) {
    const pods = workloadsOf(objects).map((workload) =>
      at(workload, 'spec', 'template', 'metadata', 'labels'),
    )
    const selectors = [
      ...workloadsOf(objects).map((each) => ({ each, selector: at(each, 'spec', 'selector') })),
      ...ofKind(objects, 'Service', 'PodDisruptionBudget').map((each) => ({
        each,
        selector: at(each, 'spec', 'selector'),
      })),
      ...ofKind(objects, 'NetworkPolicy').map((each) => ({
        each,
        selector: at(each, 'spec', 'podSelector'),
      })),
    ]
    for (const { each, selector } of selectors)
      assert.ok(
        pods.some((labels) => matches(selector, labels)),
        `${overlay}: ${nameOf(each)} selects nothing`,
      )
  }
})

test('a port by a name that no container has', whereRendered, () => {
  for (const [overlay, objects] of everything()) {
    for (const workload of workloadsOf(objects)) {
      for (const container of listAt(podOf(workload), 'containers')) {
        const ports = listAt(container, 'ports').map((port) => textOf(at(port, 'name')))
        for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe']) {
          const port = textOf(at(container, probe, 'httpGet', 'port'))
          assert.ok(ports.includes(port), `${overlay}: ${probe} of ${nameOf(workload)} asks port ${port}`)
        }
      }
    }
  }
})
