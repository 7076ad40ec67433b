// What a pod may do on its node: guards against a manifest that quietly asks for more.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  at,
  listAt,
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

interface Placed {
  readonly where: string
  readonly pod: Manifest | undefined
  readonly container: Manifest
}

function containers(kind: 'containers' | 'initContainers'): Placed[] {
  return OVERLAYS.flatMap((overlay) =>
    workloadsOf(renderOverlay(overlay)).flatMap((workload) =>
      listAt(podOf(workload), kind).map((container) => ({
        where: `${overlay}: ${nameOf(workload)}: ${nameOf({ metadata: container } as unknown as Manifest)}`,
        pod: podOf(workload),
        container,
      })),
    ),
  )
}

const plain = (value: Manifest | undefined): unknown => value

test('a container that could become more than it is', whereRendered, () => {
  for (const { where, pod, container } of [...containers('containers'), ...containers('initContainers')]) {
    const security = at(container, 'securityContext')
    assert.equal(plain(at(security, 'allowPrivilegeEscalation')), false, where)
    assert.equal(plain(at(security, 'readOnlyRootFilesystem')), true, where)
    assert.deepEqual(plain(at(security, 'capabilities', 'drop')), ['ALL'], where)
    assert.equal(plain(at(security, 'privileged')), undefined, where)
    assert.equal(plain(at(pod, 'securityContext', 'seccompProfile', 'type')), 'RuntimeDefault', where)
    for (const shared of ['hostNetwork', 'hostPID', 'hostIPC'])
      assert.equal(plain(at(pod, shared)), undefined, where)
  }
})

test('a long-running container that is root or has a capability', whereRendered, () => {
  for (const { where, pod, container } of containers('containers')) {
    assert.equal(plain(at(pod, 'securityContext', 'runAsNonRoot')), true, where)
    assert.equal(plain(at(container, 'securityContext', 'runAsNonRoot')), undefined, where)
    assert.ok(Number(at(pod, 'securityContext', 'runAsUser')) > 0, where)
    assert.equal(plain(at(container, 'securityContext', 'capabilities', 'add')), undefined, where)
  }
})

test('an init container with more than the right to hand a folder over', whereRendered, () => {
  for (const { where, container } of containers('initContainers')) {
    assert.deepEqual(plain(at(container, 'securityContext', 'capabilities', 'add')), ['CHOWN'], where)
    assert.deepEqual(
      listAt(container, 'volumeMounts').map((mount) => textOf(at(mount, 'mountPath'))),
      ['/var/lib/millrace'],
      where,
    )
  }
})

test('a container that can take all of a node', whereRendered, () => {
  for (const { where, container } of [...containers('containers'), ...containers('initContainers')]) {
    for (const what of ['cpu', 'memory']) {
      assert.notEqual(
        textOf(at(container, 'resources', 'requests', what)),
        '',
        `${where}: request of ${what}`,
      )
      assert.notEqual(textOf(at(container, 'resources', 'limits', what)), '', `${where}: limit of ${what}`)
    }
  }
})

test('a folder of the host that can be written', whereRendered, () => {
  const folders = [
    ...OVERLAYS.map(renderOverlay),
    renderWithComponent('docker-logs'),
    renderWithComponent('root-logs'),
  ]
  for (const workload of folders.flatMap(workloadsOf)) {
    const fromHost = new Map(
      listAt(podOf(workload), 'volumes').flatMap((volume) =>
        at(volume, 'hostPath') === undefined
          ? []
          : [[textOf(at(volume, 'name')), textOf(at(volume, 'hostPath', 'path'))] as const],
      ),
    )
    for (const mount of listAt(podOf(workload), 'containers', 0, 'volumeMounts')) {
      const folder = fromHost.get(textOf(at(mount, 'name')))
      if (folder === undefined) continue
      // Links under /var/log/pods lead to the same place only when a folder has its own path inside.
      // The container's own control groups are in their place.
      const inside = folder === '/sys/fs/cgroup' ? `/host${folder}` : folder
      assert.equal(textOf(at(mount, 'mountPath')), inside)
      if (!folder.startsWith('/var/lib/millrace')) assert.equal(plain(at(mount, 'readOnly')), true, folder)
    }
  }
})

test('rights in the Kubernetes API beyond reading pods and their events', whereRendered, () => {
  for (const overlay of OVERLAYS) {
    const objects = renderOverlay(overlay)
    assert.deepEqual(
      ofKind(objects, 'ClusterRole', 'Role').map((role) => plain(at(role, 'rules'))),
      [
        [
          { apiGroups: [''], resources: ['pods'], verbs: ['get', 'list', 'watch'] },
          { apiGroups: [''], resources: ['events'], verbs: ['list'] },
        ],
      ],
      overlay,
    )
    for (const workload of workloadsOf(objects))
      assert.equal(
        plain(at(podOf(workload), 'automountServiceAccountToken')),
        nameOf(workload) === 'millrace-agent',
      )
  }
})

test('a node whose logs nobody reads', whereRendered, () => {
  for (const overlay of OVERLAYS) {
    const agent = ofKind(renderOverlay(overlay), 'DaemonSet')[0]
    assert.deepEqual(plain(at(agent, 'spec', 'template', 'spec', 'tolerations')), [{ operator: 'Exists' }])
  }
})

test('a pod that any other pod may talk to', whereRendered, () => {
  for (const overlay of OVERLAYS) {
    const policies = ofKind(renderOverlay(overlay), 'NetworkPolicy')
    const deny = policies.find((policy) => nameOf(policy) === 'default-deny')
    assert.deepEqual(plain(at(deny, 'spec')), { podSelector: {}, policyTypes: ['Ingress', 'Egress'] })
    for (const policy of policies)
      for (const rule of listAt(policy, 'spec', 'ingress')) {
        assert.ok(listAt(rule, 'from').length > 0, `${overlay}: ${nameOf(policy)} lets everybody in`)
        assert.ok(listAt(rule, 'ports').length > 0, `${overlay}: ${nameOf(policy)} opens every port`)
      }
  }
})

test('replicas that may all land on one machine', whereRendered, () => {
  for (const workload of ofKind(renderOverlay('buffered'), 'Deployment', 'StatefulSet')) {
    const keys = listAt(podOf(workload), 'topologySpreadConstraints').map((each) =>
      textOf(at(each, 'topologyKey')),
    )
    assert.deepEqual(keys, ['topology.kubernetes.io/zone', 'kubernetes.io/hostname'], nameOf(workload))
    assert.ok(
      ofKind(renderOverlay('buffered'), 'PodDisruptionBudget').some(
        (budget) => nameOf(budget) === nameOf(workload),
      ),
      `${nameOf(workload)} has no PodDisruptionBudget`,
    )
  }
})
