// `millrace tenants`: plans that are refused, and what comes of one that is not.
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import { parseTenantPlan } from '../../cli/tenants/plan.js'
import { renderTenants } from '../../cli/tenants/render.js'
import { MillraceError } from '../../protocol/errors.js'
import {
  at,
  listAt,
  loadPodConfig,
  type Manifest,
  nameOf,
  ofKind,
  podOf,
  renderFolder,
  renderOverlay,
  textOf,
  whereRendered,
} from '../k8s/render.js'
import { problemsOf } from '../k8s/schemas.js'
import { repository } from '../k8s/tools.js'
import { makeWorkspace } from './millrace.js'

const shared = path.join(repository, 'k8s/base/millrace.yaml')
const example = path.join(repository, 'k8s/tenants.example.yaml')
const PLAN = parseTenantPlan(readFileSync(example, 'utf8'), 'plan.yaml')

function files(plan = PLAN, text = readFileSync(shared, 'utf8')): Map<string, string> {
  return renderTenants({
    plan,
    config: { text, file: 'millrace.yaml' },
    overlay: '../../overlays/standalone',
  })
}
const configOf = (tenant: string, from = files()) =>
  loadPodConfig(from.get(`${tenant}/millrace.yaml`) ?? '').config

function refusal(act: () => unknown): string {
  try {
    act()
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error
    assert.equal(error.code, 'config.tenants')
    return error.message
  }
  throw new Error('it was taken')
}

for (const [what, text, expected] of [
  [
    'a namespace of two tenants',
    'tenants: { a: { namespaces: [x] }, b: { namespaces: [x] } }',
    /tenants\.b\.namespaces: x belongs to a/,
  ],
  ['a name that leaves its folder', 'tenants: { ../../etc: { namespaces: [x] } }', /small letters, digits/],
  [
    'a name that is too long for Kubernetes',
    `tenants: { ${'a'.repeat(31)}: { namespaces: [x] } }`,
    /at most 30/,
  ],
  [
    'a namespace that is none',
    'tenants: { a: { namespaces: ["*"] } }',
    /tenants\.a\.namespaces\[0\]: expected the name/,
  ],
  ['a tenant without namespaces', 'tenants: { a: { namespaces: [] } }', /at least one/],
  ['no tenants', 'tenants: {}', /got 0/],
  [
    'more tenants than a node can have agents',
    `tenants: {${Array.from({ length: 101 }, (_, n) => `t${n}: { namespaces: [n${n}] }`).join()}}`,
    /got 101/,
  ],
  ['an unknown key', 'tenants: { a: { namespaces: [x], retain: 3d } }', /retain/],
  ['a retention of hours', 'tenants: { a: { namespaces: [x], retention: 5h } }', /at least 1d/],
  [
    'a stream label that no record has',
    'tenants: { a: { namespaces: [x], stream_labels: [env] } }',
    /env is not among labels/,
  ],
  ['text that is not YAML', 'tenants: {', /plan\.yaml: /],
  ['a list', '[]', /expected/i],
] as const) {
  test(`a plan with ${what} is refused, with its place`, () => {
    assert.match(
      refusal(() => parseTenantPlan(text, 'plan.yaml')),
      expected,
    )
  })
}

test("a tenant whose agents read another's pods, or whose pods two agents read", () => {
  const all = files()
  const read = ['shop', 'payments'].flatMap((name) => {
    const source = configOf(name, all).sources['pods']
    assert.equal(source?.type, 'kubernetes')
    assert.deepEqual(source.exclude_namespaces, [])
    return source.namespaces ?? []
  })
  assert.deepEqual(read, ['shop', 'shop-staging', 'payments'])
  const rest = configOf('shared', all).sources['pods']
  assert.equal(rest?.type, 'kubernetes')
  assert.equal(rest.namespaces, undefined)
  assert.deepEqual(rest.exclude_namespaces, ['millrace', 'payments', 'shop', 'shop-staging'])
})

test('a tenant in the index or the Loki tenant of another, or with a budget that is not its own', () => {
  const { backends, journal, sampling, node } = configOf('shop')
  const { es, loki } = backends
  assert.ok(es?.type === 'elasticsearch' && loki?.type === 'loki')
  assert.equal(es.index, 'shop-logs-%Y-%m-%d')
  assert.equal(es.ilm_policy, 'millrace-shop')
  assert.equal(loki.tenant, 'shop')
  assert.deepEqual(loki.labels.at(-1), 'kubernetes.labels.env')
  assert.equal(loki.streams_max, 2000)
  assert.equal(journal.bytes_max, 2 * 1024 ** 3)
  assert.equal(sampling.info.target_per_second, 50)
  assert.equal(node.id, 'node-1-shop')
})

test('retention that the backends are not told', () => {
  const all = files()
  const ilm = JSON.parse(all.get('shop/elasticsearch-ilm.json') ?? '') as Manifest
  // The last record of a day's index is a day younger than the index.
  assert.equal(textOf(at(ilm, 'policy', 'phases', 'delete', 'min_age')), '15d')
  const overrides = parse(all.get('loki-overrides.yaml') ?? '') as Record<string, unknown>
  assert.deepEqual(overrides['overrides'], {
    payments: {
      retention_period: '8760h',
      ingestion_rate_mb: 16,
      ingestion_burst_size_mb: 24,
      max_global_streams_per_user: 5000,
    },
    shop: {
      retention_period: '336h',
      ingestion_rate_mb: 4,
      ingestion_burst_size_mb: 6,
      max_global_streams_per_user: 2000,
    },
  })
})

test('variables of the pod that are filled in too early, or break the text', () => {
  const text =
    'node: { id: ${NODE_NAME:-x}, cluster_id: "a ${CLUSTER_ID}" }\nsources: { pods: { type: kubernetes } }\nbackends: { loki: { type: loki, url: ${LOKI_URL} } }\n'
  const { node, backends } = configOf('shop', files(PLAN, text))
  assert.deepEqual([node.id, node.cluster_id], ['node-1-shop', 'a test'])
  assert.equal(backends['loki']?.type === 'loki' && backends['loki'].url, 'http://loki.logging:3100')
})

test("labels of the shared configuration that a tenant's would replace", () => {
  const text =
    'sources: { pods: { type: kubernetes } }\nbackends: { loki: { type: loki, url: "http://l:1", labels: [service_name, namespace] } }\n'
  const { loki } = configOf('shop', files(PLAN, text)).backends
  assert.deepEqual(loki?.type === 'loki' && loki.labels, [
    'service_name',
    'namespace',
    'kubernetes.labels.env',
  ])
})

test('two tenants of which one index template would match the indices of the other', () => {
  const text =
    'sources: { pods: { type: kubernetes } }\nbackends: { es: { type: elasticsearch, url: "http://es:1", index: "a-%Y" } }\n'
  const plan = parseTenantPlan('tenants: { a: { namespaces: [x] } }', 'plan.yaml')
  assert.match(
    refusal(() => files(plan, text)),
    /a-a-\* are also a-\*/,
  )
})

test('a shared configuration without pods', () => {
  const text =
    'sources: { app: { type: stdin } }\nbackends: { es: { type: elasticsearch, url: "http://es:1" } }\n'
  assert.match(
    refusal(() => files(PLAN, text)),
    /none has the type kubernetes/,
  )
})

test(
  'overlays of tenants that Kubernetes refuses, or that collide with the shared agents',
  whereRendered,
  async () => {
    const out = mkdtempSync(path.join(tmpdir(), 'millrace-tenants-'))
    const workspace = makeWorkspace()
    try {
      const overlay = path.join(repository, 'k8s/overlays/standalone')
      const ran = await workspace.run([
        'tenants',
        '-c',
        shared,
        '--tenants',
        example,
        '--overlay',
        overlay,
        '--out',
        out,
      ])
      assert.deepEqual([ran.code, ran.stderr], [0, ''])
      const sets = [
        renderOverlay('standalone'),
        ...['shop', 'payments'].map((name) => renderFolder(path.join(out, name))),
      ]
      assert.deepEqual(sets.flat().flatMap(problemsOf), [])
      const names = sets.flat().map((object) => `${textOf(object['kind'])} ${nameOf(object)}`)
      assert.deepEqual(
        names.filter((name, n) => names.indexOf(name) !== n),
        [],
      )
      const agents = sets.flatMap((objects) => ofKind(objects, 'DaemonSet'))
      const own = (read: (agent: Manifest) => unknown) =>
        new Set(agents.map((agent) => JSON.stringify(read(agent)))).size
      assert.equal(agents.length, 3)
      assert.equal(
        own((agent) => at(agent, 'spec', 'selector')),
        3,
      )
      assert.equal(
        own((agent) =>
          listAt(podOf(agent), 'volumes').find((volume) => textOf(at(volume, 'name')) === 'data'),
        ),
        3,
      )
      assert.equal(
        own((agent) => at(podOf(agent), 'serviceAccountName')),
        3,
      )
    } finally {
      workspace.remove()
      rmSync(out, { recursive: true, force: true })
    }
  },
)

test('a command line without a plan, or with a shared configuration that is wrong', async () => {
  const workspace = makeWorkspace()
  try {
    const rest = ['--overlay', 'k8s', '--out', 'out']
    const none = await workspace.run(['tenants', '-c', shared, '--tenants', 'none.yaml', ...rest])
    assert.deepEqual(
      [none.code, none.stderr],
      [2, 'millrace: none.yaml: cannot be read (ENOENT); name another with --tenants\n'],
    )
    writeFileSync(path.join(workspace.folder, 'wrong.yaml'), 'sorces: {}\n')
    const wrong = await workspace.run(['tenants', '-c', 'wrong.yaml', '--tenants', example, ...rest])
    assert.equal(wrong.code, 2)
    assert.match(wrong.stderr, /wrong\.yaml:1:1: sorces: unknown key; did you mean sources/)
  } finally {
    workspace.remove()
  }
})
